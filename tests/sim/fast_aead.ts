/**
 * An authenticated cipher for simulations of many packets: it refuses altered bytes and wrong keys as a real one does,
 * takes a fraction of the time, and keeps nothing secret.
 */

import { type Aead, type AeadProvider, InPlaceAead, TAG_SIZE } from "../../lib/crypto/aead.ts";

/** Makes ciphers that are fast and worthless. */
export const fastAead: AeadProvider = { name: "fast", create: (key) => new FastAead(key) };

class FastAead extends InPlaceAead implements Aead {
  readonly #seed: number;

  constructor(key: Uint8Array) {
    super();
    this.#seed = mix(0x811c9dc5, key, 0, key.length);
  }

  sealInto(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, target: Uint8Array): void {
    const { length } = plaintext;
    if (target.length < length + TAG_SIZE) throw new RangeError("no room for the tag");
    const mask = mix(this.#seed, nonce, 0, nonce.length) & 0xff;
    for (let index = 0; index < length; index++) target[index] = (plaintext[index] ?? 0) ^ mask;
    this.#tag(nonce, aad, target, length).forEach((byte, index) => target[length + index] = byte);
  }

  openInto(nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array, target: Uint8Array): boolean {
    const length = ciphertext.length - TAG_SIZE;
    if (length < 0) return false;
    if (target.length < length) throw new RangeError("no room for the plaintext");
    const tag = this.#tag(nonce, aad, ciphertext, length);
    for (let index = 0; index < TAG_SIZE; index++) {
      if (ciphertext[length + index] !== tag[index]) return false;
    }
    const mask = mix(this.#seed, nonce, 0, nonce.length) & 0xff;
    for (let index = 0; index < length; index++) target[index] = (ciphertext[index] ?? 0) ^ mask;
    return true;
  }

  #tag(nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array, length: number): Uint8Array {
    const tag = new Uint8Array(TAG_SIZE);
    const view = new DataView(tag.buffer);
    let state = mix(mix(this.#seed, nonce, 0, nonce.length), aad, 0, aad.length);
    state = mix(state, ciphertext, 0, length);
    for (let offset = 0; offset < TAG_SIZE; offset += 4) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) ^ offset;
      view.setUint32(offset, state >>> 0);
    }
    return tag;
  }
}

/** FNV-1a (RFC 9923) over a range of bytes. */
function mix(state: number, bytes: Uint8Array, start: number, end: number): number {
  for (let index = start; index < end; index++) state = Math.imul(state ^ (bytes[index] ?? 0), 0x01000193);
  return state ^ (state >>> 13);
}
