import { assert, assertEquals } from "../../assert.ts";
import { Deque } from "../../../lib/core/stream/deque.ts";
import { EarlySegments } from "../../../lib/core/stream/early.ts";
import { NumberHeap } from "../../../lib/core/stream/number_heap.ts";
import { Random, sameBytes } from "./pair.ts";

Deno.test("early segments: every byte once, runs without gaps, whatever the overlap", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed);
    const data = random.bytes(400);
    const early = new EarlySegments();
    const isHere = new Array<boolean>(400).fill(false);
    for (let turn = 0; turn < 40; turn++) {
      const start = 1 + random.int(390);
      const end = Math.min(400, start + 1 + random.int(60));
      const isNews = isHere.slice(start, end).includes(false);
      assertEquals(early.has(start, end), !isNews, `seed ${seed}`);
      assertEquals(early.add(start, data.subarray(start, end)), isNews, `seed ${seed}`);
      isHere.fill(true, start, end);
      assertEquals(early.bytes, isHere.filter((here) => here).length, `seed ${seed}`);
      const blocks = early.blocks(400, 400);
      const gaps = isHere.filter((here, i) => here && isHere[i - 1] !== true).length;
      assertEquals([blocks.length, early.gaps], [gaps, gaps], `seed ${seed}`);
      for (const { left, right } of blocks) {
        assert(isHere.slice(left, right).every((here) => here) && isHere[right] !== true, `seed ${seed}`);
      }
    }
    for (let left = early.left; left !== undefined; left = early.left) {
      assertEquals(early.shift(left - 1), undefined);
      const payload = early.shift(left) ?? new Uint8Array(0);
      assert(sameBytes(payload, data.subarray(left, left + payload.length)), `seed ${seed}`);
    }
    assertEquals([early.count, early.bytes, early.gaps], [0, 0, 0]);
  }
});

Deno.test("early segments: the youngest runs are reported, so that a lost report is repeated", () => {
  const early = new EarlySegments();
  for (const start of [10, 30, 50, 70, 90, 110]) early.add(start, new Uint8Array(5));
  early.add(55, new Uint8Array(5));
  assertEquals(early.blocks(1, 4).map(({ left }) => left), [10, 50, 90, 110]);
  // A run that was joined with another is reported once.
  early.add(15, new Uint8Array(15));
  assertEquals(early.blocks(1, 4).map(({ left, right }) => [left, right]), [[10, 35], [50, 60], [90, 95], [
    110,
    115,
  ]]);
});

Deno.test("deque and heap agree with arrays", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const deque = new Deque<number>();
    const heap = new NumberHeap();
    const list: number[] = [];
    const sorted: number[] = [];
    for (let turn = 0; turn < 500; turn++) {
      if (random.chance(0.55)) {
        const value = random.int(1_000);
        deque.push(value);
        list.push(value);
        heap.push(value);
        sorted.push(value);
        sorted.sort((a, b) => a - b);
      } else {
        assertEquals(deque.shift(), list.shift(), `seed ${seed}`);
        assertEquals(heap.pop(), sorted.shift(), `seed ${seed}`);
      }
      assertEquals(
        [deque.length, deque.first, deque.last],
        [list.length, list[0], list.at(-1)],
        `seed ${seed}`,
      );
      assertEquals(heap.first, sorted[0], `seed ${seed}`);
    }
  }
});
