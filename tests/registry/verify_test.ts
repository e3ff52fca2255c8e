import { signText } from "../../lib/crypto/identity.ts";
import { encodeUtf8, fromHex } from "../../lib/wire/bytes.ts";
import { makeVerify } from "../../services/registry/verify.ts";
import { assertEquals } from "../assert.ts";
import { KEY_A, KEY_B } from "./fixture.ts";

Deno.test("good signatures are good, bad ones are bad, the first time and later", () => {
  const verify = makeVerify();
  const message = encodeUtf8("heartbeat:11");
  const good = signText(KEY_A, "heartbeat:11");
  const flipped = good.slice();
  flipped[3] = (flipped[3] ?? 0) ^ 1;
  // S plus the order of the group: the same point, another text (RFC 8032 section 5.1.7 forbids it).
  const order = fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  const malleable = good.slice();
  for (let i = 0, carry = 0; i < 32; i++) {
    const sum = (good[32 + i] ?? 0) + (order[i] ?? 0) + carry;
    malleable[32 + i] = sum & 0xff;
    carry = sum >> 8;
  }
  const bad = [
    flipped,
    malleable,
    good.subarray(1),
    new Uint8Array(64),
    new Uint8Array(),
    new Uint8Array(65),
  ];
  for (let round = 0; round < 2; round++) {
    for (const signature of bad) assertEquals(verify(KEY_A.publicKey, message, signature), false);
    assertEquals(verify(KEY_A.publicKey, message, good), true);
    assertEquals(verify(KEY_A.publicKey, encodeUtf8("heartbeat:12"), good), false);
    assertEquals(verify(KEY_B.publicKey, message, good), false);
    assertEquals(verify(KEY_B.publicKey.subarray(1), message, good), false);
  }
});

Deno.test("a key of small order signs nothing", () => {
  const verify = makeVerify();
  // The neutral element as key and as R, S zero: verifies for every message without the check of the order.
  const neutral = fromHex(`01${"00".repeat(31)}`);
  const signature = new Uint8Array(64);
  signature.set(neutral);
  for (let round = 0; round < 2; round++) {
    assertEquals(verify(neutral, encodeUtf8("anything"), signature), false);
  }
});
