import { assert, assertEquals } from "../assert.ts";
import { isAfter, isBefore, sequenceAdd, sequenceDifference } from "../../lib/core/seq.ts";

Deno.test("sequence numbers add and compare across the wrap", () => {
  assertEquals(sequenceAdd(0xfffffffe, 3), 1);
  assertEquals(sequenceAdd(1, -3), 0xfffffffe);
  assertEquals(sequenceDifference(1, 0xfffffffe), 3);
  assertEquals(sequenceDifference(0xfffffffe, 1), -3);
  assert(isAfter(1, 0xfffffffe) && isBefore(0xfffffffe, 1));
  assert(!isAfter(5, 5) && !isBefore(5, 5));
});
