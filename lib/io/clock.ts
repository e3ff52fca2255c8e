/**
 * The clock of real machines: monotonic milliseconds that also count the time the computer slept.
 *
 * The monotonic counter of the runtime stops during suspend on Linux and macOS. The wall clock does not, but people
 * and time servers move it. So a forward jump of the wall clock only raises a suspicion, and the uptime of the
 * operating system, which counts suspend and ignores adjustments, decides how much of the jump was sleep.
 */

import type { Instant } from "../core/machine.ts";

/** A jump of the wall clock against the monotonic counter below this many milliseconds is ignored. */
const SUSPICIOUS_MS = 1500;

/** The readings a clock is made of; tests replace them. */
export interface ClockSources {
  /** Milliseconds that never go back, but may stop during suspend. */
  monotonic(): number;
  /** Unix time in milliseconds. */
  wall(): number;
  /** Whole seconds since boot, sleep included. */
  uptime(): number;
}

const SYSTEM: ClockSources = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  uptime: () => Deno.osUptime(),
};

/** Monotonic time that counts suspend, and Unix time. Independent clocks need not agree on their zero. */
export class SystemClock {
  readonly #sources: ClockSources;
  readonly #uptimeAtStart: number;
  readonly #monotonicAtStart: number;
  #wallAhead: number;
  #slept = 0;
  #latest: Instant = 0;

  constructor(sources: ClockSources = SYSTEM) {
    this.#sources = sources;
    this.#monotonicAtStart = sources.monotonic();
    this.#wallAhead = sources.wall() - this.#monotonicAtStart;
    this.#uptimeAtStart = sources.uptime();
  }

  /** Milliseconds (with fractions) that never go back and go on counting while the computer sleeps. */
  now(): Instant {
    const monotonic = this.#sources.monotonic();
    const wallAhead = this.#sources.wall() - monotonic;
    if (Math.abs(wallAhead - this.#wallAhead) > SUSPICIOUS_MS) {
      this.#wallAhead = wallAhead;
      this.#measureSleep(monotonic);
    }
    this.#latest = Math.max(this.#latest, monotonic + this.#slept);
    return this.#latest;
  }

  /** Milliseconds since 1970-01-01T00:00:00Z. May jump when the clock of the computer is set. */
  unixMs(): number {
    return this.#sources.wall();
  }

  #measureSleep(monotonic: number): void {
    const awake = monotonic - this.#monotonicAtStart;
    const elapsed = (this.#sources.uptime() - this.#uptimeAtStart) * 1000;
    // The uptime is in whole seconds, hence up to one second too long or too short.
    const slept = elapsed - awake - 1000;
    if (slept > this.#slept) this.#slept = slept;
  }
}
