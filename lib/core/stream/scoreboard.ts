/**
 * The segments that were sent and are not yet acknowledged, and what is known about each of them (RFC 6675).
 *
 * Every step costs O(log n) per segment it concerns, with 20,000 segments in flight, too. Segments are never cut or
 * joined again: receivers on the network drop a retransmission whose bounds differ.
 */

import type { Instant } from "../machine.ts";
import { isAfter, isBefore, sequenceAdd } from "../seq.ts";
import type { SackBlock } from "../../wire/sack.ts";
import { NumberHeap } from "./number_heap.ts";
import { SentRing, type SentSegment } from "./sent.ts";

export type { SentSegment } from "./sent.ts";

/** Hears of every segment once, when the peer is known to have it. `lost` still tells what was believed before. */
export interface DeliveryObserver {
  onDelivered(segment: SentSegment): void;
}

/** Keeps the count of bytes in flight: neither held by the peer nor lost (the `pipe` of RFC 6675). */
export class Scoreboard {
  readonly #ring = new SentRing();
  readonly #observer: DeliveryObserver;
  /** Indices of lost segments; also of some that no longer are. */
  readonly #lost = new NumberHeap();
  /** Ends of the list in order of transmission. */
  #oldest: SentSegment | undefined;
  #youngest: SentSegment | undefined;
  #inFlight = 0;
  #bytes = 0;
  #sacked = 0;
  #order = 0;
  #lostBytes = 0;

  constructor(observer: DeliveryObserver) {
    this.#observer = observer;
  }

  /** Segments not cumulatively acknowledged. */
  get count(): number {
    return this.#ring.to - this.#ring.from;
  }

  /** Payload bytes not cumulatively acknowledged. */
  get bytes(): number {
    return this.#bytes;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Segments that the peer holds out of order. */
  get sacked(): number {
    return this.#sacked;
  }

  /** Bytes ever marked as lost. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  get first(): SentSegment | undefined {
    return this.#ring.at(this.#ring.from);
  }

  get last(): SentSegment | undefined {
    return this.#ring.at(this.#ring.to - 1);
  }

  /** The segment in flight whose transmission lies back furthest; `later` leads on. */
  get oldest(): SentSegment | undefined {
    return this.#oldest;
  }

  /** The first segment to be sent again. */
  get firstLost(): SentSegment | undefined {
    for (let index = this.#lost.first; index !== undefined; index = this.#lost.first) {
      const segment = this.#ring.at(index);
      if (segment?.lost === true) return segment;
      this.#lost.pop();
    }
    return undefined;
  }

  /** Notes a first transmission. `sequence` continues the segment before it. */
  push(sequence: number, payload: Uint8Array, now: Instant): SentSegment {
    const segment = this.#ring.push();
    segment.sequence = sequence;
    segment.end = sequenceAdd(sequence, payload.length);
    segment.payload = payload;
    segment.transmissions = 0;
    this.#bytes += payload.length;
    this.#transmit(segment, now);
    return segment;
  }

  /** Notes a further transmission of `segment`. */
  repeat(segment: SentSegment, now: Instant): void {
    if (segment.lost) segment.lost = false;
    else this.#leaveFlight(segment);
    this.#transmit(segment, now);
  }

  /** Takes a cumulative acknowledgement in and returns the bytes it covers for the first time. */
  acknowledge(acknowledgement: number): number {
    let bytes = 0;
    for (
      let first = this.first;
      first !== undefined && !isAfter(first.end, acknowledgement);
      first = this.first
    ) {
      if (first.sacked) this.#sacked--;
      else this.#deliver(first);
      bytes += first.payload.length;
      this.#ring.shift();
    }
    this.#bytes -= bytes;
    return bytes;
  }

  /** Takes selective acknowledgements in and returns the number of segments they cover for the first time. */
  sack(blocks: readonly SackBlock[]): number {
    let count = 0;
    for (const { left, right } of blocks) {
      if (isAfter(right, left)) count += this.#sackRange(left, right);
    }
    return count;
  }

  /** Marks `segment` as lost; false when it is held by the peer or marked already. */
  markLost(segment: SentSegment): boolean {
    if (segment.sacked || segment.lost) return false;
    this.#leaveFlight(segment);
    segment.lost = true;
    this.#lost.push(segment.index);
    this.#lostBytes += segment.payload.length;
    return true;
  }

  /** Marks the first segment as lost; false when it is held by the peer or marked already. */
  markFirstLost(): boolean {
    const { first } = this;
    return first !== undefined && this.markLost(first);
  }

  /** Marks all that the peer does not hold. With `forget` what it holds, too: it may have dropped it (RFC 2018). */
  markAllLost(forget: boolean): void {
    for (let index = this.#ring.from; index < this.#ring.to; index++) {
      const segment = this.#ring.at(index);
      if (segment === undefined) continue;
      if (segment.sacked && forget) {
        segment.sacked = false;
        this.#sacked--;
        this.#enterFlight(segment);
      }
      this.markLost(segment);
    }
  }

  /** Takes the marks of all lost segments back. They count as sent at `now`, or old age would mark them again. */
  unmarkLost(now: Instant): void {
    for (let segment = this.firstLost; segment !== undefined; segment = this.firstLost) {
      segment.lost = false;
      segment.order = this.#order++;
      segment.sentAt = now;
      // What is heard of it next may well answer an earlier transmission.
      segment.transmissions++;
      this.#lostBytes -= segment.payload.length;
      this.#enterFlight(segment);
    }
  }

  clear(): void {
    this.#ring.clear();
    this.#lost.clear();
    this.#oldest = this.#youngest = undefined;
    this.#inFlight = this.#bytes = this.#sacked = 0;
  }

  #transmit(segment: SentSegment, now: Instant): void {
    segment.order = this.#order++;
    segment.sentAt = now;
    segment.transmissions++;
    this.#enterFlight(segment);
  }

  #sackRange(left: number, right: number): number {
    const ring = this.#ring;
    let count = 0;
    let index = ring.find(left);
    const start = index;
    for (let segment = ring.at(index); segment !== undefined; segment = ring.at(index)) {
      if (segment.sacked) {
        index = Math.max(index + 1, segment.skip);
        continue;
      }
      if (isAfter(segment.end, right)) break;
      this.#deliver(segment);
      segment.sacked = true;
      this.#sacked++;
      segment.skip = ++index;
      count++;
    }
    // The next report of this range jumps over what is known.
    const first = ring.at(start);
    if (first?.sacked === true && first.skip < index && isBefore(first.sequence, right)) first.skip = index;
    return count;
  }

  #deliver(segment: SentSegment): void {
    if (!segment.lost) this.#leaveFlight(segment);
    if (!segment.wasDelivered) this.#observer.onDelivered(segment);
    segment.wasDelivered = true;
    segment.lost = false;
  }

  #enterFlight(segment: SentSegment): void {
    this.#inFlight += segment.payload.length;
    segment.inFlight = this.#inFlight;
    segment.earlier = this.#youngest;
    segment.later = undefined;
    if (this.#youngest === undefined) this.#oldest = segment;
    else this.#youngest.later = segment;
    this.#youngest = segment;
  }

  #leaveFlight(segment: SentSegment): void {
    this.#inFlight -= segment.payload.length;
    if (segment.earlier === undefined) this.#oldest = segment.later;
    else segment.earlier.later = segment.later;
    if (segment.later === undefined) this.#youngest = segment.earlier;
    else segment.later.earlier = segment.earlier;
    segment.earlier = segment.later = undefined;
  }
}
