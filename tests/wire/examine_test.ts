import { assert, assertEquals, assertThrows } from "../assert.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import {
  decodeExamine,
  decodeExamineReply,
  encodeExamine,
  encodeExamineReply,
  type Examine,
  EXAMINE_SIZE,
  type ExamineReply,
  isExamineDatagram,
} from "../../lib/wire/examine.ts";
import { fuzz } from "./fuzz.ts";

const token = fromHex("0102030405060708");
const here = { otherAddress: false, otherPort: false };
const there = { otherAddress: true, otherPort: true };

const questions: readonly [string, Examine][] = [
  [`0b00 0102030405060708 0000 ${"00".repeat(52)}`, { from: here, token, port: 0 }],
  [`0b03 0102030405060708 9c40 ${"00".repeat(52)}`, { from: there, token, port: 40_000 }],
];

const answers: readonly [string, ExamineReply][] = [
  // 203.0.113.7:40000 is cb007107 9c40.
  ["0c00 0102030405060708 04 ca027203 9946 0000 00", {
    from: here,
    token,
    seen: { host: "203.0.113.7", port: 40_000 },
    otherPort: 0,
    other: undefined,
  }],
  ["0c02 0102030405060708 04 ca027203 9946 232a 04 c6336409 2329 232a", {
    from: { otherAddress: false, otherPort: true },
    token,
    seen: { host: "203.0.113.7", port: 40_000 },
    otherPort: 9002,
    other: { host: "198.51.100.9", port: 9001, otherPort: 9002 },
  }],
  [
    "0c03 0102030405060708 10 21030ebc05060708 010203040506070f 9d42 232a 10" +
    "20010db8000000000000000000000009 2329 0000",
    {
      from: there,
      token,
      seen: { host: "2001:db8::7", port: 40_000 },
      otherPort: 9002,
      other: { host: "2001:db8::9", port: 9001, otherPort: 0 },
    },
  ],
];

Deno.test("examine: golden bytes both ways", () => {
  for (const [hex, question] of questions) {
    assertEquals(decodeExamine(fromHex(hex)), question, hex);
    assertEquals(toHex(encodeExamine(question)), toHex(fromHex(hex)), hex);
  }
  for (const [hex, answer] of answers) {
    assertEquals(decodeExamineReply(fromHex(hex)), answer, hex);
    assertEquals(toHex(encodeExamineReply(answer)), toHex(fromHex(hex)), hex);
  }
});

Deno.test("examine: no answer is longer than its question", () => {
  const longest = Math.max(...answers.map(([, answer]) => encodeExamineReply(answer).length));
  assertEquals(longest, 52);
  assert(longest <= EXAMINE_SIZE);
  assertEquals(decodeExamine(encodeExamine({ from: here, token, port: 0 }).subarray(0, 63)), "short");
});

Deno.test("examine: reasons", () => {
  assertEquals([decodeExamine(new Uint8Array(0)), decodeExamineReply(new Uint8Array(0))], ["short", "short"]);
  assertEquals(decodeExamine(fromHex("0c00")), "type");
  assertEquals(decodeExamineReply(fromHex("0b00")), "type");
  assertEquals(decodeExamine(fromHex(`0b04${"00".repeat(62)}`)), "flags");
  assertEquals(decodeExamineReply(fromHex("0c04 0102030405060708 04 ca027203 9946 0000 00")), "flags");
  assertEquals(decodeExamineReply(fromHex("0c00 0102030405060708 05 ca02720300 9946 0000 00")), "address");
  assertEquals(decodeExamineReply(fromHex("0c00 0102030405060708 04 ca027203 9946 0000 05")), "address");
  assertEquals(isExamineDatagram(fromHex("0a01")), false);
  assertEquals([isExamineDatagram(fromHex("0b")), isExamineDatagram(fromHex("0c"))], [true, true]);
});

Deno.test("examine: a field that does not fit is misuse", () => {
  assertThrows(() => encodeExamine({ from: here, token: token.subarray(1), port: 0 }), RangeError);
  assertThrows(() => encodeExamine({ from: here, token, port: 65_536 }), RangeError);
  const [, answer] = answers[0] ?? [];
  assert(answer !== undefined);
  assertThrows(() => encodeExamineReply({ ...answer, seen: { host: "example.com", port: 1 } }), RangeError);
  assertThrows(() => encodeExamineReply({ ...answer, otherPort: -1 }), RangeError);
});

Deno.test("examine: maltreated questions", () => {
  fuzz(decodeExamine, {
    valid: questions.map(([hex]) => fromHex(hex)),
    check(input) {
      const question = decodeExamine(input);
      assert(typeof question === "object");
      assertEquals(decodeExamine(encodeExamine(question)), question);
    },
  });
});

Deno.test("examine: maltreated answers", () => {
  fuzz(decodeExamineReply, {
    valid: answers.map(([hex]) => fromHex(hex)),
    check(input) {
      const answer = decodeExamineReply(input);
      assert(typeof answer === "object");
      assertEquals(decodeExamineReply(encodeExamineReply(answer)), answer);
    },
  });
});
