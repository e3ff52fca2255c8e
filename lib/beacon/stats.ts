/**
 * What a beacon has done, as plain numbers.
 */

/** Counters since the start, and three gauges (`nodes`, `sessions`, `queued`). */
export interface BeaconStats {
  nodes: number;
  /** Nodes on connections of their own. */
  sessions: number;
  /** Datagrams waiting to be sent. */
  queued: number;
  discovers: number;
  discoversLimited: number;
  /** Questions about the asker's NAT. */
  examines: number;
  examinesLimited: number;
  /** Claims of a node ID that stood beside a fresh one of another endpoint. */
  contested: number;
  /** Claims that were not kept: the node has two fresh endpoints, or the table is full. */
  claimsRefused: number;
  expired: number;
  punches: number;
  punchesLimited: number;
  punchesUnknown: number;
  /** Sent on to the beacon of their target. */
  punchesForwarded: number;
  relayed: number;
  relayedBytes: number;
  /** Of the relayed ones, those sent on to another beacon. */
  forwarded: number;
  relaysUnknown: number;
  relaysLimited: number;
  relaysImplausible: number;
  /** What came on a session and was not relaying in its node's own name. */
  framesRefused: number;
  syncs: number;
  syncsRefused: number;
  notified: number;
  malformed: number;
  /** Dropped because too much waited to be sent. */
  overflows: number;
}

export function newStats(): BeaconStats {
  return {
    nodes: 0,
    sessions: 0,
    queued: 0,
    discovers: 0,
    discoversLimited: 0,
    examines: 0,
    examinesLimited: 0,
    contested: 0,
    claimsRefused: 0,
    expired: 0,
    punches: 0,
    punchesLimited: 0,
    punchesUnknown: 0,
    punchesForwarded: 0,
    relayed: 0,
    relayedBytes: 0,
    forwarded: 0,
    relaysUnknown: 0,
    relaysLimited: 0,
    relaysImplausible: 0,
    framesRefused: 0,
    syncs: 0,
    syncsRefused: 0,
    notified: 0,
    malformed: 0,
    overflows: 0,
  };
}
