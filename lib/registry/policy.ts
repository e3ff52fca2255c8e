/** What a registry allows and how long it remembers: every number an operator may want to change. */

import type { BucketRate } from "../core/limiter.ts";

/** The rules of one registry. Times are milliseconds. */
export interface Policy {
  /** One side's word makes a pair trusted, as older registries had it. Without it both sides must agree. */
  readonly legacyTrust: boolean;
  /** Silence after which a node is no longer live. Agents send a heartbeat every 30 s. */
  readonly reapAfterMs: number;
  /** Silence after which somebody else may announce a new endpoint for a node without a signature: two heartbeats. */
  readonly quietAfterMs: number;
  /** How long a name is kept for the node that had it, after that node has gone. */
  readonly nameReservationMs: number;
  /** How long a handshake message waits for its target. */
  readonly inboxLifetimeMs: number;
  /** How long a request that went through the relay can be answered. */
  readonly askLifetimeMs: number;
  /** Requests, and responses, that wait for one node; the oldest gives way. */
  readonly inboxLimit: number;
  /** UTF-8 bytes of a justification; longer ones are cut. */
  readonly justificationBytes: number;
  /** Longest accepted `wait_ms` of a poll. */
  readonly maxWaitMs: number;
  /** Peers that one node may ask, trust and revoke in all. */
  readonly maxRelations: number;
  /** Largest absolute value of a score, and of one change to it. */
  readonly maxScore: number;
  readonly maxScoreChange: number;
  /** How long a beacon is listed after it registered. */
  readonly beaconLifetimeMs: number;
  readonly maxBeacons: number;
  /** UTF-8 bytes of the owner text. */
  readonly maxOwnerBytes: number;
  /** The first number given to a node by a fresh registry; lower ones look like well-known addresses. */
  readonly firstNode: number;
  /** Budgets per source (an IPv4 address or an IPv6 /64), but `handshake` per sending node. */
  readonly rates: {
    /** New identities. */
    readonly register: BucketRate;
    /** Questions that need no signature: lookups by number and by name. */
    readonly ask: BucketRate;
    /** Changes of a score, which anybody can make. */
    readonly score: BucketRate;
    /** Handshake messages to other nodes. */
    readonly handshake: BucketRate;
    /** All requests together. */
    readonly any: BucketRate;
  };
  /** Sources tracked per budget. Beyond that, sources that spend nothing are forgotten first. */
  readonly maxSources: number;
  /** Programs on the registry's own computer have no budget. */
  readonly exemptLoopback: boolean;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** The rules of the public network, with the safer choice where older registries left a hole. */
export const DEFAULT_POLICY: Policy = {
  legacyTrust: false,
  reapAfterMs: 3 * MINUTE,
  quietAfterMs: 75_000,
  nameReservationMs: DAY,
  inboxLifetimeMs: 7 * DAY,
  askLifetimeMs: 30 * DAY,
  inboxLimit: 100,
  justificationBytes: 1024,
  maxWaitMs: MINUTE,
  maxRelations: 10_000,
  maxScore: 1_000_000,
  maxScoreChange: 1_000,
  beaconLifetimeMs: MINUTE,
  maxBeacons: 256,
  maxOwnerBytes: 256,
  firstNode: 1000,
  rates: {
    register: { burst: 10, perSecond: 1 / 6 },
    ask: { burst: 600, perSecond: 60 },
    score: { burst: 60, perSecond: 1 },
    handshake: { burst: 200, perSecond: 1 },
    any: { burst: 2_000, perSecond: 200 },
  },
  maxSources: 100_000,
  exemptLoopback: true,
};
