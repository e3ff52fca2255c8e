import { assertEquals } from "../assert.ts";
import { encodeUtf8, fromHex } from "../../lib/wire/bytes.ts";
import { crc32 } from "../../lib/wire/crc32.ts";
import { SeededRandom } from "../sim/random.ts";

/** The definition, bit by bit. */
function naive(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

Deno.test("crc32: known answers", () => {
  assertEquals(crc32(), 0);
  assertEquals(crc32(new Uint8Array(0)), 0);
  assertEquals(crc32(encodeUtf8("123456789")), 0xcbf43926);
  const head = fromHex("11010000000000000001000000000002c00003e800000000000000000200");
  assertEquals(crc32(head, new Uint8Array(4)), 0x145ed874);
});

Deno.test("crc32: agrees with the bitwise definition at every length and split", () => {
  const random = new SeededRandom(32);
  for (let length = 0; length <= 100; length++) {
    const data = random.bytes(new Uint8Array(length));
    const expected = naive(data);
    assertEquals(crc32(data), expected, `seed 32 length ${length}`);
    const first = random.int(length + 1);
    const second = first + random.int(length - first + 1);
    const parts = [data.subarray(0, first), data.subarray(first, second), data.subarray(second)];
    assertEquals(crc32(...parts), expected, `seed 32 length ${length} split at ${first} and ${second}`);
  }
});

Deno.test("crc32: does not write to its input", () => {
  const data = new SeededRandom(33).bytes(new Uint8Array(1000));
  const before = data.slice();
  crc32(data);
  assertEquals(data, before);
});
