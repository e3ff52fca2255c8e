import { assert, assertEquals } from "../../assert.ts";
import { concat, type Link, Pair, PERFECT, Random, sameBytes, TERRIBLE } from "./pair.ts";

/** Sends random data both ways, ends both ways, and returns what went wrong. */
function transfer(seed: number, link: Link, largest: number): string | undefined {
  const random = new Random(seed);
  const pair = new Pair({ seed, link });
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
    const problem = transfer(seed, TERRIBLE, 60_000);
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
