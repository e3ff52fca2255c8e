/**
 * The segments that were sent and are not yet acknowledged, and what is known about each of them.
 *
 * Segments are never cut or joined again: receivers on the network drop a retransmission whose bounds differ.
 */

import type { Instant } from "../machine.ts";
import { isAfter, isBefore, sequenceAdd, sequenceDifference } from "../seq.ts";
import type { SackBlock } from "../../wire/sack.ts";

/** Later transmissions that must have arrived before a segment counts as lost (RFC 5681, RFC 9002 section 6.1.1). */
export const LOSS_THRESHOLD = 3;

/** Reordering raises that number up to this (RFC 8985 section 4.3.2). */
const MAX_LOSS_THRESHOLD = 64;

/** A sent segment. */
export interface SentSegment {
  readonly sequence: number;
  readonly end: number;
  readonly payload: Uint8Array;
  /** Position of the last transmission among all transmissions of this stream. */
  order: number;
  sentAt: Instant;
  transmissions: number;
  /** The peer holds it out of order. */
  sacked: boolean;
  /** To be sent again. */
  lost: boolean;
}

/** Keeps the count of bytes in flight: neither held by the peer nor lost (the `pipe` of RFC 6675). */
export class Scoreboard {
  readonly #segments: SentSegment[] = [];
  #inFlight = 0;
  #bytes = 0;
  #lost = 0;
  #order = 0;
  #delivered = -1;
  #threshold = LOSS_THRESHOLD;
  #sample: { sentAt: Instant; rtt: number } | undefined;

  /** Segments not cumulatively acknowledged. */
  get count(): number {
    return this.#segments.length;
  }

  /** Payload bytes not cumulatively acknowledged. */
  get bytes(): number {
    return this.#bytes;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get first(): SentSegment | undefined {
    return this.#segments[0];
  }

  /** The first segment to be sent again. */
  get firstLost(): SentSegment | undefined {
    return this.#lost === 0 ? undefined : this.#segments.find((segment) => segment.lost);
  }

  /** Notes a first transmission. `sequence` continues the segment before it. */
  push(sequence: number, payload: Uint8Array, now: Instant): SentSegment {
    const segment: SentSegment = {
      sequence,
      end: sequenceAdd(sequence, payload.length),
      payload,
      order: this.#order++,
      sentAt: now,
      transmissions: 1,
      sacked: false,
      lost: false,
    };
    this.#segments.push(segment);
    this.#inFlight += payload.length;
    this.#bytes += payload.length;
    return segment;
  }

  /** Notes a further transmission of `segment`. */
  repeat(segment: SentSegment, now: Instant): void {
    if (segment.lost) {
      segment.lost = false;
      this.#lost--;
      this.#inFlight += segment.payload.length;
    }
    segment.order = this.#order++;
    segment.sentAt = now;
    segment.transmissions++;
  }

  /** Takes a cumulative acknowledgement in and returns the bytes it covers for the first time. */
  acknowledge(acknowledgement: number, now: Instant, minimumRtt: number): number {
    let count = 0;
    let bytes = 0;
    for (const segment of this.#segments) {
      if (isAfter(segment.end, acknowledgement)) break;
      if (!segment.sacked) this.#noteDelivery(segment, now, minimumRtt);
      this.#leaveFlight(segment);
      bytes += segment.payload.length;
      count++;
    }
    this.#segments.splice(0, count);
    this.#bytes -= bytes;
    return bytes;
  }

  /** Takes selective acknowledgements in and returns the number of segments they cover for the first time. */
  sack(blocks: readonly SackBlock[], now: Instant, minimumRtt: number): number {
    let count = 0;
    for (const segment of this.#segments) {
      if (segment.sacked || !blocks.some((block) => covers(block, segment))) continue;
      this.#noteDelivery(segment, now, minimumRtt);
      this.#leaveFlight(segment);
      segment.sacked = true;
      count++;
    }
    return count;
  }

  /** Marks what was overtaken by enough later transmissions, and returns how many segments that were. */
  detectLosses(): number {
    let count = 0;
    // With little in flight there is not much that could overtake.
    const threshold = Math.min(this.#threshold, Math.max(LOSS_THRESHOLD, this.#segments.length >> 1));
    for (const segment of this.#segments) {
      if (this.#delivered - segment.order >= threshold && this.#markLost(segment)) count++;
    }
    return count;
  }

  /** Marks the first segment as lost; false when it is held by the peer or marked already. */
  markFirstLost(): boolean {
    const first = this.#segments[0];
    return first !== undefined && this.#markLost(first);
  }

  /** Marks all that the peer does not hold. With `forget` what it holds, too: it may have dropped it (RFC 2018). */
  markAllLost(forget: boolean): void {
    for (const segment of this.#segments) {
      if (forget && segment.sacked) {
        segment.sacked = false;
        this.#inFlight += segment.payload.length;
      }
      this.#markLost(segment);
    }
  }

  /** The round-trip time of the youngest segment that arrived at its first try since the last call, milliseconds. */
  takeSample(): number | undefined {
    const rtt = this.#sample?.rtt;
    this.#sample = undefined;
    return rtt;
  }

  clear(): void {
    this.#segments.length = 0;
    this.#inFlight = this.#bytes = this.#lost = 0;
  }

  #noteDelivery(segment: SentSegment, now: Instant, minimumRtt: number): void {
    const elapsed = now - segment.sentAt;
    const isEarlierOne = segment.transmissions > 1 && elapsed < minimumRtt;
    // It was not lost, only late.
    if (segment.lost || isEarlierOne) this.#threshold = Math.min(MAX_LOSS_THRESHOLD, 2 * this.#threshold);
    if (segment.transmissions === 1) {
      if (this.#sample === undefined || segment.sentAt >= this.#sample.sentAt) {
        this.#sample = { sentAt: segment.sentAt, rtt: elapsed };
      }
    } else if (isEarlierOne) {
      // Too soon for the last transmission: it was an earlier one (RFC 8985 section 6.2).
      return;
    }
    this.#delivered = Math.max(this.#delivered, segment.order);
  }

  #leaveFlight(segment: SentSegment): void {
    if (segment.lost) {
      segment.lost = false;
      this.#lost--;
    } else if (!segment.sacked) {
      this.#inFlight -= segment.payload.length;
    }
  }

  #markLost(segment: SentSegment): boolean {
    if (segment.sacked || segment.lost) return false;
    segment.lost = true;
    this.#lost++;
    this.#inFlight -= segment.payload.length;
    return true;
  }
}

function covers(block: SackBlock, segment: SentSegment): boolean {
  return !isBefore(segment.sequence, block.left) && !isAfter(segment.end, block.right) &&
    sequenceDifference(block.right, block.left) > 0;
}
