/**
 * Gives memory back to the system after busy times. The C library of Linux keeps what was freed for the next busy time:
 * a hundred megabytes after a hundred transfers at once, for as long as the process lives.
 */

import { openLibc } from "./ffi.ts";

/**
 * So many bytes must have passed since the last time for it to be worth the few milliseconds it takes: the ends of some
 * thousand streams.
 */
const WORTH_BYTES = 2 * 1024 * 1024;
/** Distance of looks at the traffic, milliseconds. */
const LOOK_MS = 10_000;
/** A look is quiet when fewer bytes have passed than these. */
const QUIET_BYTES = 1024 * 1024;
/**
 * Quiet looks in a row after which memory is given back. More than one time, because what a busy time leaves becomes
 * free only when the garbage collector comes by.
 */
const TRIM_AFTER: readonly number[] = [1, 3, 9];
const LAST_LOOK = Math.max(...TRIM_AFTER);

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
    this.#watch(0);
  }

  /** Watches no more, for good. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Looks again after a while; `quiet` looks in a row have been quiet so far. */
  #watch(quiet: number): void {
    const before = this.#total;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#total - before >= QUIET_BYTES) return this.#watch(0);
      if (TRIM_AFTER.includes(quiet + 1)) {
        this.#trimmedAt = this.#total;
        this.#trim();
      }
      if (quiet + 1 < LAST_LOOK) this.#watch(quiet + 1);
    }, LOOK_MS);
    if (this.#unref) Deno.unrefTimer(this.#timer);
  }
}
