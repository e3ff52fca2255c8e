/**
 * The receiving half of a stream: puts segments in order and keeps them until the application reads.
 *
 * The window promises segments, not bytes, and what was acknowledged is never thrown away: a segment that finds no
 * room is dropped unacknowledged, and the peer sends it again.
 */

import { isAfter, sequenceAdd, sequenceDifference } from "../seq.ts";
import type { Instant } from "../machine.ts";
import { MAX_SACK_BLOCKS, type SackBlock } from "../../wire/sack.ts";
import { Deque } from "./deque.ts";
import { EarlySegments } from "./early.ts";
import { FOREIGN_PROFILE, isExtended, type TransportProfile } from "./profile.ts";
import { ReceiveMemory, ReceivePool } from "./recv_memory.ts";
import { ReceiveTuning } from "./recv_tuning.ts";
import { isPlausible, plausibleDistance, WINDOW_UNIT } from "./segment.ts";

/** Segments that may wait for the application at first (Pilot Protocol). */
export const RECEIVE_SEGMENTS = 512;
/** Bytes that may wait for the application and out of order: twice what common segments need. */
export const RECEIVE_BYTES = 2 * RECEIVE_SEGMENTS * WINDOW_UNIT;
/** The same where a larger window was agreed on: over twice 1 Gbit/s times 200 ms. */
export const EXTENDED_RECEIVE_BYTES = 67_108_864;

/** A growth of the window by this many segments is worth a packet. */
const WINDOW_STEP = 64;

/** Largest number the window field holds. */
const MAX_FIELD = 0xffff;

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

/** What a receiving half may hold; the defaults are those for any peer. */
export interface ReceiveOptions {
  /** Segments that may wait, for good: without it the window follows the reader. */
  readonly segments?: number | undefined;
  readonly bytes?: number | undefined;
  readonly profile?: TransportProfile | undefined;
  /** Where the memory comes from and goes back to, default one of its own. */
  readonly pool?: ReceivePool | undefined;
}

/** Reassembly and the receive queue. Sizes are bounded whatever the peer sends. */
export class ReceiveSide {
  #next: number;
  readonly #options: ReceiveOptions;
  #capacity = 0;
  #mostEarly = 0;
  #tuning: ReceiveTuning;
  #distance = 0;
  #shift = 0;
  #isExtended = false;
  readonly #memory: ReceiveMemory;
  readonly #queue = new Deque<Uint8Array>();
  #bytes = 0;
  readonly #early = new EarlySegments();
  /** Bytes that a segment of this peer may have. */
  #unit = 0;
  #discarding = false;
  #advertised: number;
  #total = 0;

  constructor(next: number, options: ReceiveOptions = {}) {
    this.#next = next;
    this.#options = options;
    this.#memory = new ReceiveMemory(options.pool ?? new ReceivePool());
    this.#tuning = this.#configure(options.profile ?? FOREIGN_PROFILE);
    this.#advertised = this.window;
  }

  /** Takes what was agreed on with the peer, before anything was received. */
  setProfile(profile: TransportProfile): void {
    this.#tuning = this.#configure(profile);
  }

  #configure(profile: TransportProfile): ReceiveTuning {
    const options = this.#options;
    this.#isExtended = isExtended(profile);
    this.#capacity = options.bytes ?? (this.#isExtended ? EXTENDED_RECEIVE_BYTES : RECEIVE_BYTES);
    this.#mostEarly = this.#isExtended ? profile.windowSegments : FOREIGN_PROFILE.outOfOrder;
    this.#unit = this.#isExtended ? 0 : WINDOW_UNIT;
    this.#shift = profile.windowShift;
    this.#distance = plausibleDistance(profile.windowSegments);
    const maximum = options.segments ?? profile.windowSegments;
    const initial = Math.min(RECEIVE_SEGMENTS, maximum);
    return new ReceiveTuning({ initial, maximum, thinsAcks: this.#isExtended });
  }

  /** The sequence number of the next byte in order. */
  get next(): number {
    return this.#next;
  }

  /** Segments that may be sent to us beyond `next`. Each counts as the largest that came so far. */
  get window(): number {
    const free = this.#tuning.window - this.#queue.length;
    if (free <= 0) return 0;
    const byBytes = Math.floor((this.#capacity - this.#bytes) / Math.max(this.#unit, 1));
    return Math.max(0, Math.min(free, byBytes, MAX_FIELD << this.#shift));
  }

  /** The window field for the peer, which will now be told. */
  advertise(): number {
    const field = this.window >> this.#shift;
    this.#advertised = field << this.#shift;
    return field;
  }

  /** The window field of a packet with SYN, which is never scaled. */
  advertiseOpening(): number {
    return this.#advertised = Math.min(this.window, MAX_FIELD);
  }

  /** Whether the peer was last told of so little room that it should hear of the new (RFC 9293 section 3.8.6.2.2). */
  get owesUpdate(): boolean {
    const step = Math.min(WINDOW_STEP, Math.ceil(this.#tuning.window / 2));
    const isShort = this.#isExtended
      ? this.#advertised < this.#tuning.window / 2
      : this.#advertised < FOREIGN_PROFILE.outOfOrder;
    return isShort && this.window - this.#advertised >= step;
  }

  /** Segments in order after which an acknowledgement is due. */
  get ackEvery(): number {
    return this.#tuning.ackEvery;
  }

  /** Bytes ever received in order. */
  get total(): number {
    return this.#total;
  }

  /** Segments the application has not read. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Pieces kept out of order. */
  get early(): number {
    return this.#early.count;
  }

  /** Gaps before and between what is held out of order. */
  get gaps(): number {
    return this.#early.gaps;
  }

  /** Whether data may lie so far ahead of what is expected. */
  isPlausible(sequence: number): boolean {
    return isPlausible(sequenceDifference(sequence, this.#next), this.#distance);
  }

  /** Lets the window follow the reader. `rtt` is the round-trip time in milliseconds if it is known. */
  tick(now: Instant, rtt: number | undefined): void {
    this.#tuning.tick(now, { rtt, queued: this.#queue.length });
  }

  /** Takes the payload of a segment, at least one byte, and copies what it keeps. */
  receive(sequence: number, payload: Uint8Array): Reception {
    const distance = sequenceDifference(sequence, this.#next);
    if (distance < 0 && distance + payload.length <= 0) {
      return isPlausible(-distance, this.#distance) ? "duplicate" : "dropped";
    }
    if (this.#isExtended && payload.length > this.#unit) this.#unit = payload.length;
    if (distance > 0) return this.#keep(sequence, payload);
    if (!this.#hasRoom(payload.length)) return "dropped";
    this.#tuning.noteArrival();
    this.#deliver(distance === 0 ? payload : payload.subarray(-distance), { isOwn: false });
    if (this.#early.count > 0) this.#drain();
    return "delivered";
  }

  /**
   * The next bytes in order, `undefined` when none wait. They are the reader's to keep, or to give back to the pool.
   * Reading makes room, which may move `next`.
   */
  read(): Uint8Array | undefined {
    const payload = this.#queue.shift();
    if (payload === undefined) return undefined;
    this.#bytes -= payload.length;
    if (this.#early.count > 0) this.#drain();
    return payload;
  }

  /** Throws away what waits and what will come: the application is gone. It is still acknowledged. */
  discard(): void {
    this.#discarding = true;
    this.#queue.clear();
    this.#bytes = 0;
    this.#drain();
  }

  /** Begins at another number, before anything was received. */
  restart(next: number): void {
    this.#next = next;
  }

  /** Forgets everything. */
  clear(): void {
    this.#queue.clear();
    this.#early.clear();
    this.#bytes = 0;
  }

  /**
   * What is held out of order, ascending. When there are too many: for foreign nodes the lowest, which a forgetful
   * sender needs most, and the one that grew last; for ours the lowest and the last three.
   */
  sackBlocks(): SackBlock[] {
    return this.#early.blocks(this.#isExtended ? 1 : MAX_SACK_BLOCKS - 1, MAX_SACK_BLOCKS);
  }

  #hasRoom(bytes: number): boolean {
    return this.#queue.length < this.#tuning.window &&
      this.#bytes + this.#early.bytes + bytes <= this.#capacity;
  }

  #keep(sequence: number, payload: Uint8Array): Reception {
    if (!this.isPlausible(sequence)) return "dropped";
    if (this.#early.has(sequence, sequenceAdd(sequence, payload.length))) return "duplicate";
    const limit = Math.min(this.#mostEarly, this.#tuning.window - this.#queue.length);
    if (this.#early.count >= limit) return "dropped";
    if (this.#bytes + this.#early.bytes + payload.length > this.#capacity) return "dropped";
    if (!this.#early.add(sequence, this.#own(payload))) return "duplicate";
    this.#tuning.noteArrival();
    return "early";
  }

  #own(payload: Uint8Array): Uint8Array {
    return this.#memory.keep(payload, this.#bytes + this.#early.bytes);
  }

  #deliver(news: Uint8Array, { isOwn }: { readonly isOwn: boolean }): void {
    this.#next = sequenceAdd(this.#next, news.length);
    this.#total += news.length;
    if (this.#discarding) return;
    this.#queue.push(isOwn ? news : this.#own(news));
    this.#bytes += news.length;
  }

  #drain(): void {
    for (
      let left = this.#early.left;
      left !== undefined && !isAfter(left, this.#next);
      left = this.#early.left
    ) {
      if (this.#queue.length >= this.#tuning.window) return;
      const payload = this.#early.shift(this.#next);
      const known = sequenceDifference(this.#next, left);
      if (payload === undefined || payload.length <= known) continue;
      this.#deliver(known === 0 ? payload : payload.subarray(known), { isOwn: true });
    }
  }
}
