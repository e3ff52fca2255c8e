/**
 * The handshake's own knowledge: when to repeat, and what arrived before its time.
 */

import { isBefore, sequenceAdd, sequenceDifference } from "../seq.ts";
import type { Instant, RandomSource } from "../machine.ts";
import { Flag } from "../../wire/packet.ts";
import { isPlausible, type Segment } from "./segment.ts";

/** First and longest distance of SYNs, milliseconds, and the number of repetitions (Pilot Protocol). */
export const SYN_FIRST_MS = 250;
export const SYN_LONGEST_MS = 8_000;
export const SYN_RETRIES = 7;
/** First distance of repeated SYN+ACKs; it doubles, milliseconds. */
export const SYN_ACK_FIRST_MS = 1_000;
/** A connection whose third packet does not come within this time is dropped, milliseconds. */
export const EMBRYONIC_MS = 10_000;

/** The number of the first byte that old nodes send: their initial sequence number is always 0. */
export const FIRST_OF_OLD_NODES = 1;

/** Segments kept that overtook the SYN+ACK. */
const MAX_STASHED = 16;

/** Counts SYNs or SYN+ACKs, and keeps segments that came too early. */
export class Opening {
  #sent = 0;
  #firstAt: Instant = 0;
  readonly #stash: Segment[] = [];

  /** Counts a SYN and returns the time to wait for its answer, milliseconds; `undefined` when there were enough. */
  nextSyn(): number | undefined {
    if (this.#sent > SYN_RETRIES) return undefined;
    return Math.min(SYN_LONGEST_MS, SYN_FIRST_MS * 2 ** this.#sent++);
  }

  /** Counts a SYN+ACK and returns the time until the next, milliseconds. */
  nextSynAck(): number {
    return SYN_ACK_FIRST_MS * 2 ** this.#sent++;
  }

  /** A SYN or SYN+ACK leaves. */
  noteSent(now: Instant): void {
    if (this.#sent <= 1) this.#firstAt = now;
  }

  /** The round-trip time that the answer shows, milliseconds; `undefined` when it may answer a repetition. */
  roundTrip(now: Instant): number | undefined {
    return this.#sent === 1 ? now - this.#firstAt : undefined;
  }

  /** Whether more than one was sent. */
  get isRepeated(): boolean {
    return this.#sent > 1;
  }

  /** Keeps a segment that arrived before the SYN+ACK, if it belongs to the connection that starts at `first`. */
  stash(segment: Segment, first: number): void {
    const isData = (segment.flags & Flag.ACK) !== 0 && segment.acknowledgement === first &&
      segment.payload.length > 0;
    const isEnd = (segment.flags & Flag.FIN) !== 0;
    if ((isData || isEnd) && this.#stash.length < MAX_STASHED) {
      this.#stash.push({ ...segment, payload: segment.payload.slice() });
    }
  }

  /** Takes what was kept. */
  takeStash(): Segment[] {
    return this.#stash.splice(0);
  }

  /**
   * Where the peer's data begins. Old nodes repeat a SYN+ACK with a number that moved on with the data they sent.
   * If such data is here, the peer is an old node, and these always begin at {@linkcode FIRST_OF_OLD_NODES}.
   */
  firstOfPeer(synAck: Segment): number {
    const first = sequenceAdd(synAck.sequence, 1);
    const hasMovedOn = this.#stash.some(({ sequence, payload }) =>
      payload.length > 0 && isBefore(sequence, first) && isPlausible(sequenceDifference(first, sequence)) &&
      isPlausible(sequenceDifference(sequence, FIRST_OF_OLD_NODES))
    );
    return hasMovedOn ? FIRST_OF_OLD_NODES : first;
  }
}

/** A random initial sequence number (RFC 6528). Never 0: by that other implementations can be told apart. */
export function initialSequence(random: RandomSource): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(new Uint8Array(4));
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0 || 1;
}
