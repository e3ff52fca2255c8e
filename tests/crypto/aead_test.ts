import { assert, assertEquals, assertNotEquals, assertThrows } from "../assert.ts";
import { type Aead, nobleAead, SealingKey } from "../../lib/crypto/aead.ts";
import { decodePacket } from "../../lib/wire/packet.ts";
import { concatBytes, encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { decodeFrame, encodeSealed, senderBytes } from "../../lib/wire/tunnel.ts";
import { SeededRandom } from "../sim/random.ts";
import { vectors } from "../wire/vectors.ts";

const none = new Uint8Array(0);

/** Remembers the nonces and encrypts nothing. */
class RecordingAead implements Aead {
  readonly nonces: string[] = [];
  failing = false;

  seal(nonce: Uint8Array, plaintext: Uint8Array): Uint8Array {
    this.nonces.push(toHex(nonce));
    if (this.failing) throw new Error("hardware on fire");
    return plaintext.slice();
  }

  open(): undefined {
    return undefined;
  }
}

Deno.test("aead: vectors, both dialects", () => {
  assertEquals(vectors.sealed.length, 2);
  for (const { aad, frame: hex, key, nonce, plaintext, dialect } of vectors.sealed) {
    const aead = nobleAead.create(fromHex(key));
    const ciphertext = aead.seal(fromHex(nonce), fromHex(plaintext), fromHex(aad));
    const sender = vectors.key_exchange.node_id;
    assertEquals(toHex(encodeSealed({ sender, nonce: fromHex(nonce), ciphertext })), hex, dialect);
    const frame = decodeFrame(fromHex(hex));
    assert(typeof frame === "object" && frame.kind === "sealed");
    const opened = aead.open(frame.nonce, frame.ciphertext, fromHex(aad));
    assert(opened !== undefined);
    assertEquals(toHex(opened), plaintext, dialect);
    assert(typeof decodePacket(opened) === "object");
    if (dialect === "current") assertEquals(senderBytes(frame.sender), fromHex(aad));
  }
});

Deno.test("aead: published tunnel frames", () => {
  const key = fromHex("878581f7ac4432d5fa707b3970f8ac781f1801b028401ee28258ddf8588408e7");
  const syn = fromHex("11010000000000000001000000000002c00003e800000000000000000200145ed874");
  const synAck = fromHex("1301000000000000000200000000000103e8c0000000000000000001020024f40f8e");
  const frames: readonly [number, string, Uint8Array, string][] = [
    [
      1,
      "a1b2c3d4",
      syn,
      "50494c5300000001a1b2c3d400000000000000013c93f9dfec1f9e13551dcb2597caac7e900a8a2d7d7453bbc2a52ff57cdf495878a1afb85f5163e4cb6d9ea54e8ec4338cc4",
    ],
    [
      2,
      "11223344",
      synAck,
      "50494c5300000002112233440000000000000001c5c8d15a4e8ee592e7e484deac2d73d5f99598a701fc03723fa6406c9fd08ba7689804629a155da20a440f2f7a3d9491ceeb",
    ],
  ];
  for (const [sender, prefix, packet, hex] of frames) {
    const sealing = new SealingKey(nobleAead.create(key), { prefix: fromHex(prefix), counter: 1n });
    assertEquals(toHex(encodeSealed({ sender, ...sealing.seal(packet, none) })), hex);
  }
});

Deno.test("aead: published secure channel records", () => {
  const key = fromHex("FCEEC3B9F3B38F657E6666F147DD479DE04819C6A45D86DA355620A43A3772E0");
  const client = new SealingKey(nobleAead.create(key), { prefix: fromHex("00000002"), counter: 1n });
  const server = new SealingKey(nobleAead.create(key), { prefix: fromHex("00000001"), counter: 1n });
  const record = (sealing: SealingKey, text: string) => {
    const { nonce, ciphertext } = sealing.seal(encodeUtf8(text), none);
    return toHex(concatBytes(nonce, ciphertext)).toUpperCase();
  };
  assertEquals(record(client, "hello"), "0000000200000000000000015C1D7918B3FA98D0CDB66F4E6173F01481B305AA4B");
  assertEquals(record(server, "hi"), "00000001000000000000000187A8A19F0B4737D14983C1BC8491B0DCF2C3");
  assertEquals(record(client, ""), "0000000200000000000000025B0E892032E336BA5BB6E866DD562F7F");
});

Deno.test("aead: agrees with the platform's AES-256-GCM", async () => {
  const random = new SeededRandom(101);
  for (let round = 0; round < 20; round++) {
    const key = new Uint8Array(random.bytes(new Uint8Array(32)));
    const iv = new Uint8Array(random.bytes(new Uint8Array(12)));
    const plaintext = new Uint8Array(random.bytes(new Uint8Array(random.int(300))));
    const additionalData = new Uint8Array(random.bytes(new Uint8Array(random.int(20))));
    const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
    const expected = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData },
      imported,
      plaintext,
    );
    const sealed = nobleAead.create(key).seal(iv, plaintext, additionalData);
    assertEquals(toHex(sealed), toHex(new Uint8Array(expected)), `seed 101 round ${round}`);
  }
});

Deno.test("aead: anything altered does not open, nothing throws, nothing is written to", () => {
  const random = new SeededRandom(102);
  const key = random.bytes(new Uint8Array(32));
  const aead = nobleAead.create(key);
  const nonce = random.bytes(new Uint8Array(12));
  const aad = random.bytes(new Uint8Array(4));
  const plaintext = random.bytes(new Uint8Array(40));
  const copies = [key.slice(), nonce.slice(), aad.slice(), plaintext.slice()];
  const sealed = aead.seal(nonce, plaintext, aad);
  assertEquals(aead.open(nonce, sealed, aad), plaintext);
  for (let i = 0; i < sealed.length; i++) {
    const broken = sealed.slice();
    broken[i] = (broken[i] ?? 0) ^ (1 << random.int(8));
    const before = broken.slice();
    assertEquals(aead.open(nonce, broken, aad), undefined, `byte ${i}`);
    assertEquals(broken, before);
    assertEquals(aead.open(nonce, sealed.subarray(0, i), aad), undefined, `cut to ${i}`);
  }
  assertEquals(aead.open(nonce, sealed, none), undefined);
  assertEquals(aead.open(nonce.map((byte) => byte ^ 1), sealed, aad), undefined);
  assertEquals(nobleAead.create(new Uint8Array(32)).open(nonce, sealed, aad), undefined);
  assertEquals([key, nonce, aad, plaintext], copies);
});

Deno.test("aead: the key is copied and has 32 bytes", () => {
  const key = new Uint8Array(32).fill(1);
  const aead = nobleAead.create(key);
  const nonce = new Uint8Array(12);
  const before = aead.seal(nonce, none, none);
  key.fill(2);
  assertEquals(aead.seal(nonce, none, none), before);
  assertThrows(() => nobleAead.create(new Uint8Array(16)), RangeError);
});

Deno.test("sealing key: nonces are prefix and growing counter", () => {
  const aead = new RecordingAead();
  const prefix = fromHex("a1b2c3d4");
  const key = new SealingKey(aead, { prefix, counter: 0xfffffffen });
  prefix.fill(0);
  for (let i = 0; i < 4; i++) {
    const { nonce } = key.seal(none, none);
    nonce.fill(0);
  }
  assertEquals(aead.nonces, [
    "a1b2c3d400000000fffffffe",
    "a1b2c3d400000000ffffffff",
    "a1b2c3d40000000100000000",
    "a1b2c3d40000000100000001",
  ]);
  assertEquals(key.sealed, 4);
});

Deno.test("sealing key: a failing provider does not see a nonce twice", () => {
  const aead = new RecordingAead();
  const key = new SealingKey(aead, { prefix: fromHex("00000001"), counter: 1n });
  aead.failing = true;
  assertThrows(() => key.seal(none, none), Error, "fire");
  aead.failing = false;
  key.seal(none, none);
  assertNotEquals(aead.nonces[0], aead.nonces[1]);
  assertEquals(key.sealed, 2);
});

Deno.test("sealing key: it ends instead of wrapping", () => {
  const aead = new RecordingAead();
  const key = new SealingKey(aead, { prefix: fromHex("00000001"), counter: 2n ** 64n - 2n });
  key.seal(none, none);
  assert(!key.exhausted);
  key.seal(none, none);
  assert(key.exhausted);
  for (let i = 0; i < 3; i++) assertThrows(() => key.seal(none, none), RangeError);
  assertEquals(aead.nonces, ["00000001fffffffffffffffe", "00000001ffffffffffffffff"]);
});

Deno.test("sealing key: misuse", () => {
  const aead = new RecordingAead();
  const prefix = fromHex("00000001");
  assertThrows(() => new SealingKey(aead, { prefix, counter: 0n }), RangeError);
  assertThrows(() => new SealingKey(aead, { prefix, counter: -1n }), RangeError);
  assertThrows(() => new SealingKey(aead, { prefix, counter: 2n ** 64n }), RangeError);
  assertThrows(() => new SealingKey(aead, { prefix: new Uint8Array(3), counter: 1n }), RangeError);
});
