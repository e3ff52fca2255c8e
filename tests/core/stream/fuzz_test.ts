import { assert, assertEquals } from "../../assert.ts";
import type { Segment } from "../../../lib/core/stream/stream.ts";
import { encodeSack } from "../../../lib/wire/sack.ts";
import { inState, OWN, PEER, Solo } from "./in_state.ts";
import { concat, Pair, Random, sameBytes } from "./pair.ts";

/** Seeds of each fuzzer. */
const SEEDS = Number(Deno.env.get("SEEDS") ?? 10_000);

const BUILDERS: readonly (() => Solo)[] = Object.values(inState);

/** A segment near the numbers that matter, or anything. */
function randomSegment(random: Random): Segment {
  const near = (base: number) =>
    random.chance(0.8) ? (base + random.int(40) - 10) >>> 0 : random.int(2 ** 32);
  const block = () => ({ left: near(OWN), right: near(OWN) });
  const payload = random.chance(0.2)
    ? encodeSack(Array.from({ length: 1 + random.int(4) }, block))
    : random.bytes(random.chance(0.1) ? random.int(65_536) : random.int(20));
  return {
    flags: random.int(16),
    sequence: near(PEER),
    acknowledgement: near(OWN),
    window: random.chance(0.3) ? 0 : random.int(65_536),
    payload,
  };
}

Deno.test("random segments in every state: no throw, no endless work, bounded memory", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed);
    const solo = BUILDERS[seed % BUILDERS.length]?.() ?? inState.established();
    try {
      for (let turn = 0; turn < 40; turn++) {
        solo.hear(randomSegment(random));
        if (random.chance(0.2)) solo.write(random.bytes(random.int(3_000)));
        if (random.chance(0.2)) solo.read();
        if (random.chance(0.02)) solo.shutdown();
        if (random.chance(0.01)) solo.stream.close(solo.now);
        if (random.chance(0.3)) solo.wait(random.int(3_000));
        const { recv_win, ooo_buf, unacked, in_flight } = solo.stream.stats;
        assert(recv_win >= 0 && ooo_buf <= 128 && unacked <= 129 && in_flight >= 0);
      }
      // Whatever happened, the stream comes to rest.
      solo.wait(3_600_000);
      const closings = solo.story.filter((event) => event.startsWith("closed"));
      assert(closings.length <= 1 && (closings.length === 0 || solo.story.at(-1) === closings[0]));
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

Deno.test("foreign noise between two peers does not corrupt what they exchange", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const pair = Pair.open({ seed, link: { delay: 10, jitter: 20, loss: 0.05, duplicate: 0.1 } });
    const data = random.bytes(30_000);
    pair.a.give(data);
    pair.filter = (segment, from) => {
      const target = from === pair.a ? pair.b : pair.a;
      // Not RST, SYN, FIN or plausible data: an authenticated peer may send those. Numbers out of any window.
      if (random.chance(0.2)) {
        const far = (number: number) => (number + 2 ** 30 + random.int(2 ** 30)) >>> 0;
        const noise = {
          ...segment,
          sequence: far(segment.sequence),
          acknowledgement: far(segment.acknowledgement),
        };
        target.machine?.handleSegment(
          { ...noise, flags: random.int(16), payload: random.bytes(50) },
          pair.now,
        );
      }
      return true;
    };
    assert(pair.run(() => pair.b.receivedBytes >= data.length, 120_000), `seed ${seed}: ${pair.b.closed}`);
    assert(sameBytes(concat(pair.b.received), data), `seed ${seed}`);
    assertEquals(pair.a.closed, undefined, `seed ${seed}`);
  }
});
