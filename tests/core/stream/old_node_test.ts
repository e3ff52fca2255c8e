import { assert, assertEquals } from "../../assert.ts";
import { Flag } from "../../../lib/wire/packet.ts";
import { OldNode } from "./old_node.ts";
import { concat, type Link, Pair, Random, sameBytes } from "./pair.ts";

const LOSSY: Link = { delay: 15, jitter: 20, loss: 0.05, duplicate: 0.05 };

function world(
  role: "dials us" | "is dialled",
  seed: number,
  link: Link,
): { pair: Pair; old: () => OldNode } {
  let old: OldNode | undefined;
  const pair = role === "dials us"
    ? new Pair({ seed, link, connect: (now) => old = new OldNode(undefined, now) })
    : new Pair({ seed, link, accept: (syn, now) => old = new OldNode(syn, now) });
  const get = (): OldNode => {
    if (old === undefined) throw new Error("not reached yet");
    return old;
  };
  return { pair, old: get };
}

for (const role of ["dials us", "is dialled"] as const) {
  Deno.test(`an old node that ${role}: data both ways over a bad link, then our end`, () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { pair, old } = world(role, seed, LOSSY);
      const [theirs, ours] = role === "dials us" ? [pair.a, pair.b] : [pair.b, pair.a];
      const random = new Random(seed);
      const toUs = random.bytes(100_000);
      const toThem = random.bytes(100_000);
      theirs.give(toUs);
      ours.give(toThem);
      const isThrough = pair.run(
        () => ours.receivedBytes === toUs.length && theirs.receivedBytes === toThem.length && old().isDrained,
        300_000,
      );
      assert(
        isThrough,
        `seed ${seed}: ${ours.receivedBytes} and ${theirs.receivedBytes} bytes, ${ours.closed}`,
      );
      assert(
        sameBytes(concat(ours.received), toUs) && sameBytes(concat(theirs.received), toThem),
        `seed ${seed}`,
      );
      ours.ends = true;
      assert(pair.run(() => ours.closed !== undefined, 120_000), `seed ${seed}: not closed`);
      assertEquals(ours.closed, "done", `seed ${seed}`);
    }
  });

  Deno.test(`an old node that ${role} and ends first: we end, too, and no FIN storm begins`, () => {
    const { pair, old } = world(role, 1, { delay: 5, jitter: 0, loss: 0, duplicate: 0 });
    const [theirs, ours] = role === "dials us" ? [pair.a, pair.b] : [pair.b, pair.a];
    pair.run(() => ours.has("connected"), 5_000);
    theirs.ends = true;
    assert(pair.run(() => ours.has("finished"), 5_000));
    ours.ends = true;
    assert(pair.run(() => ours.closed !== undefined, 5_000));
    assertEquals(ours.closed, "done");
    pair.wait(20_000);
    const withFin = [...pair.a.sent, ...pair.b.sent].filter(({ flags }) => (flags & Flag.FIN) !== 0);
    assert(withFin.length <= 3, `${withFin.length} packets with FIN`);
    assertEquals(old().answersToFin.length, 1);
  });
}

Deno.test("an old node and we stay connected for an hour without data", () => {
  const { pair, old } = world("is dialled", 1, LOSSY);
  assert(pair.run(() => pair.a.has("connected") && pair.b.has("connected"), 10_000));
  pair.wait(3_600_000);
  assertEquals([pair.a.closed, old().state], [undefined, "ESTABLISHED"]);
  assert(pair.a.sent.length < 500, `${pair.a.sent.length} packets`);
});

Deno.test("user data that looks like SACK reaches an old node and comes back whole", () => {
  const { pair } = world("is dialled", 1, { delay: 5, jitter: 0, loss: 0, duplicate: 0 });
  const line = new TextEncoder().encode("SACK\x01 is how a reply may begin, and this is long enough");
  pair.a.give(line);
  assert(pair.run(() => pair.b.receivedBytes === line.length, 10_000));
  assertEquals(concat(pair.b.received), line);
});
