import { concatBytes, encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import {
  decodeTrailer,
  encodeTrailer,
  encodeTrailerBody,
  trailerSignedBytes,
} from "../../lib/wire/exchange_trailer.ts";
import { assert, assertEquals, assertThrows } from "../assert.ts";
import { SeededRandom } from "../sim/random.ts";
import { fuzz } from "./fuzz.ts";

const trailer = {
  answer: true,
  receiver: 0x01020304,
  time: 1_800_000_000_123,
  options: fromHex("630002aabb"),
};
const BODY = "01" + "01020304" + "000001a3185c507b" + "0005" + "630002aabb";
const SIGNATURE = "5a".repeat(64);
const GOLDEN = "504c5431" + BODY + SIGNATURE;
const FIXED = 19;

Deno.test("exchange trailer: golden bytes both ways", () => {
  const body = encodeTrailerBody(trailer);
  assertEquals(toHex(body), BODY);
  assertEquals(toHex(encodeTrailer(body, fromHex(SIGNATURE))), GOLDEN);
  assertEquals(decodeTrailer(fromHex(GOLDEN)), {
    ...trailer,
    body: fromHex(BODY),
    signature: fromHex(SIGNATURE),
  });
});

Deno.test("exchange trailer: the signed message is the label, the exchange from its node id on, and the body", () => {
  const exchangeKey = new Uint8Array(32).fill(0xee);
  const identityKey = new Uint8Array(32).fill(0xdd);
  assertEquals(
    trailerSignedBytes({ sender: 7, exchangeKey, identityKey }, fromHex(BODY)),
    concatBytes(
      encodeUtf8("pilot-exchange-v1"),
      fromHex("00000007"),
      exchangeKey,
      identityKey,
      fromHex(BODY),
    ),
  );
});

Deno.test("exchange trailer: the sign of an answer is one bit, and the others are ignored", () => {
  for (let flags = 0; flags < 256; flags++) {
    const bytes = fromHex(GOLDEN);
    bytes[4] = flags;
    const read = decodeTrailer(bytes);
    assert(typeof read !== "string");
    assertEquals(read.answer, (flags & 1) === 1);
  }
});

Deno.test("exchange trailer: another beginning, or nothing, is no trailer of ours", () => {
  assertEquals(decodeTrailer(new Uint8Array(0)), "none");
  for (let index = 0; index < 4; index++) {
    const bytes = fromHex(GOLDEN);
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    assertEquals(decodeTrailer(bytes), "none");
  }
});

Deno.test("exchange trailer: cut off at any length it is refused, longer it is the same", () => {
  const bytes = fromHex(GOLDEN);
  for (let length = 0; length < bytes.length; length++) {
    assertEquals(decodeTrailer(bytes.subarray(0, length)), length < 4 ? "none" : "short", `${length} bytes`);
  }
  assertEquals(decodeTrailer(concatBytes(bytes, fromHex("0102"))), decodeTrailer(bytes));
});

Deno.test("exchange trailer: a length of options that points beyond the end is refused", () => {
  const bytes = fromHex(GOLDEN);
  for (const [high, low] of [[0, 6], [0, 255], [255, 255]]) {
    bytes[17] = high ?? 0;
    bytes[18] = low ?? 0;
    assertEquals(decodeTrailer(bytes), "short");
  }
});

Deno.test("exchange trailer: a time that no number can hold is refused", () => {
  const bytes = fromHex(GOLDEN);
  bytes.fill(0xff, 9, 17);
  assertEquals(decodeTrailer(bytes), "none");
});

Deno.test("exchange trailer: maltreated input", () => {
  const random = new SeededRandom(3);
  const valid = [0, 1, 14, 300].map((length) =>
    encodeTrailer(
      encodeTrailerBody({ ...trailer, options: random.bytes(new Uint8Array(length)) }),
      random.bytes(new Uint8Array(64)),
    )
  );
  fuzz(decodeTrailer, {
    valid,
    rounds: 10_000,
    check: (input, result) => {
      const read = decodeTrailer(input);
      if (typeof result === "string" || typeof read === "string") return;
      assertEquals(read.body.length, FIXED - 4 + read.options.length);
      assertEquals(read.signature.length, 64);
      const again = encodeTrailerBody(read);
      assertEquals(again.subarray(1), read.body.subarray(1));
    },
  });
});

Deno.test("exchange trailer: a field that does not fit is misuse", () => {
  assertThrows(() => encodeTrailerBody({ ...trailer, options: new Uint8Array(65_536) }), RangeError);
});
