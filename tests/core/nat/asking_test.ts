import { assert, assertEquals } from "../../assert.ts";
import { type Asked, Asking } from "../../../lib/core/nat/asking.ts";
import { patience, triesNeeded } from "../../../lib/core/nat/silence.ts";
import { decodeExamine, decodeExamineReply, encodeExamineReply } from "../../../lib/wire/examine.ts";
import { SeededRandom } from "../../sim/random.ts";

const beacon = { host: "203.0.113.1", port: 9001 };
const other = { host: "203.0.113.1", port: 9002 };
const seen = { host: "198.51.100.1", port: 40_000 };

/** Asks, and answers what `answers` lets through, until nothing is left to wait for. */
function talk(
  asking: Asking,
  answers: (question: { via: number; otherPort: boolean; now: number }) => boolean,
): number {
  let now = 0;
  for (let rounds = 0; rounds < 1_000; rounds++) {
    for (let out = asking.pollTransmit(); out !== undefined; out = asking.pollTransmit()) {
      const question = decodeExamine(out.data);
      assert(typeof question === "object");
      const { from, token } = question;
      const via = out.via ?? 0;
      if (!answers({ via, otherPort: from.otherPort, now })) continue;
      const reply = decodeExamineReply(
        encodeExamineReply({ from, token, seen, otherPort: 9002, other: undefined }),
      );
      assert(typeof reply === "object");
      asking.handleReply({ reply, from: from.otherPort ? other : beacon, via, now: now + 20 });
    }
    const due = asking.pollTimeout();
    if (due === undefined) return now;
    now = Math.max(now, due);
    asking.handleTimeout(now);
  }
  throw new Error("never ends");
}

function filterTest(asking: Asking, random: SeededRandom): { control: Asked; filtered: Asked } {
  const base = { via: 1, to: beacon, random: random.bytes, now: 0 };
  return {
    control: asking.ask({ ...base, kind: "control" }),
    filtered: asking.ask({
      ...base,
      kind: "filtered",
      from: other,
      place: { otherAddress: false, otherPort: true },
    }),
  };
}

Deno.test("silence: the more is lost, the more tries it takes", () => {
  assertEquals(triesNeeded({ sent: 100, lost: 0 }), 5);
  assertEquals(triesNeeded({ sent: 20, lost: 0 }), 5);
  const needed = [0, 1, 2, 4, 8].map((lost) => triesNeeded({ sent: 10, lost }));
  assertEquals(needed, needed.toSorted((a, b) => a - b));
  assert((needed.at(-1) ?? 0) > 20);
  assertEquals(triesNeeded({ sent: 0, lost: 0 }), 17);
  assertEquals([patience(undefined), patience(20), patience(600)], [1_000, 300, 1_200]);
});

Deno.test("asking: silence is certain when the control was heard meanwhile, within a second", () => {
  const asking = new Asking();
  const { control, filtered } = filterTest(asking, new SeededRandom(1));
  const took = talk(asking, ({ otherPort }) => !otherPort);
  assertEquals([control.question.reply !== undefined, filtered.standing], [true, "silent"]);
  assert(filtered.question.tries >= 3 && took >= 600 && took <= 1_500, `${filtered.question.tries} ${took}`);
});

Deno.test("asking: when all falls silent in the middle, nothing is concluded", () => {
  const asking = new Asking();
  const { filtered } = filterTest(asking, new SeededRandom(1));
  talk(asking, ({ otherPort, now }) => !otherPort && now < 100);
  assertEquals(filtered.standing, "unknown");
});

Deno.test("asking: an answer ends a question, whenever it comes", () => {
  const asking = new Asking();
  const { filtered } = filterTest(asking, new SeededRandom(1));
  talk(asking, ({ otherPort, now }) => !otherPort || now > 500);
  assertEquals(filtered.standing, "came");
});

Deno.test("asking: answers from the wrong place, to the wrong socket, or twice are none", () => {
  const asking = new Asking();
  const random = new SeededRandom(1);
  const asked = asking.ask({ kind: "plain", via: 1, to: beacon, random: random.bytes, now: 0 });
  const question = decodeExamine(asking.pollTransmit()?.data ?? new Uint8Array(0));
  assert(typeof question === "object");
  const reply = { ...question, seen, otherPort: 0, other: undefined };
  const forged = { ...reply, token: random.bytes(new Uint8Array(8)) };
  assertEquals(asking.handleReply({ reply: forged, from: beacon, via: 1, now: 1 }), false);
  assertEquals(asking.handleReply({ reply, from: other, via: 1, now: 1 }), false);
  assertEquals(asking.handleReply({ reply, from: beacon, via: 0, now: 1 }), false);
  assertEquals(asked.standing, "asking");
  assertEquals(asking.handleReply({ reply, from: beacon, via: 1, now: 1 }), true);
  assertEquals(asking.handleReply({ reply, from: beacon, via: 1, now: 2 }), false);
  assertEquals(asked.standing, "came");
});
