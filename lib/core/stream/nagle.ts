/**
 * When a segment that is not full may leave: Nagle's algorithm in the variant of Minshall.
 *
 * Only an earlier short segment that is not yet acknowledged holds a short one back, for at most
 * {@linkcode NAGLE_DELAY_MS}, and the tail of a write of at least one segment is never held back.
 */

import type { Instant } from "../machine.ts";
import { isAfter, isBefore } from "../seq.ts";

/** Longest time a short segment waits, milliseconds (Pilot Protocol). */
export const NAGLE_DELAY_MS = 40;

/** Decides for one sender. Sequence numbers are those of its data. */
export class Nagle {
  #shortEnd: number;
  #urgentEnd: number;
  #deadline: Instant | undefined;

  constructor(next: number) {
    this.#shortEnd = next;
    this.#urgentEnd = next;
  }

  /** When the held-back segment may leave, `undefined` when none is held back. */
  get deadline(): Instant | undefined {
    return this.#deadline;
  }

  /** Everything up to `end` may leave at once. */
  urge(end: number): void {
    this.#urgentEnd = end;
  }

  /** Whether a short segment that starts at `next` may leave now. Starts the wait otherwise. */
  allows(next: number, unacknowledged: number, now: Instant): boolean {
    if (!isAfter(this.#shortEnd, unacknowledged) || isBefore(next, this.#urgentEnd)) return true;
    this.#deadline ??= now + NAGLE_DELAY_MS;
    return now >= this.#deadline;
  }

  /** Ends the wait when it is over, and returns whether it is. */
  expire(now: Instant): boolean {
    if (this.#deadline === undefined || now < this.#deadline) return false;
    this.#deadline = undefined;
    return true;
  }

  /** A segment left. `short` when it was not full. */
  noteSent(end: number, short: boolean): void {
    this.#deadline = undefined;
    if (short) this.#shortEnd = end;
  }
}
