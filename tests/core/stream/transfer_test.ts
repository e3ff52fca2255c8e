import { assert, assertEquals } from "../../assert.ts";
import { CONTROLLERS } from "../../../lib/core/stream/congestion_choice.ts";
import { OWN_PROFILE } from "../../../lib/core/stream/profile.ts";
import type { StreamOptions } from "../../../lib/core/stream/stream.ts";
import { concat, type Link, Pair, PERFECT, Random, sameBytes, TERRIBLE } from "./pair.ts";

/** Sends random data both ways, ends both ways, and returns what went wrong. */
function transfer(
  seed: number,
  options: { link: Link; largest: number; ends?: Partial<StreamOptions> },
): string | undefined {
  const { link, largest, ends = {} } = options;
  const random = new Random(seed);
  const pair = new Pair({ seed, link, a: ends, b: ends });
  const fromA = random.bytes(random.int(largest));
  const fromB = random.bytes(random.int(largest));
  pair.a.give(fromA);
  pair.b.give(fromB);
  pair.a.ends = pair.b.ends = true;
  const isDone = pair.run(() => pair.a.closed !== undefined && pair.b.closed !== undefined, 3_600_000);
  if (!isDone) return `still ${pair.a.stream.state.name} / ${pair.b.stream.state.name}`;
  if (pair.a.closed !== "done" || pair.b.closed !== "done") {
    return `closed ${pair.a.closed} / ${pair.b.closed}`;
  }
  if (!sameBytes(concat(pair.b.received), fromA)) return "a to b differs";
  if (!sameBytes(concat(pair.a.received), fromB)) return "b to a differs";
  return undefined;
}

Deno.test("a thousand terrible links: everything arrives, in both directions, and both ends close", () => {
  for (let seed = 1; seed <= Number(Deno.env.get("SEEDS") ?? 1_000); seed++) {
    const problem = transfer(seed, { link: TERRIBLE, largest: 60_000 });
    assertEquals(problem, undefined, `seed ${seed}: ${problem}`);
  }
});

Deno.test("terrible links between nodes like ours, with either controller", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const congestion = seed % 2 === 0 ? CONTROLLERS.cubic : CONTROLLERS.bbr;
    const link = { ...TERRIBLE, loss: 0.01 * (seed % 20), jitter: seed % 3 === 0 ? 0 : 30 };
    const segmentSize = seed % 5 === 0 ? 5_000 : 1_152;
    const ends = { profile: OWN_PROFILE, congestion, segmentSize };
    const problem = transfer(seed, { link, largest: 400_000, ends });
    assertEquals(problem, undefined, `seed ${seed}: ${problem}`);
  }
});

Deno.test("a perfect link needs no retransmission", () => {
  const pair = Pair.open({ link: PERFECT });
  const data = new Random(7).bytes(2_000_000);
  pair.a.give(data);
  pair.a.ends = true;
  assert(pair.run(() => pair.b.has("finished"), 60_000));
  assert(sameBytes(concat(pair.b.received), data));
  assertEquals(pair.a.stream.stats.retransmits, 0);
});

Deno.test("a few words before a lot of data do not slow it down, on any path", () => {
  for (const congestion of [CONTROLLERS.bbr, CONTROLLERS.cubic]) {
    for (const delay of [1.5, 10, 100]) {
      const ends = { profile: OWN_PROFILE, congestion };
      const times = [[], ["hello"], ["hello", "how are you?", "well"]].map((words) => {
        const pair = Pair.open({ link: { ...PERFECT, delay }, a: ends, b: ends });
        for (const word of words) {
          pair.a.give(new TextEncoder().encode(word));
          assert(pair.run(() => pair.a.stream.stats.unacked === 0, 10_000));
        }
        const before = pair.now;
        const received = pair.b.receivedBytes + 500_000;
        pair.a.give(new Random(7).bytes(500_000));
        assert(pair.run(() => pair.b.receivedBytes >= received, 60_000));
        return pair.now - before;
      });
      const [alone = 0] = times;
      for (const time of times) assert(time <= 1.5 * alone, `${delay} ms: ${times}`);
    }
  }
});
