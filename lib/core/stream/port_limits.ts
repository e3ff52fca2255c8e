/**
 * Bounds on what peers can make a node hold, and their defaults.
 */

import type { BucketRate } from "../limiter.ts";

/** Limits of one node's connections. */
export interface PortLimits {
  /** Connections accepted on one port (Pilot Protocol: 1,024). */
  readonly perPort: number;
  /** Connections in all (Pilot Protocol: 4,096). */
  readonly total: number;
  /** Connections that still wait for the third packet of their handshake. */
  readonly embryonic: number;
  /** Accepted connections of a port that the application has not taken yet (Pilot Protocol: 64). */
  readonly backlog: number;
  /** Finished connections that are still remembered, so that late packets are answered. */
  readonly lingering: number;
  /** New connections per source node (Pilot Protocol: 10/s, burst 64), checked before the rate of all. */
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
}

/** The limits of a node unless configured. */
export const DEFAULT_LIMITS: PortLimits = {
  perPort: 1_024,
  total: 4_096,
  embryonic: 1_024,
  backlog: 64,
  lingering: 4_096,
  perSource: { perSecond: 10, burst: 64 },
  allSources: { perSecond: 1_000, burst: 1_000 },
  sources: 4_096,
  resets: { perSecond: 100, burst: 100 },
  sendBuffer: undefined,
  receiveSegments: undefined,
};
