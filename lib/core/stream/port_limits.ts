/**
 * Bounds on what peers can make a node hold, and their defaults.
 */

import type { BucketRate } from "../limiter.ts";
import type { CongestionFactory } from "./congestion.ts";

/** Limits of one node's connections. */
export interface PortLimits {
  /** Connections accepted on one port. */
  readonly perPort: number;
  /** Connections in all. */
  readonly total: number;
  /** Connections that still wait for the third packet of their handshake. */
  readonly embryonic: number;
  /** Accepted connections of a port that the application has not taken yet. */
  readonly backlog: number;
  /** Finished connections that are still remembered, so that late packets are answered. */
  readonly lingering: number;
  /**
   * New connections per source node, checked before the rate of all. Only nodes that were authenticated and admitted
   * get so far, so this bounds mistakes rather than attacks.
   */
  readonly perSource: BucketRate;
  readonly allSources: BucketRate;
  /** Source nodes whose rate is kept (Pilot Protocol). */
  readonly sources: number;
  /** Answers to packets of unknown connections. */
  readonly resets: BucketRate;
  /** Bytes a writer may be ahead of the peer. */
  readonly sendBuffer: number | undefined;
  /** Segments that may wait for a reader. */
  readonly receiveSegments: number | undefined;
  /** The congestion controller of new streams. */
  readonly congestion: CongestionFactory | undefined;
}

/** The limits of a node unless configured. */
export const DEFAULT_LIMITS: PortLimits = {
  perPort: 12_288,
  total: 16_384,
  embryonic: 1_024,
  backlog: 512,
  lingering: 4_096,
  perSource: { perSecond: 2_000, burst: 4_096 },
  allSources: { perSecond: 8_000, burst: 8_192 },
  sources: 4_096,
  resets: { perSecond: 100, burst: 100 },
  sendBuffer: undefined,
  receiveSegments: undefined,
  congestion: undefined,
};
