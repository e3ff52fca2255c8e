import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import { Budget, MemoryHold } from "../../services/agent/apps/budget.ts";
import { frameOf } from "../../lib/wire/apps.ts";
import { JsonBoundary } from "../../services/agent/apps/json_boundary.ts";
import { TimedReader, within } from "../../services/agent/apps/timed_reader.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../assert.ts";

Deno.test("a budget bounds each peer and all together, all or nothing", () => {
  const budget = new Budget({ perPeer: 10, total: 15 });
  assert(budget.take(1, 10));
  assert(!budget.take(1, 1));
  assert(budget.take(2, 5));
  assert(!budget.take(3, 1), "the total is reached");
  assertEquals(budget.total, 15);
  budget.give(1, 4);
  assert(budget.take(3, 4));
  assertThrows(() => budget.give(2, 6), RangeError);
  assertEquals(budget.total, 15);
});

Deno.test("a hold grows, shrinks and refuses without changing", () => {
  const budget = new Budget({ perPeer: 10, total: 10 });
  const [one, two] = [new MemoryHold(budget, 1), new MemoryHold(budget, 1)];
  assert(one.resize(7));
  assert(!two.resize(4));
  assertEquals([one.size, two.size, budget.total], [7, 0, 7]);
  assert(one.resize(2) && two.resize(8));
  assert(one.resize(0) && two.resize(0));
  assertEquals(budget.total, 0);
});

Deno.test("the end of a JSON value is found however it is cut", () => {
  const values = [
    "{}",
    "[]",
    '{"a":[1,{"b":"c"}]}',
    '["]","[","\\"]","\\\\"]',
    '{"text":"}{][ \\u005d \\\\\\" ü 漢 😀"}',
    `${"[".repeat(5000)}${"]".repeat(5000)}`,
  ];
  for (const value of values) {
    JSON.parse(value);
    const bytes = encodeUtf8(`${value}{"next":1}`);
    const length = encodeUtf8(value).length;
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const boundary = new JsonBoundary();
      let end: number | undefined;
      for (let at = 0; at < bytes.length && end === undefined; at += size) {
        const taken = boundary.push(bytes.subarray(at, at + size));
        if (taken !== undefined) end = at + taken;
      }
      assertEquals(end, length, `${value.slice(0, 20)} in pieces of ${size}`);
    }
    assertEquals(new JsonBoundary().push(encodeUtf8(value).subarray(0, length - 1)), undefined);
  }
});

Deno.test("unframed bytes are told apart", () => {
  const types: [string | Uint8Array, number][] = [
    ['{"a":1}', 3],
    [" [1]\n", 3],
    ["hello", 1],
    ["17", 1],
    ['"text"', 1],
    ["null", 1],
    ["{broken", 1],
    ["", 1],
    [Uint8Array.of(0xc3, 0x28), 2],
    [Uint8Array.of(0), 1],
  ];
  for (const [payload, type] of types) {
    assertEquals(
      frameOf(typeof payload === "string" ? encodeUtf8(payload) : payload).type,
      type,
      String(payload),
    );
  }
});

Deno.test("a read that takes too long is not lost", async () => {
  const later = Promise.withResolvers<Uint8Array>();
  let reads = 0;
  const reader = new TimedReader({
    read: () => {
      reads++;
      return reads === 1 ? later.promise : Promise.resolve(null);
    },
  });
  assertEquals(await reader.read(1), "timeout");
  assertEquals(await reader.read(1), "timeout");
  assertEquals(reads, 1);
  later.resolve(Uint8Array.of(7));
  assertEquals(await reader.read(1), Uint8Array.of(7));
  assertEquals(await reader.read(1), null);
  await assertRejects(() => within(Promise.reject(new Error("gone")), 1000), Error, "gone");
});
