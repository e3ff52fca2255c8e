/** Authenticated encryption: AES-256-GCM behind an interface, and a sending key whose nonces cannot repeat. */

import { gcm } from "@noble/ciphers/aes.js";
import { requireLength } from "../wire/uint.ts";

/** Bytes of a nonce: a prefix of four and a counter of eight (NIST SP 800-38D section 8.2.1). */
export const NONCE_SIZE = 12;
/** Bytes of the tag that ends every ciphertext. */
export const TAG_SIZE = 16;
const KEY_SIZE = 32;
const PREFIX_SIZE = 4;
const LAST_COUNTER = 2n ** 64n - 1n;
const WORD = 2 ** 32;

/** AES-256-GCM with one key: 12-byte nonces, a 16-byte tag at the end of the ciphertext. */
export interface Aead {
  /** Ciphertext and tag. The caller must never pass a nonce twice; {@linkcode SealingKey} takes care of that. */
  seal(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;

  /** The plaintext, `undefined` when anything was altered. */
  open(nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | undefined;

  /**
   * As `seal`, written to the start of `target`. The plaintext may lie at the start of `target` itself (encryption
   * in place); any other overlap is not allowed.
   *
   * @throws RangeError when `target` has less than 16 bytes more than the plaintext
   */
  sealInto(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, target: Uint8Array): void;

  /**
   * As `open`, written to the start of `target`; `false` when anything was altered. The ciphertext may lie at the start
   * of `target` itself (decryption in place); any other overlap is not allowed. After `false`, the bytes where the
   * plaintext would be are undefined, so in place the ciphertext is lost; they never hold unauthenticated plaintext.
   *
   * @throws RangeError when `target` has no room for the plaintext
   */
  openInto(nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array, target: Uint8Array): boolean;
}

/** An implementation of {@linkcode Aead}. */
export interface AeadProvider {
  readonly name: string;
  /** `key` is 32 bytes and copied. */
  create(key: Uint8Array): Aead;
}

/** The parts of {@linkcode Aead} that return arrays, made of those that write into one. */
export abstract class InPlaceAead implements Aead {
  abstract sealInto(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, target: Uint8Array): void;
  abstract openInto(
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    aad: Uint8Array,
    target: Uint8Array,
  ): boolean;

  /** See {@linkcode Aead}. */
  seal(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
    const target = new Uint8Array(plaintext.length + TAG_SIZE);
    this.sealInto(nonce, plaintext, aad, target);
    return target;
  }

  /** See {@linkcode Aead}. */
  open(nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | undefined {
    if (ciphertext.length < TAG_SIZE) return undefined;
    const target = new Uint8Array(ciphertext.length - TAG_SIZE);
    return this.openInto(nonce, ciphertext, aad, target) ? target : undefined;
  }
}

/** Checks the sizes of a call of `sealInto`. @throws RangeError */
export function requireSealSizes(nonce: Uint8Array, plaintext: Uint8Array, target: Uint8Array): void {
  requireLength("nonce", nonce, NONCE_SIZE);
  requireRoom(target, plaintext.length + TAG_SIZE);
}

/** Checks the sizes of a call of `openInto` with a ciphertext that has a tag. @throws RangeError */
export function requireOpenSizes(nonce: Uint8Array, ciphertext: Uint8Array, target: Uint8Array): void {
  requireLength("nonce", nonce, NONCE_SIZE);
  requireRoom(target, ciphertext.length - TAG_SIZE);
}

/** Checks the size of a key. @throws RangeError */
export function requireKeySize(key: Uint8Array): void {
  requireLength("key", key, KEY_SIZE);
}

function requireRoom(target: Uint8Array, size: number): void {
  if (target.length < size) throw new RangeError(`target must have ${size} bytes, not ${target.length}`);
}

/** The implementation that works everywhere. */
export const nobleAead: AeadProvider = {
  name: "noble",
  create(key: Uint8Array): Aead {
    requireKeySize(key);
    return new NobleAead(key.slice());
  },
};

class NobleAead extends InPlaceAead {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    super();
    this.#key = key;
  }

  override sealInto(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, target: Uint8Array): void {
    requireSealSizes(nonce, plaintext, target);
    target.set(gcm(this.#key, nonce, aad).encrypt(plaintext));
  }

  override openInto(
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    aad: Uint8Array,
    target: Uint8Array,
  ): boolean {
    if (ciphertext.length < TAG_SIZE) return false;
    requireOpenSizes(nonce, ciphertext, target);
    const cipher = gcm(this.#key, nonce, aad);
    try {
      target.set(cipher.decrypt(ciphertext));
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * A key to send with. The nonce is a prefix of four bytes and a big-endian counter of eight; the counter only grows,
 * so one instance never repeats a nonce. Two instances with one key must have different prefixes.
 */
export class SealingKey {
  readonly #aead: Aead;
  /** The nonce to use next: the prefix stays, the counter is written when it is used. */
  readonly #nonce = new Uint8Array(NONCE_SIZE);
  /** The next counter in two words, as numbers of 32 bits; `#high` is 2^32 when none is left. */
  #high: number;
  #low: number;
  #sealed = 0;

  /** @throws RangeError when the prefix is not four bytes or `counter`, the first to use, not 1 to 2^64-1 */
  constructor(aead: Aead, options: { readonly prefix: Uint8Array; readonly counter: bigint }) {
    requireLength("nonce prefix", options.prefix, PREFIX_SIZE);
    if (options.counter < 1n || options.counter > LAST_COUNTER) {
      throw new RangeError("the first counter must be from 1 to 2^64-1");
    }
    this.#aead = aead;
    this.#nonce.set(options.prefix);
    this.#high = Number(options.counter >> 32n);
    this.#low = Number(options.counter & 0xffff_ffffn);
  }

  /** Encrypts with the next nonce. @throws RangeError when all counters were used */
  seal(
    plaintext: Uint8Array,
    aad: Uint8Array,
  ): { readonly nonce: Uint8Array; readonly ciphertext: Uint8Array } {
    this.#advance();
    const nonce = this.#nonce.slice();
    return { nonce, ciphertext: this.#aead.seal(nonce, plaintext, aad) };
  }

  /**
   * Encrypts with the next nonce, and writes the nonce (12 bytes) at `offset` of `target`, ciphertext and tag behind
   * it. The plaintext may lie at `offset + 12` of `target` itself; any other overlap is not allowed.
   *
   * @throws RangeError when `target` is too short, or all counters were used
   */
  sealInto(plaintext: Uint8Array, aad: Uint8Array, target: Uint8Array, offset: number): void {
    const start = offset + NONCE_SIZE;
    // Before the counter moves and the nonce is written: a wrong call changes nothing.
    if (!(offset >= 0 && start + plaintext.length + TAG_SIZE <= target.length)) {
      throw new RangeError("target has no room for nonce, ciphertext and tag");
    }
    this.#advance();
    target.set(this.#nonce, offset);
    this.#aead.sealInto(this.#nonce, plaintext, aad, target.subarray(start));
  }

  /** Number of nonces used. */
  get sealed(): number {
    return this.#sealed;
  }

  /** Whether no counter is left. */
  get exhausted(): boolean {
    return this.#high === WORD;
  }

  /** Writes the counter and counts it as used: a provider that fails half-way must not see this nonce again. */
  #advance(): void {
    if (this.#high === WORD) throw new RangeError("all nonces of this key were used");
    writeWord(this.#nonce, 4, this.#high);
    writeWord(this.#nonce, 8, this.#low);
    this.#sealed++;
    this.#low++;
    if (this.#low < WORD) return;
    this.#low = 0;
    this.#high++;
  }
}

function writeWord(target: Uint8Array, offset: number, word: number): void {
  target[offset] = word >>> 24;
  target[offset + 1] = word >>> 16;
  target[offset + 2] = word >>> 8;
  target[offset + 3] = word;
}
