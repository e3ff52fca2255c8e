/**
 * What goes into a sending half, and what comes out of it.
 */

import { sequenceAdd } from "../seq.ts";
import type { SackBlock } from "../../wire/sack.ts";
import type { CongestionFactory } from "./congestion.ts";
import type { TransportProfile } from "./profile.ts";

/** A piece of data to send: a new one, or exactly one that was sent before. */
export interface DataSegment {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** What an ACK packet of the peer says. */
export interface Acknowledgement {
  readonly number: number;
  /** As on the wire. */
  readonly window: number;
  readonly blocks: readonly SackBlock[];
  /** Whether the packet carried data. */
  readonly hasData: boolean;
}

/** Counters for operators. */
export interface SendStats {
  bytes: number;
  segments: number;
  retransmissions: number;
  fastRetransmissions: number;
  duplicates: number;
  sackBlocks: number;
}

/** What {@linkcode SendSide} is made with; the defaults are those of a stream. */
export interface SendOptions {
  /** Bytes, for good: without it the buffer follows the window. */
  readonly capacity?: number | undefined;
  readonly congestion?: CongestionFactory | undefined;
  /** Payload bytes of a full segment. */
  readonly segmentSize?: number | undefined;
  readonly profile?: TransportProfile | undefined;
}

/** Counters that have counted nothing. */
export function emptyStats(): SendStats {
  return { bytes: 0, segments: 0, retransmissions: 0, fastRetransmissions: 0, duplicates: 0, sackBlocks: 0 };
}

/** A segment in pieces of at most `size` bytes. */
export function cutAnew({ sequence, payload }: DataSegment, size: number): DataSegment[] {
  const pieces: DataSegment[] = [];
  for (let at = 0; at < payload.length; at += size) {
    pieces.push({ sequence: sequenceAdd(sequence, at), payload: payload.subarray(at, at + size) });
  }
  return pieces;
}
