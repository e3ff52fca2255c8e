import { RateTable, TokenBucket } from "../../lib/core/limiter.ts";
import { assert, assertEquals } from "../assert.ts";

Deno.test("a bucket gives its burst at once and then its rate", () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
  assertEquals([1, 2, 3, 4].map(() => bucket.take(0)), [true, true, true, false]);
  assertEquals(bucket.take(99), false);
  assertEquals(bucket.take(100), true);
  assertEquals(bucket.take(100), false);
  assertEquals(bucket.isFull(399), false);
  assertEquals(bucket.isFull(400), true);
});

Deno.test("time that runs backwards gives no tokens", () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 1 }, 1_000);
  assert(bucket.take(1_000));
  assertEquals(bucket.take(0), false);
  assertEquals(bucket.take(50), false);
});

Deno.test("a table of buckets holds no more than its capacity and makes room where nobody spends", () => {
  const table = new RateTable<number>({ perSecond: 1, burst: 1 }, 100);
  for (let key = 0; key < 100; key++) assert(table.take(key, 0));
  assertEquals(table.take(1_000, 0), false);
  assertEquals(table.size, 100);
  assert(table.take(1_000, 2_000));
  assert(table.size <= 100);
});

Deno.test("busy names at the front of a full table do not lock newcomers out for ever", () => {
  const table = new RateTable<number>({ perSecond: 1, burst: 2 }, 100);
  for (let key = 0; key < 100; key++) table.take(key, 0);
  for (let key = 0; key < 70; key++) table.take(key, 5_000);
  const admitted = [1, 2, 3].some((attempt) => table.take(1_000 + attempt, 5_000));
  assert(admitted);
});
