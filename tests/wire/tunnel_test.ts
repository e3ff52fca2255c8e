import { assert, assertEquals, assertThrows } from "../assert.ts";
import { concatBytes, fromHex, toHex } from "../../lib/wire/bytes.ts";
import {
  decodeFrame,
  encodeAuthenticated,
  encodePlain,
  encodePunch,
  encodeSealed,
  encodeUnauthenticated,
  exchangeSignedBytes,
  type Frame,
  isBeaconDatagram,
  senderBytes,
} from "../../lib/wire/tunnel.ts";
import { fuzz } from "./fuzz.ts";
import { vectors } from "./vectors.ts";

const syn = "11010000000000000001000000000002c00003e800000000000000000200145ed874";
const exchangeKey = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c";
const identityKey = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";
const signature = "9fac4573421e513db99105e9f96563d6f6e4fb49d6722fa4b6a465b33a3e87b3" +
  "467ef0f0f2c27d7b3c981c3b280b015b57924d8235e942104d318dbcaf099b06";
const ciphertext = "3c93f9dfec1f9e13551dcb2597caac7e900a8a2d7d7453bbc2a52ff57cdf4958" +
  "78a1afb85f5163e4cb6d9ea54e8ec4338cc4";

const pila = `50494c41 00000001 ${exchangeKey} ${identityKey} ${signature}`;
const pils = `50494c53 00000001 a1b2c3d4 0000000000000001 ${ciphertext}`;
const pilk = `50494c4b 00000001 ${exchangeKey}`;

function encode(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case "sealed":
      return encodeSealed(frame);
    case "plain":
      return encodePlain(frame.packet);
    case "authenticated":
      return encodeAuthenticated(frame);
    case "unauthenticated":
      return encodeUnauthenticated(frame);
    case "punch":
      return encodePunch(frame.trailer);
  }
}

Deno.test("tunnel: published examples both ways", () => {
  const examples: readonly [string, Frame][] = [
    [pila, {
      kind: "authenticated",
      sender: 1,
      exchangeKey: fromHex(exchangeKey),
      identityKey: fromHex(identityKey),
      signature: fromHex(signature),
      trailer: new Uint8Array(0),
      signed: fromHex(`61757468 00000001 ${exchangeKey}`),
    }],
    [pils, {
      kind: "sealed",
      sender: 1,
      nonce: fromHex("a1b2c3d4 0000000000000001"),
      ciphertext: fromHex(ciphertext),
    }],
    [pilk, { kind: "unauthenticated", sender: 1, exchangeKey: fromHex(exchangeKey) }],
    [`50494c54 ${syn}`, { kind: "plain", packet: fromHex(syn) }],
    ["50494c50", { kind: "punch", trailer: new Uint8Array(0) }],
  ];
  for (const [hex, frame] of examples) {
    assertEquals(decodeFrame(fromHex(hex)), frame);
    assertEquals(toHex(encode(frame)), toHex(fromHex(hex)));
  }
  assertEquals(fromHex(pila).length, 136);
  assertEquals(fromHex(pils).length, 70);
});

Deno.test("tunnel: vectors of the key exchange and of sealed frames", () => {
  const { key_exchange: exchange, sealed } = vectors;
  const authenticated = decodeFrame(fromHex(exchange.pila));
  assert(typeof authenticated === "object" && authenticated.kind === "authenticated");
  assertEquals(authenticated.sender, exchange.node_id);
  assertEquals(toHex(authenticated.exchangeKey), exchange.x25519_public_a);
  assertEquals(toHex(authenticated.identityKey), exchange.ed25519_public);
  assertEquals(toHex(authenticated.signed), exchange.signed_bytes);
  assertEquals(toHex(encode(authenticated)), exchange.pila);
  const key = fromHex(exchange.x25519_public_a);
  assertEquals(toHex(exchangeSignedBytes(exchange.node_id, key)), exchange.signed_bytes);
  assertEquals(
    toHex(encodeUnauthenticated({ sender: exchange.node_id, exchangeKey: key })),
    exchange.pilk,
  );
  for (const { frame: hex, nonce } of sealed) {
    const frame = decodeFrame(fromHex(hex));
    assert(typeof frame === "object" && frame.kind === "sealed");
    assertEquals(toHex(frame.nonce), nonce);
    assertEquals(toHex(encode(frame)), hex);
  }
});

Deno.test("tunnel: trailers", () => {
  const trailer = Uint8Array.of(1, 2, 3);
  const authenticated = decodeFrame(concatBytes(fromHex(pila), trailer));
  assert(typeof authenticated === "object" && authenticated.kind === "authenticated");
  assertEquals(authenticated.trailer, trailer);
  assertEquals(encode(authenticated).length, 139);
  assertEquals(decodeFrame(encodePunch(trailer)), { kind: "punch", trailer });
  assertEquals(decodeFrame(fromHex(`${pilk} ff`)), decodeFrame(fromHex(pilk)));
});

Deno.test("tunnel: the signed bytes are a copy", () => {
  const data = fromHex(pila);
  const frame = decodeFrame(data);
  assert(typeof frame === "object" && frame.kind === "authenticated");
  data.fill(0);
  assertEquals(frame.signed, fromHex(`61757468 00000001 ${exchangeKey}`));
});

Deno.test("tunnel: unknown magics", () => {
  for (const hex of ["50494c46", "50494c55 00", "47455420", "70696c74"]) {
    assertEquals(decodeFrame(fromHex(hex)), "magic");
  }
});

Deno.test("tunnel: beacon datagrams are told by the first byte", () => {
  assert(isBeaconDatagram(fromHex("00")));
  assert(isBeaconDatagram(fromHex("0fffffff")));
  assert(!isBeaconDatagram(fromHex("10")));
  assert(!isBeaconDatagram(fromHex("50494c50")));
  assert(!isBeaconDatagram(new Uint8Array(0)));
});

Deno.test("tunnel: the sender as associated data", () => {
  assertEquals(toHex(senderBytes(0x00a3f291)), "00a3f291");
  assertEquals(toHex(senderBytes(0xffffffff)), "ffffffff");
  assertThrows(() => senderBytes(-1), RangeError);
});

Deno.test("tunnel: a field that does not fit is misuse", () => {
  const key = new Uint8Array(32);
  const good = { sender: 1, exchangeKey: key, identityKey: key, signature: new Uint8Array(64) };
  assertEquals(encodeAuthenticated(good).length, 136);
  assertThrows(() => encodeAuthenticated({ ...good, sender: 2 ** 32 }), RangeError);
  assertThrows(() => encodeAuthenticated({ ...good, exchangeKey: new Uint8Array(31) }), RangeError);
  assertThrows(() => encodeAuthenticated({ ...good, identityKey: new Uint8Array(33) }), RangeError);
  assertThrows(() => encodeAuthenticated({ ...good, signature: new Uint8Array(63) }), RangeError);
  assertThrows(() => encodeUnauthenticated({ sender: 1, exchangeKey: new Uint8Array(0) }), RangeError);
  const tag = new Uint8Array(16);
  assertThrows(() => encodeSealed({ sender: 1, nonce: new Uint8Array(11), ciphertext: tag }), RangeError);
  assertThrows(
    () => encodeSealed({ sender: 1, nonce: new Uint8Array(12), ciphertext: tag.subarray(1) }),
    RangeError,
  );
});

Deno.test("tunnel: maltreated input", () => {
  fuzz(decodeFrame, {
    valid: [pila, pils, pilk, `50494c54 ${syn}`, "50494c50"].map(fromHex),
    shortest: (frame) => toHex(frame).startsWith("50494c53") ? 36 : frame.length,
    check(input) {
      const frame = decodeFrame(input);
      assert(typeof frame === "object");
      const bytes = encode(frame);
      assertEquals(toHex(bytes), toHex(input.subarray(0, bytes.length)));
      assert(bytes.length === input.length || frame.kind === "unauthenticated");
    },
  });
});
