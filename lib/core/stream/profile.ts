/**
 * What two nodes may expect of each other's streams.
 *
 * Every node of the network takes {@linkcode FOREIGN_PROFILE}. Nodes like ours tell each other more under their
 * signature, and {@linkcode agreeOn} gives what follows for both.
 */

import { MAX_OUTSTANDING, SEGMENT_SIZE } from "./segment.ts";

/** The bounds of a stream with one peer. */
export interface TransportProfile {
  /** Largest payload of a segment that the peer takes, bytes. What the path carries may be less. */
  readonly segmentSize: number;
  /** Segments that the peer can hold out of order. */
  readonly outOfOrder: number;
  /** Largest receive window that we may advertise, segments. */
  readonly windowSegments: number;
  /**
   * The window field counts segments times two to the power of this, as in RFC 7323 section 2, except in packets
   * with SYN.
   */
  readonly windowShift: number;
}

/** What every node of the network can do (Pilot Protocol). */
export const FOREIGN_PROFILE: TransportProfile = {
  segmentSize: SEGMENT_SIZE,
  outOfOrder: MAX_OUTSTANDING,
  windowSegments: 512,
  windowShift: 0,
};

/** What we offer to a node like ours: 1 Gbit/s at 200 ms needs 21,700 segments of the usual size in flight. */
export const OWN_PROFILE: TransportProfile = {
  segmentSize: 16_384,
  outOfOrder: 32_768,
  windowSegments: 32_768,
  windowShift: 0,
};

const MAX_SHIFT = 8;

/** The profile of streams between a node that offers `ours` and one that offers `theirs`. Absurd offers are bounded. */
export function agreeOn(ours: TransportProfile, theirs: TransportProfile): TransportProfile {
  return {
    segmentSize: Math.max(SEGMENT_SIZE, Math.min(ours.segmentSize, theirs.segmentSize)),
    outOfOrder: Math.max(FOREIGN_PROFILE.outOfOrder, Math.min(ours.outOfOrder, theirs.outOfOrder)),
    windowSegments: Math.max(FOREIGN_PROFILE.windowSegments, ours.windowSegments),
    windowShift: Math.max(0, Math.min(ours.windowShift, theirs.windowShift, MAX_SHIFT)),
  };
}

/** Whether a profile promises more than every node of the network can do. */
export function isExtended(profile: TransportProfile): boolean {
  return profile.outOfOrder > FOREIGN_PROFILE.outOfOrder;
}
