/** Authenticated encryption: AES-256-GCM behind an interface, and a sending key whose nonces cannot repeat. */

import { gcm } from "@noble/ciphers/aes.js";
import { concatBytes } from "../wire/bytes.ts";
import { requireLength, viewOf } from "../wire/uint.ts";

const PREFIX_SIZE = 4;
const TAG_SIZE = 16;
const LAST_COUNTER = 2n ** 64n - 1n;

/** AES-256-GCM with one key: 12-byte nonces, a 16-byte tag at the end of the ciphertext. */
export interface Aead {
  /** Ciphertext and tag. The caller must never pass a nonce twice; {@linkcode SealingKey} takes care of that. */
  seal(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  /** The plaintext, `undefined` when anything was altered. */
  open(nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | undefined;
}

/** An implementation of {@linkcode Aead}. */
export interface AeadProvider {
  readonly name: string;
  /** `key` is 32 bytes and copied. */
  create(key: Uint8Array): Aead;
}

/** The implementation that works everywhere. */
export const nobleAead: AeadProvider = {
  name: "noble",
  create(key: Uint8Array): Aead {
    requireLength("key", key, 32);
    const ownKey = key.slice();
    return {
      seal: (nonce, plaintext, aad) => gcm(ownKey, nonce, aad).encrypt(plaintext),
      open(nonce, ciphertext, aad) {
        if (ciphertext.length < TAG_SIZE) return undefined;
        try {
          return gcm(ownKey, nonce, aad).decrypt(ciphertext);
        } catch {
          return undefined;
        }
      },
    };
  },
};

/**
 * A key to send with. The nonce is a prefix of four bytes and a big-endian counter of eight; the counter only grows,
 * so one instance never repeats a nonce. Two instances with one key must have different prefixes.
 */
export class SealingKey {
  readonly #aead: Aead;
  readonly #prefix: Uint8Array;
  #counter: bigint;
  #sealed = 0;

  /** @throws RangeError when the prefix is not four bytes or `counter`, the first to use, not 1 to 2^64-1 */
  constructor(aead: Aead, options: { readonly prefix: Uint8Array; readonly counter: bigint }) {
    requireLength("nonce prefix", options.prefix, PREFIX_SIZE);
    if (options.counter < 1n || options.counter > LAST_COUNTER) {
      throw new RangeError("the first counter must be from 1 to 2^64-1");
    }
    this.#aead = aead;
    this.#prefix = options.prefix.slice();
    this.#counter = options.counter;
  }

  /** Encrypts with the next nonce. @throws RangeError when all counters were used */
  seal(
    plaintext: Uint8Array,
    aad: Uint8Array,
  ): { readonly nonce: Uint8Array; readonly ciphertext: Uint8Array } {
    if (this.exhausted) throw new RangeError("all nonces of this key were used");
    const counter = new Uint8Array(8);
    viewOf(counter).setBigUint64(0, this.#counter);
    const nonce = concatBytes(this.#prefix, counter);
    // Counted before use: a provider that fails half-way must not see this nonce again.
    this.#counter++;
    this.#sealed++;
    return { nonce, ciphertext: this.#aead.seal(nonce, plaintext, aad) };
  }

  /** Number of nonces used. */
  get sealed(): number {
    return this.#sealed;
  }

  /** Whether no counter is left. */
  get exhausted(): boolean {
    return this.#counter > LAST_COUNTER;
  }
}
