import { assert, assertEquals, assertNotEquals, assertThrows } from "../assert.ts";
import { InPlaceAead, nobleAead, SealingKey } from "../../lib/crypto/aead.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";

const none = new Uint8Array(0);

/** Remembers the nonces and encrypts nothing. */
class RecordingAead extends InPlaceAead {
  readonly nonces: string[] = [];
  failing = false;

  override sealInto(nonce: Uint8Array, plaintext: Uint8Array, _: Uint8Array, target: Uint8Array): void {
    this.nonces.push(toHex(nonce));
    if (this.failing) throw new Error("hardware on fire");
    target.set(plaintext);
  }

  override openInto(): boolean {
    return false;
  }
}

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

Deno.test("sealing key: in place, the nonce and the ciphertext lie where the frame wants them", () => {
  const key = new Uint8Array(32).fill(7);
  const options = { prefix: fromHex("01020304"), counter: 0xffff_ffffn };
  const plain = new SealingKey(nobleAead.create(key), options);
  const placed = new SealingKey(nobleAead.create(key), options);
  const aad = fromHex("00000001");
  for (let size = 0; size < 40; size++) {
    const text = new Uint8Array(size).fill(size);
    const { nonce, ciphertext } = plain.seal(text, aad);
    const target = new Uint8Array(8 + 12 + size + 16 + 3).fill(0xee);
    target.set(text, 20);
    placed.sealInto(target.subarray(20, 20 + size), aad, target, 8);
    assertEquals(toHex(target), "ee".repeat(8) + toHex(nonce) + toHex(ciphertext) + "eeeeee");
  }
  assertEquals(placed.sealed, 40);
});

Deno.test("sealing key: a target without room costs no nonce and stays as it was", () => {
  const aead = new RecordingAead();
  const key = new SealingKey(aead, { prefix: fromHex("00000001"), counter: 1n });
  const target = new Uint8Array(40);
  for (const offset of [-1, 3, NaN]) {
    assertThrows(() => key.sealInto(new Uint8Array(10), none, target, offset), RangeError);
  }
  assertEquals(target, new Uint8Array(40));
  assertEquals([key.sealed, aead.nonces.length], [0, 0]);
  key.sealInto(new Uint8Array(10), none, target, 2);
  assertEquals(aead.nonces, ["000000010000000000000001"]);
});
