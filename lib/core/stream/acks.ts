/**
 * When received data is acknowledged.
 */

import type { Instant } from "../machine.ts";

/** A lone segment is acknowledged after this time at the latest, milliseconds (Pilot Protocol). */
export const ACK_DELAY_MS = 5;
/** So many segments are acknowledged at once (RFC 5681 section 4.2). */
export const ACK_EVERY = 2;
/** So many lone segments at the start of a stream are acknowledged without delay (Pilot Protocol). */
export const QUICK_ACKS = 32;

/** Collects reasons for acknowledgements until one leaves. */
export class AckPolicy {
  #waiting = 0;
  #quick = QUICK_ACKS;
  #isDue = false;
  #duplicateDue = false;
  #deadline: Instant | undefined;

  /** Whether an acknowledgement should leave now. */
  get isDue(): boolean {
    return this.#isDue;
  }

  get deadline(): Instant | undefined {
    return this.#deadline;
  }

  /** A segment in order arrived; `every` so many deserve an acknowledgement. */
  noteData(now: Instant, every: number = ACK_EVERY): void {
    this.#waiting++;
    if (this.#waiting >= every) {
      this.#isDue = true;
    } else if (this.#quick > 0) {
      this.#quick--;
      this.#isDue = true;
    } else {
      this.#deadline ??= now + ACK_DELAY_MS;
    }
  }

  /**
   * Something arrived that the peer must hear of at once. With `twice` the acknowledgement is followed by one
   * without SACK: old nodes count only those as duplicates.
   */
  demand(twice = false): void {
    this.#isDue = true;
    if (twice) this.#duplicateDue = true;
  }

  handleTimeout(now: Instant): void {
    if (this.#deadline === undefined || now < this.#deadline) return;
    this.#deadline = undefined;
    this.demand();
  }

  /** An acknowledgement left, alone or with data. */
  noteSent(): void {
    this.#waiting = 0;
    this.#isDue = false;
    this.#deadline = undefined;
  }

  /** Whether the bare duplicate should leave now; true once per demand. */
  takeDuplicate(): boolean {
    const isDue = this.#duplicateDue;
    this.#duplicateDue = false;
    return isDue;
  }
}
