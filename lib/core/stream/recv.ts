/**
 * The receiving half of a stream: puts segments in order and keeps them until the application reads.
 *
 * The window promises segments, not bytes, and what was acknowledged is never thrown away: a segment that finds no
 * room is dropped unacknowledged, and the peer sends it again.
 */

import { isAfter, isBefore, sequenceAdd, sequenceDifference } from "../seq.ts";
import { MAX_SACK_BLOCKS, type SackBlock } from "../../wire/sack.ts";
import { isPlausible, MAX_OUTSTANDING, WINDOW_UNIT } from "./segment.ts";

/** Segments that may wait for the application (Pilot Protocol). */
export const RECEIVE_SEGMENTS = 512;
/** Bytes that may wait for the application and out of order: twice what common segments need. */
export const RECEIVE_BYTES = 2 * RECEIVE_SEGMENTS * WINDOW_UNIT;

/** A growth of the window by this many segments is worth a packet. */
const WINDOW_STEP = 64;

/** What became of a segment with data. */
export type Reception =
  /** In order; the application can read it. */
  | "delivered"
  /** Kept until the bytes before it arrive. */
  | "early"
  /** All of it was here already. */
  | "duplicate"
  /** No room, or far outside of what the peer may send. */
  | "dropped";

interface EarlySegment {
  readonly start: number;
  readonly end: number;
  readonly payload: Uint8Array;
}

/** Reassembly and the receive queue. Sizes are bounded whatever the peer sends. */
export class ReceiveSide {
  #next: number;
  readonly #capacity: { readonly segments: number; readonly bytes: number };
  readonly #queue: Uint8Array[] = [];
  #bytes = 0;
  /** Sorted by start; no two with the same start, none contained in the one before it. */
  readonly #early: EarlySegment[] = [];
  #latest = 0;
  #discarding = false;
  #advertised: number;
  #total = 0;

  constructor(next: number, capacity: { segments?: number | undefined; bytes?: number | undefined } = {}) {
    this.#next = next;
    this.#capacity = {
      segments: capacity.segments ?? RECEIVE_SEGMENTS,
      bytes: capacity.bytes ?? RECEIVE_BYTES,
    };
    this.#advertised = this.window;
  }

  /** The sequence number of the next byte in order. */
  get next(): number {
    return this.#next;
  }

  /** Segments that may be sent to us beyond `next`. Counts segments of up to {@linkcode WINDOW_UNIT} bytes. */
  get window(): number {
    const byBytes = Math.floor((this.#capacity.bytes - this.#bytes) / WINDOW_UNIT);
    return Math.max(0, Math.min(this.#capacity.segments - this.#queue.length, byBytes));
  }

  /** The window, which the peer will now be told. */
  advertise(): number {
    return this.#advertised = this.window;
  }

  /** Whether the peer was last told of so little room that it should hear of the new (RFC 9293 section 3.8.6.2.2). */
  get owesUpdate(): boolean {
    const step = Math.min(WINDOW_STEP, Math.ceil(this.#capacity.segments / 2));
    return this.#advertised < MAX_OUTSTANDING && this.window - this.#advertised >= step;
  }

  /** Bytes ever received in order. */
  get total(): number {
    return this.#total;
  }

  /** Segments the application has not read. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Segments kept out of order. */
  get early(): number {
    return this.#early.length;
  }

  /** Takes the payload of a segment, at least one byte, which may be kept without a copy. */
  receive(sequence: number, payload: Uint8Array): Reception {
    const distance = sequenceDifference(sequence, this.#next);
    const end = sequenceAdd(sequence, payload.length);
    if (distance < 0 && !isAfter(end, this.#next)) return isPlausible(-distance) ? "duplicate" : "dropped";
    if (distance > 0) {
      return isPlausible(distance)
        ? this.#keep({ start: sequence, end, payload: compact(payload) })
        : "dropped";
    }
    if (!this.#hasRoom(payload.length)) return "dropped";
    this.#deliver(sequence, compact(payload));
    this.#drain();
    return "delivered";
  }

  /** The next bytes in order, `undefined` when none wait. Reading makes room, which may move `next`. */
  read(): Uint8Array | undefined {
    const payload = this.#queue.shift();
    if (payload === undefined) return undefined;
    this.#bytes -= payload.length;
    this.#drain();
    return payload;
  }

  /** Throws away what waits and what will come: the application is gone. It is still acknowledged. */
  discard(): void {
    this.#discarding = true;
    for (const payload of this.#queue.splice(0)) this.#bytes -= payload.length;
    this.#drain();
  }

  /** Begins at another number, before anything was received. */
  restart(next: number): void {
    this.#next = next;
  }

  /** Forgets everything. */
  clear(): void {
    this.#queue.length = 0;
    this.#early.length = 0;
    this.#bytes = 0;
  }

  /**
   * What is held out of order, ascending, touching segments joined. When there are too many: the lowest, which a
   * forgetful sender needs most, and the one that arrived last (RFC 2018 section 4).
   */
  sackBlocks(): SackBlock[] {
    const blocks: { left: number; right: number }[] = [];
    for (const { start, end } of this.#early) {
      const last = blocks.at(-1);
      if (last === undefined || isAfter(start, last.right)) blocks.push({ left: start, right: end });
      else if (isAfter(end, last.right)) last.right = end;
    }
    if (blocks.length <= MAX_SACK_BLOCKS) return blocks;
    const lowest = blocks.slice(0, MAX_SACK_BLOCKS - 1);
    const latest = blocks.slice(MAX_SACK_BLOCKS - 1).find((block) => !isAfter(this.#latest, block.right));
    return [...lowest, latest ?? blocks[MAX_SACK_BLOCKS - 1]].filter((block) => block !== undefined);
  }

  #hasRoom(bytes: number): boolean {
    return this.#queue.length < this.#capacity.segments && this.#bytes + bytes <= this.#capacity.bytes;
  }

  #keep(segment: EarlySegment): Reception {
    let index = this.#early.length;
    for (; index > 0; index--) {
      const before = this.#early[index - 1];
      if (before === undefined || !isAfter(before.start, segment.start)) break;
    }
    const before = this.#early[index - 1];
    if (before !== undefined && !isAfter(segment.end, before.end)) return "duplicate";
    const replaced = before?.start === segment.start ? before.payload.length : undefined;
    const count = this.#early.length + (replaced === undefined ? 1 : 0);
    const limit = Math.min(MAX_OUTSTANDING, this.#capacity.segments - this.#queue.length);
    const bytes = this.#bytes + segment.payload.length - (replaced ?? 0);
    if (count > limit || bytes > this.#capacity.bytes) return "dropped";
    this.#early.splice(replaced === undefined ? index : index - 1, replaced === undefined ? 0 : 1, segment);
    this.#bytes = bytes;
    this.#latest = segment.start;
    return "early";
  }

  /** Appends the part of a segment that lies at or after `next`. */
  #deliver(start: number, payload: Uint8Array): void {
    const known = sequenceDifference(this.#next, start);
    const news = known === 0 ? payload : payload.subarray(known);
    this.#next = sequenceAdd(this.#next, news.length);
    this.#total += news.length;
    if (this.#discarding) return;
    this.#queue.push(news);
    this.#bytes += news.length;
  }

  #drain(): void {
    for (;;) {
      const first = this.#early[0];
      if (first === undefined || isAfter(first.start, this.#next)) return;
      const isNews = isAfter(first.end, this.#next);
      if (isNews && this.#queue.length >= this.#capacity.segments) return;
      this.#early.shift();
      this.#bytes -= first.payload.length;
      if (isNews && !isBefore(this.#next, first.start)) this.#deliver(first.start, first.payload);
    }
  }
}

/** A small piece of a large datagram is copied, so that what is counted is what is held. */
function compact(payload: Uint8Array): Uint8Array {
  return payload.length < payload.buffer.byteLength / 2 ? payload.slice() : payload;
}
