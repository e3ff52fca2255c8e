/**
 * Spreads segments over time. Timers are coarse, so segments leave in short bursts.
 */

import type { Instant } from "../machine.ts";

/** A burst lasts this long, milliseconds (draft-ietf-ccwg-bbr section 5.6.3). */
const BURST_MS = 1;
/** But has at least so many segments. */
const BURST_SEGMENTS = 2;
/** A sender that wakes up late makes up for this much, milliseconds. */
const CREDIT_MS = 4;

/** The pace of one stream. */
export class Pacer {
  readonly #segmentSize: number;
  /** When all that was sent would have left at the exact pace. */
  #due: Instant = -Infinity;
  #burstEnd: Instant = -Infinity;

  constructor(segmentSize: number) {
    this.#segmentSize = segmentSize;
  }

  /** When the next burst may leave. */
  get deadline(): Instant {
    return this.#due;
  }

  /** Whether a segment may leave at this rate, in bytes per millisecond. */
  allows(now: Instant, rate: number): boolean {
    if (rate === Infinity) return true;
    if (this.#due > now) return this.#due < this.#burstEnd;
    this.#due = Math.max(this.#due, now - CREDIT_MS);
    this.#burstEnd = now + Math.max(BURST_MS, BURST_SEGMENTS * this.#segmentSize / rate);
    return true;
  }

  /** `bytes` leave. */
  noteSent(bytes: number, now: Instant, rate: number): void {
    if (rate !== Infinity) this.#due = Math.max(this.#due, now - CREDIT_MS) + bytes / rate;
  }

  /** Lets the next segment leave at once. */
  reset(): void {
    this.#due = -Infinity;
  }
}
