/**
 * What a stream sends and receives: the stream part of a virtual packet, without addresses and ports.
 */

import { Flag } from "../../wire/packet.ts";

/** One segment. Numbers are as on the wire: sequences modulo 2^32, `window` in segments, `flags` a sum of `Flag`s. */
export interface Segment {
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly window: number;
  readonly payload: Uint8Array;
}

/** The payload of a segment without data. */
export const NO_PAYLOAD: Uint8Array = new Uint8Array(0);

/** Payload bytes of a full segment that we send; the largest relayed datagram then stays below 1,232 bytes. */
export const SEGMENT_SIZE = 1152;

/** Most segments sent and not yet acknowledged: receivers hold at most this many out of order. */
export const MAX_OUTSTANDING = 128;

/** Bytes that one unit of a window stands for when it is shown in bytes. Peers send segments of up to this size. */
export const WINDOW_UNIT = 4096;

/**
 * The answer to a segment of a connection we do not know. It carries the sequence number that its receiver expects
 * next, so it also means something to one that checks (RFC 5961 section 3.2); a SYN has told none yet.
 */
export function resetFor(offender: Segment): Segment {
  const sequence = (offender.flags & Flag.ACK) !== 0 ? offender.acknowledgement : 0;
  return { flags: Flag.RST, sequence, acknowledgement: 0, window: 0, payload: NO_PAYLOAD };
}

/** Whether data may lie `distance` bytes after what is expected; beyond `limit`, a sequence number is noise. */
export function isPlausible(distance: number, limit: number = MAX_DISTANCE): boolean {
  return distance >= 0 && distance <= limit;
}

/** How far ahead a peer may be that was promised a window of so many segments, bytes. */
export function plausibleDistance(windowSegments: number): number {
  const isExtended = windowSegments > COMMON_WINDOW;
  return isExtended ? Math.min(LARGEST_DISTANCE, windowSegments * LARGE_SEGMENT) : MAX_DISTANCE;
}

const COMMON_WINDOW = 512;
/** The largest segments that common path MTUs allow. */
const LARGE_SEGMENT = 16_384;
/** Half of what sequence numbers can tell apart. */
const LARGEST_DISTANCE = 2 ** 30;
const MAX_DISTANCE = MAX_OUTSTANDING * 65_535;
