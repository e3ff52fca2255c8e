/**
 * Gives memory back to the system after busy times. The C library of Linux keeps what was freed for the next busy time:
 * a hundred megabytes after a hundred transfers at once, for as long as the process lives.
 */

import { openLibc } from "./ffi.ts";

/** So many bytes must have passed since the last time for it to be worth the few milliseconds it takes. */
const WORTH_BYTES = 8 * 1024 * 1024;
/**
 * Times of quiet after which memory is given back, milliseconds. More than one, because what a busy time leaves becomes
 * free only when the garbage collector comes by.
 */
const QUIET_MS = [10_000, 20_000, 60_000] as const;
/** Quiet is when fewer bytes pass than these. */
const QUIET_BYTES = 1024 * 1024;

const libc = openLibc({ malloc_trim: { parameters: ["usize"], result: "i32" } });

/** Gives freed memory back now, where that is possible: Linux with glibc, and native code allowed. */
export function trimMemory(): void {
  libc?.malloc_trim(0n);
}

/** Watches the bytes that pass through a process. */
export class MemoryTrimmer {
  readonly #trim: () => void;
  readonly #unref: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #total = 0;
  #trimmedAt = 0;
  #stopped = false;

  /**
   * `trim` does the work; others than the usual one are for tests. With `unref` a program that has nothing else to do
   * may end before.
   */
  constructor(options: { readonly trim?: () => void; readonly unref?: boolean } = {}) {
    this.#trim = options.trim ?? trimMemory;
    this.#unref = options.unref ?? false;
  }

  /** `bytes` more have passed. */
  add(bytes: number): void {
    this.note(this.#total + bytes);
  }

  /** `total` bytes have passed so far. */
  note(total: number): void {
    this.#total = total;
    if (this.#stopped || this.#timer !== undefined || total - this.#trimmedAt < WORTH_BYTES) return;
    this.#wait(0);
  }

  /** Watches no more, for good. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(step: number): void {
    const ms = QUIET_MS[step];
    if (ms === undefined) return;
    const before = this.#total;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#total - before >= QUIET_BYTES) return this.#wait(0);
      this.#trimmedAt = this.#total;
      this.#trim();
      this.#wait(step + 1);
    }, ms);
    if (this.#unref) Deno.unrefTimer(this.#timer);
  }
}
