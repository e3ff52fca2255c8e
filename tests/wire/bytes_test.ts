import { assert, assertEquals, assertThrows } from "../assert.ts";
import {
  concatBytes,
  decodeBase64,
  decodeUtf8,
  encodeBase64,
  encodeUtf8,
  equalBytes,
  fromHex,
  toHex,
} from "../../lib/wire/bytes.ts";
import { requireLength, requireUint, uint16Bytes, uint32Bytes, viewOf } from "../../lib/wire/uint.ts";
import { SeededRandom } from "../sim/random.ts";

Deno.test("bytes: hex both ways, with spaces and either case", () => {
  assertEquals(toHex(Uint8Array.of(0, 1, 0xab, 0xff)), "0001abff");
  assertEquals(fromHex(" 00 01\nAb fF "), Uint8Array.of(0, 1, 0xab, 0xff));
  assertEquals(toHex(fromHex("")), "");
  for (const wrong of ["0", "0g", "0x00", "-1", "é0"]) assertThrows(() => fromHex(wrong), SyntaxError);
});

Deno.test("bytes: base64 of RFC 4648 section 10", () => {
  const examples = {
    "": "",
    "f": "Zg==",
    "fo": "Zm8=",
    "foo": "Zm9v",
    "foob": "Zm9vYg==",
    "fooba": "Zm9vYmE=",
    "foobar": "Zm9vYmFy",
  };
  for (const [plain, text] of Object.entries(examples)) {
    assertEquals(encodeBase64(encodeUtf8(plain)), text);
    assertEquals(decodeBase64(text), encodeUtf8(plain));
  }
});

Deno.test("bytes: base64 agrees with the platform on random bytes", () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 2000; round++) {
    const bytes = random.bytes(new Uint8Array(random.int(100)));
    const text = encodeBase64(bytes);
    assertEquals(text, btoa(String.fromCharCode(...bytes)), `seed 7 round ${round}`);
    assertEquals(decodeBase64(text), bytes, `seed 7 round ${round}`);
  }
});

Deno.test("bytes: base64 refuses everything but the canonical text", () => {
  const wrong = [
    "Zg",
    "Zg=",
    "Zg===",
    "Zh==",
    "Zm9=",
    "Zm8",
    "Zm8=\n",
    "Zm\n8=",
    " Zm8=",
    "Zm-_",
    "====",
    "=",
    "Z===",
    "Zg==Zg==",
    "Zm8=Zm8=",
    "Zmé=",
  ];
  for (const text of wrong) assertEquals(decodeBase64(text), undefined, JSON.stringify(text));
});

Deno.test("bytes: one byte string has one base64 text", () => {
  const random = new SeededRandom(8);
  const alphabet = "ABCXYZabcxyz0189+/=-_ \n";
  for (let round = 0; round < 50_000; round++) {
    const text = Array.from({ length: random.int(13) }, () => alphabet.charAt(random.int(alphabet.length)))
      .join("");
    const bytes = decodeBase64(text);
    if (bytes !== undefined) assertEquals(encodeBase64(bytes), text, `seed 8 round ${round}`);
  }
});

Deno.test("bytes: UTF-8 is lossy but never throws, and keeps a byte order mark", () => {
  assertEquals(decodeUtf8(Uint8Array.of(0xff, 0x41, 0xe2, 0x82)), "\ufffdA\ufffd");
  assertEquals(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)), "\ufeffA");
  assertEquals(encodeUtf8("é\ud800"), fromHex("c3a9 efbfbd"));
  assertEquals(decodeUtf8(encodeUtf8("résumé ✓ 𝕏")), "résumé ✓ 𝕏");
});

Deno.test("bytes: concat copies, equal compares content and length", () => {
  const part = Uint8Array.of(1, 2);
  const whole = concatBytes(part, new Uint8Array(0), Uint8Array.of(3));
  part[0] = 9;
  assertEquals(whole, Uint8Array.of(1, 2, 3));
  assert(equalBytes(whole, Uint8Array.of(1, 2, 3)));
  assert(!equalBytes(whole, Uint8Array.of(1, 2)));
  assert(!equalBytes(whole, Uint8Array.of(1, 2, 4)));
  assert(equalBytes(new Uint8Array(0), new Uint8Array(0)));
});

Deno.test("uint: views respect the offset, checks refuse what does not fit", () => {
  const buffer = Uint8Array.of(9, 1, 2, 3, 4, 9).subarray(1, 5);
  assertEquals(viewOf(buffer).getUint32(0), 0x01020304);
  assertEquals(viewOf(buffer).byteLength, 4);
  assertEquals(uint16Bytes(0xabcd), fromHex("abcd"));
  assertEquals(uint32Bytes(0xfedcba98), fromHex("fedcba98"));
  for (const wrong of [-1, 65536, 1.5, NaN, Infinity]) {
    assertThrows(() => requireUint("port", wrong, 65535), RangeError, "port");
    assertThrows(() => uint16Bytes(wrong), RangeError);
  }
  requireUint("port", 65535, 65535);
  assertThrows(
    () => requireLength("key", new Uint8Array(31), 32),
    RangeError,
    "key must be 32 bytes, not 31",
  );
});
