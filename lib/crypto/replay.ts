/**
 * Replay protection in the manner of RFC 6479: a ring of bits with the counters seen, one for each nonce prefix.
 *
 * A peer may start again at 1 under a new prefix at any time, so prefixes must never be forgotten while the key is in
 * use: what was sent under a forgotten one could be replayed.
 *
 * Counters have 64 bits and come as two numbers of 32, the high and the low half: nothing here makes a bigint.
 */

import { requireLength } from "../wire/uint.ts";

/**
 * Counters behind the highest one that are still accepted: at 1 Gbit/s the last 80 ms of full datagrams, whatever way
 * they took. With the word that RFC 6479 section 2 keeps free, the ring has 8,192 bits.
 */
const DEFAULT_WINDOW = 8160;

/** Prefixes under one key before a new key is needed. */
const DEFAULT_PREFIXES = 4096;

const NONCE_SIZE = 12;
const WORD_BITS = 32;
const HALF = 2 ** 32;

/** What a window says of a counter: new, seen before, or too old to tell. */
export type Verdict = "fresh" | "replay" | "old";

/** Counters of one sender: which were seen among the last `size`. */
export class ReplayWindow {
  readonly #size: number;
  /** A power of two of words, so that a word's place follows from the low half of a counter alone. */
  readonly #ring: Uint32Array;
  readonly #mask: number;
  #high = 0;
  #low = -1;

  /** @throws RangeError when `size` is not a positive multiple of 32 up to 2^20 */
  constructor(size: number = DEFAULT_WINDOW) {
    if (!Number.isInteger(size) || size <= 0 || size > 2 ** 20 || size % WORD_BITS !== 0) {
      throw new RangeError("the window must be a positive multiple of 32 up to 2^20");
    }
    this.#size = size;
    // One word more than the window, so that whole words can be cleared (RFC 6479 section 2).
    const words = 2 ** Math.ceil(Math.log2(size / WORD_BITS + 1));
    this.#ring = new Uint32Array(words);
    this.#mask = words - 1;
  }

  /** Judges the counter with these halves. Changes nothing. */
  judge(high: number, low: number): Verdict {
    const ahead = this.#ahead(high, low);
    if (ahead > 0) return "fresh";
    if (-ahead >= this.#size) return "old";
    const word = this.#ring[(low >>> 5) & this.#mask] ?? 0;
    return (word & (1 << (low & 31))) === 0 ? "fresh" : "replay";
  }

  /** Remembers a counter. Only for messages that proved to be genuine. */
  mark(high: number, low: number): void {
    const ahead = this.#ahead(high, low);
    if (ahead > 0) this.#advance(high, low);
    else if (-ahead >= this.#size) return;
    const place = (low >>> 5) & this.#mask;
    this.#ring[place] = (this.#ring[place] ?? 0) | (1 << (low & 31));
  }

  /** How far a counter is ahead of the highest. Exact where it matters: up to 2^53, far beyond any window. */
  #ahead(high: number, low: number): number {
    return (high - this.#high) * HALF + (low - this.#low);
  }

  /** Makes a counter the highest and clears the words between. */
  #advance(high: number, low: number): void {
    const words = (high - this.#high) * (HALF / WORD_BITS) + Math.floor(low / WORD_BITS) -
      Math.floor(this.#low / WORD_BITS);
    if (words > this.#mask) this.#ring.fill(0);
    else {
      const last = low >>> 5;
      for (let back = 0; back < words; back++) this.#ring[(last - back) & this.#mask] = 0;
    }
    this.#high = high;
    this.#low = low;
  }
}

/** One {@linkcode ReplayWindow} for each nonce prefix under one key. */
export class ReplayWindows {
  readonly #maxPrefixes: number;
  readonly #windowSize: number;
  readonly #windows = new Map<number, ReplayWindow>();
  /** The window used last: traffic of one sender stays under one prefix. */
  #recent: ReplayWindow | undefined;
  #recentPrefix = -1;

  /** `maxPrefixes` bounds the memory; `windowSize` is that of each window, in counters. */
  constructor(options: { readonly maxPrefixes?: number; readonly windowSize?: number } = {}) {
    this.#maxPrefixes = options.maxPrefixes ?? DEFAULT_PREFIXES;
    this.#windowSize = options.windowSize ?? DEFAULT_WINDOW;
  }

  /** Number of prefixes seen. */
  get prefixes(): number {
    return this.#windows.size;
  }

  /**
   * What to do with a message under this 12-byte nonce; only `"fresh"` ones may be used. Changes nothing.
   * `"prefixes-exhausted"` calls for a new key.
   *
   * @throws RangeError when the nonce is not 12 bytes
   */
  judge(nonce: Uint8Array): Verdict | "prefixes-exhausted" {
    requireLength("nonce", nonce, NONCE_SIZE);
    const window = this.#find(readWord(nonce, 0));
    if (window !== undefined) return window.judge(readWord(nonce, 4), readWord(nonce, 8));
    return this.#windows.size < this.#maxPrefixes ? "fresh" : "prefixes-exhausted";
  }

  /**
   * Remembers a nonce that was judged fresh and whose message decrypted.
   *
   * @throws RangeError when it is not 12 bytes, or would take more prefixes than allowed
   */
  mark(nonce: Uint8Array): void {
    requireLength("nonce", nonce, NONCE_SIZE);
    const prefix = readWord(nonce, 0);
    let window = this.#find(prefix);
    if (window === undefined) {
      if (this.#windows.size >= this.#maxPrefixes) {
        throw new RangeError("too many nonce prefixes under one key");
      }
      window = new ReplayWindow(this.#windowSize);
      this.#windows.set(prefix, window);
    }
    window.mark(readWord(nonce, 4), readWord(nonce, 8));
    this.#recent = window;
    this.#recentPrefix = prefix;
  }

  #find(prefix: number): ReplayWindow | undefined {
    return prefix === this.#recentPrefix ? this.#recent : this.#windows.get(prefix);
  }
}

function readWord(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) * 2 ** 24 + ((bytes[offset + 1] ?? 0) << 16 | (bytes[offset + 2] ?? 0) << 8 |
    (bytes[offset + 3] ?? 0))) >>> 0;
}
