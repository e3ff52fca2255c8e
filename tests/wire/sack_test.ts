import { assert, assertEquals, assertThrows } from "../assert.ts";
import { encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { decodeSack, encodeSack, looksLikeSack } from "../../lib/wire/sack.ts";
import { fuzz } from "./fuzz.ts";
import { vectors } from "./vectors.ts";

Deno.test("sack: vectors both ways", () => {
  assertEquals(vectors.sack.length, 7);
  for (const { blocks, bytes } of vectors.sack) {
    assertEquals(toHex(encodeSack(blocks ?? [])), bytes);
    assertEquals(decodeSack(fromHex(bytes)), blocks?.slice(0, 4));
  }
});

Deno.test("sack: published example", () => {
  const blocks = [{ left: 4097, right: 8193 }, { left: 12289, right: 16385 }];
  const bytes = "5341434b 02 00001001 00002001 00003001 00004001";
  assertEquals(encodeSack(blocks), fromHex(bytes));
  assertEquals(decodeSack(fromHex(bytes)), blocks);
});

Deno.test("sack: what a receiver takes for it", () => {
  const taken = [
    "5341434b 01 0000000000000000",
    "5341434b 01 0000000000000000 ff",
    `5341434b 04 ${"00".repeat(32)}`,
  ];
  const data = [
    "",
    "53",
    "5341434b",
    "5341434b 01",
    "5341434b 01 00000000000000",
    `5341434b 00 ${"00".repeat(40)}`,
    `5341434b 05 ${"00".repeat(40)}`,
    `5341434b 04 ${"00".repeat(31)}`,
    `5341434c 01 ${"00".repeat(8)}`,
    `7341434b 01 ${"00".repeat(8)}`,
  ];
  for (const hex of taken) assert(looksLikeSack(fromHex(hex)), hex);
  for (const hex of data) {
    assert(!looksLikeSack(fromHex(hex)), hex);
    assertEquals(decodeSack(fromHex(hex)), undefined, hex);
  }
  assert(!looksLikeSack(encodeUtf8("SACK and potatoes")));
});

Deno.test("sack: edges must be 32-bit numbers", () => {
  assertThrows(() => encodeSack([{ left: 2 ** 32, right: 0 }]), RangeError);
  assertThrows(() => encodeSack([{ left: 0, right: -1 }]), RangeError);
});

Deno.test("sack: maltreated input", () => {
  const valid = vectors.sack.slice(1).map(({ bytes }) => fromHex(bytes));
  fuzz(decodeSack, {
    valid,
    refused: (result) => result === undefined,
    check(input) {
      const blocks = decodeSack(input);
      assert(blocks !== undefined && looksLikeSack(input));
      const bytes = encodeSack(blocks);
      assertEquals(toHex(bytes), toHex(input.subarray(0, bytes.length)));
    },
  });
});
