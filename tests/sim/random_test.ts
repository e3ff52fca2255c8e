import { assert, assertEquals, assertNotEquals } from "../assert.ts";
import { EventQueue } from "./queue.ts";
import { SeededRandom } from "./random.ts";

Deno.test("random: the same seed gives the same sequence, another seed another", () => {
  const draw = (seed: number) => Array.from({ length: 8 }, (_, i) => i).map(drawOf(new SeededRandom(seed)));
  assertEquals(draw(1), draw(1));
  assertNotEquals(draw(1), draw(2));
  assertNotEquals(draw(0), Array.from({ length: 8 }, () => 0));
});

function drawOf(random: SeededRandom): () => number {
  return () => random.uint32();
}

Deno.test("random: the reference sequence of xoshiro128**", () => {
  // The first outputs for the state splitmix32 gives to seed 42, computed with BigInt arithmetic.
  const random = new SeededRandom(42);
  const expected = slowXoshiro(42, 100);
  assertEquals(Array.from({ length: 100 }, () => random.uint32()), expected);
});

function slowXoshiro(seed: number, count: number): number[] {
  const mask = 0xffffffffn;
  const state: bigint[] = [];
  let mix = BigInt(seed);
  for (let i = 0; i < 4; i++) {
    mix = (mix + 0x9e3779b9n) & mask;
    let word = ((mix ^ (mix >> 16n)) * 0x21f0aaadn) & mask;
    word = ((word ^ (word >> 15n)) * 0x735a2d97n) & mask;
    state.push((word ^ (word >> 15n)) & mask);
  }
  const rotate = (word: bigint, by: bigint) => ((word << by) | (word >> (32n - by))) & mask;
  let [a = 0n, b = 0n, c = 0n, d = 0n] = state;
  return Array.from({ length: count }, () => {
    const result = (rotate((b * 5n) & mask, 7n) * 9n) & mask;
    const shifted = (b << 9n) & mask;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11n);
    return Number(result);
  });
}

Deno.test("random: bytes of any length, floats and integers within bounds, fair chances", () => {
  const random = new SeededRandom(7);
  for (const length of [0, 1, 3, 4, 5, 33]) assertEquals(random.bytes(new Uint8Array(length)).length, length);
  let heads = 0;
  const seen = new Set<number>();
  for (let i = 0; i < 10_000; i++) {
    const float = random.float();
    assert(float >= 0 && float < 1);
    seen.add(random.int(10));
    if (random.chance(0.25)) heads++;
  }
  assertEquals([...seen].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert(heads > 2300 && heads < 2700, `${heads}`);
  assertEquals(random.pick([]), undefined);
});

Deno.test("random: a fork does not feel how much its parent is used", () => {
  const first = new SeededRandom(3);
  const second = new SeededRandom(3);
  const forkOfFirst = first.fork();
  const forkOfSecond = second.fork();
  for (let i = 0; i < 100; i++) first.uint32();
  assertEquals(forkOfFirst.uint32(), forkOfSecond.uint32());
});

Deno.test("queue: the order of a stable sort by time", () => {
  const random = new SeededRandom(11);
  const queue = new EventQueue();
  const expected: { at: number; name: number }[] = [];
  const happened: number[] = [];
  for (let name = 0; name < 2000; name++) {
    const at = random.int(50);
    expected.push({ at, name });
    queue.push(at, () => happened.push(name));
  }
  expected.sort((a, b) => a.at - b.at);
  while (queue.size > 0) queue.pop()?.run();
  assertEquals(happened, expected.map((each) => each.name));
  assertEquals([queue.pop(), queue.nextAt()], [undefined, undefined]);
});
