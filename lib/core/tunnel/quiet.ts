/**
 * When a peer that was talking stops all of a sudden.
 *
 * The end that only receives sends nothing that could stay unanswered, so a NAT that has forgotten it, or a beacon that
 * has, would be noticed at its next keep-alive only. One question in time costs little and makes it reachable again.
 */

import type { Instant } from "../machine.ts";

/** Silence after traffic that is worth a look, milliseconds. */
export const QUIET_MS = 500;
/** Looks are at least this far apart: many conversations have pauses, milliseconds. */
export const QUIET_GAP_MS = 5_000;

/** The pauses of one peer. */
export class Quiet {
  #heardAt: Instant = -Infinity;
  #lookedAt: Instant = -Infinity;
  /** When the timer will ask, `undefined` when it is not set. */
  #due: Instant | undefined;

  /** Traffic arrived; when `isDue` is to be asked, `undefined` when that was said before. */
  noteHeard(now: Instant): Instant | undefined {
    this.#heardAt = now;
    if (this.#due !== undefined) return undefined;
    this.#due = Math.max(now + QUIET_MS, this.#lookedAt + QUIET_GAP_MS);
    return this.#due;
  }

  /** The time has come: whether to look after the peer, or when to ask again. */
  ask(now: Instant): "look" | Instant {
    const due = this.#heardAt + QUIET_MS;
    if (now < due) {
      this.#due = due;
      return due;
    }
    this.#due = undefined;
    this.#lookedAt = now;
    return "look";
  }
}
