/**
 * Replay protection in the manner of RFC 6479: a sliding bit map of the counters seen, one for each nonce prefix.
 *
 * A peer may start again at 1 under a new prefix at any time, so prefixes must never be forgotten while the key is in
 * use: what was sent under a forgotten one could be replayed.
 */

import { viewOf } from "../wire/uint.ts";

/** Counters behind the highest one that are still accepted. */
const DEFAULT_WINDOW = 1024;

/** Prefixes under one key before a new key is needed. */
const DEFAULT_PREFIXES = 4096;

/** Counters of one sender: which were seen among the last `size`. */
export class ReplayWindow {
  readonly #size: bigint;
  readonly #bits: Uint32Array;
  #highest = -1n;

  /** @throws RangeError when `size` is not a positive multiple of 32 */
  constructor(size: number = DEFAULT_WINDOW) {
    if (!Number.isInteger(size) || size <= 0 || size % 32 !== 0) {
      throw new RangeError("the window must be a positive multiple of 32");
    }
    this.#size = BigInt(size);
    this.#bits = new Uint32Array(size / 32);
  }

  /** Whether a counter is new and not too old. Changes nothing. */
  accepts(counter: bigint): boolean {
    return this.judge(counter) === "fresh";
  }

  /** Whether a counter is new, was seen, or is too old to tell. Changes nothing. */
  judge(counter: bigint): "fresh" | "replay" | "old" {
    if (counter > this.#highest) return "fresh";
    if (this.#highest - counter >= this.#size) return "old";
    const { word, bit } = this.#place(counter);
    return ((this.#bits[word] ?? 0) & bit) === 0 ? "fresh" : "replay";
  }

  /** Remembers a counter. Only for messages that proved to be genuine. */
  mark(counter: bigint): void {
    if (counter > this.#highest) {
      this.#advance(counter);
    } else if (this.#highest - counter >= this.#size) return;
    const { word, bit } = this.#place(counter);
    this.#bits[word] = (this.#bits[word] ?? 0) | bit;
  }

  /** Makes `counter` the highest and clears the places of those skipped. */
  #advance(counter: bigint): void {
    if (counter - this.#highest >= this.#size) {
      this.#bits.fill(0);
    } else {
      for (let skipped = this.#highest + 1n; skipped <= counter; skipped++) {
        const { word, bit } = this.#place(skipped);
        this.#bits[word] = (this.#bits[word] ?? 0) & ~bit;
      }
    }
    this.#highest = counter;
  }

  #place(counter: bigint): { readonly word: number; readonly bit: number } {
    const index = Number(counter % this.#size);
    return { word: index >>> 5, bit: 1 << (index & 31) };
  }
}

/** One {@linkcode ReplayWindow} for each nonce prefix under one key. */
export class ReplayWindows {
  readonly #maxPrefixes: number;
  readonly #windowSize: number;
  readonly #windows = new Map<number, ReplayWindow>();

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
   */
  judge(nonce: Uint8Array): "fresh" | "replay" | "old" | "prefixes-exhausted" {
    const { prefix, counter } = split(nonce);
    const window = this.#windows.get(prefix);
    if (window !== undefined) return window.judge(counter);
    return this.#windows.size < this.#maxPrefixes ? "fresh" : "prefixes-exhausted";
  }

  /**
   * Remembers a nonce that was judged fresh and whose message decrypted.
   *
   * @throws RangeError when it would take more prefixes than allowed
   */
  mark(nonce: Uint8Array): void {
    const { prefix, counter } = split(nonce);
    let window = this.#windows.get(prefix);
    if (window === undefined) {
      if (this.#windows.size >= this.#maxPrefixes) {
        throw new RangeError("too many nonce prefixes under one key");
      }
      window = new ReplayWindow(this.#windowSize);
      this.#windows.set(prefix, window);
    }
    window.mark(counter);
  }
}

function split(nonce: Uint8Array): { readonly prefix: number; readonly counter: bigint } {
  const view = viewOf(nonce);
  return { prefix: view.getUint32(0), counter: view.getBigUint64(4) };
}
