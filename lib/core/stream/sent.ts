/**
 * A segment that was sent, and the ring that holds those of one stream in the order of their bytes.
 */

import type { Instant } from "../machine.ts";
import { isAfter } from "../seq.ts";
import { NO_PAYLOAD } from "./segment.ts";

/** A sent segment. Objects are used again once acknowledged: keep no reference beyond that. */
export class SentSegment {
  /** Position among all segments of the stream. */
  index = 0;
  sequence = 0;
  end = 0;
  payload: Uint8Array = NO_PAYLOAD;
  /** Position of the last transmission among all transmissions of this stream. */
  order = 0;
  sentAt: Instant = 0;
  transmissions = 0;
  /** The peer holds it out of order. */
  sacked = false;
  /** It was reported once, even if the report is not believed any more. */
  wasDelivered = false;
  /** To be sent again. */
  lost = false;
  /** While `sacked`: no segment from here up to this index needs a look. */
  skip = 0;
  /** Neighbours in the order of transmission, while in flight. */
  earlier: SentSegment | undefined;
  later: SentSegment | undefined;
  /** The state of delivery when it was sent (draft-ietf-ccwg-bbr section 4.1.2). */
  delivered = 0;
  deliveredAt: Instant = 0;
  firstSentAt: Instant = 0;
  isAppLimited = false;
  /** Bytes in flight with this segment, when it was sent. */
  inFlight = 0;
}

/** Slots at first: many streams send little, and a slot with its numbers takes 300 bytes. */
const SMALLEST = 2;
/** Slots kept by a stream that has nothing in flight. */
const KEPT = 8;

/** Segments by index, `from` up to but excluding `to`. */
export class SentRing {
  #slots: SentSegment[] = [];
  #from = 0;
  #to = 0;

  get from(): number {
    return this.#from;
  }

  get to(): number {
    return this.#to;
  }

  at(index: number): SentSegment | undefined {
    return index < this.#from || index >= this.#to
      ? undefined
      : this.#slots[index & (this.#slots.length - 1)];
  }

  /** A slot behind the last, with the traces of its last use but for what is named here. */
  push(): SentSegment {
    if (this.#to - this.#from === this.#slots.length) {
      this.#resize(Math.max(SMALLEST, 2 * this.#slots.length));
    }
    const index = this.#to++;
    const segment = this.#slots[index & (this.#slots.length - 1)] ?? new SentSegment();
    segment.index = index;
    segment.sacked = segment.lost = segment.wasDelivered = false;
    return segment;
  }

  /** Forgets the first. Most of the memory is given back when the last one goes. */
  shift(): void {
    const first = this.#slots[this.#from & (this.#slots.length - 1)];
    if (first !== undefined) first.payload = NO_PAYLOAD;
    this.#from++;
    if (this.#from === this.#to && this.#slots.length > KEPT) this.#slots = [];
  }

  clear(): void {
    this.#from = this.#to;
    this.#slots = [];
  }

  /** Index of the first segment that begins at or after `sequence`. */
  find(sequence: number): number {
    let low = this.#from;
    let high = this.#to;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const segment = this.at(middle);
      if (segment !== undefined && isAfter(sequence, segment.sequence)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #resize(capacity: number): void {
    const slots: SentSegment[] = [];
    for (let i = 0; i < capacity; i++) slots.push(new SentSegment());
    for (let index = this.#from; index < this.#to; index++) {
      const segment = this.at(index);
      if (segment !== undefined) slots[index & (capacity - 1)] = segment;
    }
    this.#slots = slots;
  }
}
