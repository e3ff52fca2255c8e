/** The same tests for every provider of AES-256-GCM; one that this computer does not have is skipped. */

import { assert, assertEquals, assertThrows } from "../assert.ts";
import { type AeadProvider, nobleAead, SealingKey, TAG_SIZE } from "../../lib/crypto/aead.ts";
import { nodeAead } from "../../lib/io/node_aead.ts";
import { openSslAead } from "../../lib/io/openssl.ts";
import { decodePacket } from "../../lib/wire/packet.ts";
import { concatBytes, encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { decodeFrame, encodeSealed, senderBytes } from "../../lib/wire/tunnel.ts";
import { SeededRandom } from "../sim/random.ts";
import { vectors } from "../wire/vectors.ts";

const none = new Uint8Array(0);
const TAG = TAG_SIZE;

const PROVIDERS: readonly [string, AeadProvider | undefined][] = [
  ["noble", nobleAead],
  ["node", nodeAead],
  ["openssl", openSslAead()],
];

/** Registers one test for each provider. */
function test(name: string, check: (provider: AeadProvider) => void | Promise<void>): void {
  for (const [label, provider] of PROVIDERS) {
    const ignore = provider === undefined;
    Deno.test({ name: `aead ${label}: ${name}`, ignore, fn: () => check(provider ?? nobleAead) });
  }
}

test("vectors, both dialects", (provider) => {
  assertEquals(vectors.sealed.length, 2);
  for (const { aad, frame: hex, key, nonce, plaintext, dialect } of vectors.sealed) {
    const aead = provider.create(fromHex(key));
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

test("published tunnel frames", (provider) => {
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
    const sealing = new SealingKey(provider.create(key), { prefix: fromHex(prefix), counter: 1n });
    assertEquals(toHex(encodeSealed({ sender, ...sealing.seal(packet, none) })), hex);
  }
});

test("published secure channel records", (provider) => {
  const key = fromHex("FCEEC3B9F3B38F657E6666F147DD479DE04819C6A45D86DA355620A43A3772E0");
  const client = new SealingKey(provider.create(key), { prefix: fromHex("00000002"), counter: 1n });
  const server = new SealingKey(provider.create(key), { prefix: fromHex("00000001"), counter: 1n });
  const record = (sealing: SealingKey, text: string) => {
    const { nonce, ciphertext } = sealing.seal(encodeUtf8(text), none);
    return toHex(concatBytes(nonce, ciphertext)).toUpperCase();
  };
  assertEquals(record(client, "hello"), "0000000200000000000000015C1D7918B3FA98D0CDB66F4E6173F01481B305AA4B");
  assertEquals(record(server, "hi"), "00000001000000000000000187A8A19F0B4737D14983C1BC8491B0DCF2C3");
  assertEquals(record(client, ""), "0000000200000000000000025B0E892032E336BA5BB6E866DD562F7F");
});

test("agrees with the platform's AES-256-GCM", async (provider) => {
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
    const sealed = provider.create(key).seal(iv, plaintext, additionalData);
    assertEquals(toHex(sealed), toHex(new Uint8Array(expected)), `seed 101 round ${round}`);
  }
});

test("anything altered does not open, nothing throws, nothing is written to", (provider) => {
  const random = new SeededRandom(102);
  const key = random.bytes(new Uint8Array(32));
  const aead = provider.create(key);
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
  assertEquals(provider.create(new Uint8Array(32)).open(nonce, sealed, aad), undefined);
  assertEquals([key, nonce, aad, plaintext], copies);
});

test("the key is copied and has 32 bytes", (provider) => {
  const key = new Uint8Array(32).fill(1);
  const aead = provider.create(key);
  const nonce = new Uint8Array(12);
  const before = aead.seal(nonce, none, none);
  key.fill(2);
  assertEquals(aead.seal(nonce, none, none), before);
  assertThrows(() => provider.create(new Uint8Array(16)), RangeError);
});

test("the published test cases of GCM with 256-bit keys", (provider) => {
  const zeros = "00".repeat(32);
  const key = "feffe9928665731c6d6a8f9467308308".repeat(2);
  const iv = "cafebabefacedbaddecaf888";
  const text =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525" +
    "b16aedf5aa0de657ba637b391aafd255";
  const sealed =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838" +
    "c5f61e6393ba7a0abcc9f662898015ad";
  const aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
  const cases: readonly (readonly [string, string, string, string, string])[] = [
    [zeros, "00".repeat(12), "", "", "530f8afbc74536b9a963b4f1c4cb738b"],
    [
      zeros,
      "00".repeat(12),
      "00".repeat(16),
      "",
      "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ],
    [key, iv, text, "", sealed + "b094dac5d93471bdec1a502270e3cc6c"],
    [key, iv, text.slice(0, 120), aad, sealed.slice(0, 120) + "76fc6ece0f4e1768cddf8853bb2d551b"],
  ];
  for (const [k, nonce, plaintext, data, expected] of cases) {
    const aead = provider.create(fromHex(k));
    assertEquals(toHex(aead.seal(fromHex(nonce), fromHex(plaintext), fromHex(data))), expected);
    const opened = aead.open(fromHex(nonce), fromHex(expected), fromHex(data));
    assert(opened !== undefined);
    assertEquals(toHex(opened), plaintext);
  }
});

test("in place and into another array, at every size and alignment", (provider) => {
  const random = new SeededRandom(103);
  const key = random.bytes(new Uint8Array(32));
  const aead = provider.create(key);
  const reference = nobleAead.create(key);
  for (let size = 0; size < 70; size++) {
    const nonce = random.bytes(new Uint8Array(12));
    const aad = random.bytes(new Uint8Array(size % 3 === 0 ? 0 : 4));
    const plaintext = random.bytes(new Uint8Array(size));
    const expected = toHex(reference.seal(nonce, plaintext, aad));
    const start = random.int(9);
    const frame = new Uint8Array(start + size + TAG + 5).fill(0xee);
    const margins = () => toHex(frame.subarray(0, start)) + toHex(frame.subarray(start + size + TAG));
    const untouched = margins();
    frame.set(plaintext, start);
    aead.sealInto(nonce, frame.subarray(start, start + size), aad, frame.subarray(start));
    const ciphertext = frame.subarray(start, start + size + TAG);
    assertEquals(toHex(ciphertext), expected, `size ${size}`);

    const apart = new Uint8Array(size + 2).fill(0xee);
    assert(aead.openInto(nonce, ciphertext, aad, apart));
    assertEquals(toHex(apart), toHex(plaintext) + "eeee");
    assertEquals(toHex(ciphertext), expected);
    assert(aead.openInto(nonce, ciphertext, aad, ciphertext));
    assertEquals(toHex(ciphertext.subarray(0, size)), toHex(plaintext));
    assertEquals(margins(), untouched);
  }
});

test("a wrong tag leaves no plaintext behind, and the key goes on working", (provider) => {
  const aead = provider.create(new Uint8Array(32).fill(9));
  const nonce = new Uint8Array(12).fill(1);
  const plaintext = new Uint8Array(100).fill(0x41);
  const sealed = aead.seal(nonce, plaintext, none);
  for (let round = 0; round < 100; round++) {
    const forged = sealed.slice();
    const last = forged.length - 1 - (round % TAG);
    forged[last] = (forged[last] ?? 0) ^ (1 + round);
    const target = new Uint8Array(100).fill(0xee);
    assert(!aead.openInto(nonce, forged, none, target));
    assert(!target.includes(0x41));
    assert(!aead.openInto(nonce, forged, none, forged));
    assert(!forged.subarray(0, 80).includes(0x41, 40));
    assertEquals(aead.open(nonce, sealed, none), plaintext);
  }
  for (let size = 0; size < TAG; size++) {
    assert(!aead.openInto(nonce, new Uint8Array(size), none, new Uint8Array(0)));
    assertEquals(aead.open(nonce, new Uint8Array(size), none), undefined);
  }
});

test("arrays of a wrong size are refused before anything is written", (provider) => {
  const aead = provider.create(new Uint8Array(32));
  const nonce = new Uint8Array(12);
  const text = new Uint8Array(20).fill(1);
  const short = new Uint8Array(35);
  assertThrows(() => aead.sealInto(nonce, text, none, short), RangeError);
  assertEquals(short, new Uint8Array(35));
  for (const size of [0, 8, 11, 13, 16]) {
    assertThrows(() => aead.seal(new Uint8Array(size), text, none), RangeError);
    assertThrows(() => aead.open(new Uint8Array(size), new Uint8Array(36), none), RangeError);
  }
  const sealed = aead.seal(nonce, text, none);
  assertThrows(() => aead.openInto(nonce, sealed, none, new Uint8Array(19)), RangeError);
});

test("many keys at once do not mix", (provider) => {
  const aeads = Array.from({ length: 50 }, (_, i) => provider.create(new Uint8Array(32).fill(i)));
  const nonce = new Uint8Array(12);
  const text = encodeUtf8("whose is it?");
  const sealed = aeads.map((aead) => aead.seal(nonce, text, none));
  assertEquals(new Set(sealed.map(toHex)).size, 50);
  sealed.forEach((ciphertext, i) => {
    assertEquals(aeads[i]?.open(nonce, ciphertext, none), text);
    assertEquals(aeads[(i + 1) % 50]?.open(nonce, ciphertext, none), undefined);
  });
});
