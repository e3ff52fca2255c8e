/**
 * What the NAT in front of an agent means for its peers, in the words that users know.
 */

import type { NatType } from "../../lib/core/nat/behaviour.ts";

/** How peers get through to an agent. */
export type Strategy = "direct" | "hole-punch" | "relay" | "unknown";

/** What decides the strategy. */
export interface StrategyFacts {
  readonly nat: NatType;
  /** Whether a beacon answers, over whatever transport. */
  readonly hasBeacon: boolean;
  /** UDP does not pass: everything goes over the relay. */
  readonly isRelayOnly?: boolean;
  /** A router keeps a port open for the agent. */
  readonly isMapped?: boolean;
}

/**
 * How peers get through: at once, after both sides have opened their NATs, or only over the relay; `unknown` without a
 * beacon.
 */
export function strategyOf({ nat, hasBeacon, isRelayOnly, isMapped }: StrategyFacts): Strategy {
  if (isRelayOnly === true) return "relay";
  if (nat === "none" || nat === "full-cone" || isMapped === true) return "direct";
  if (!hasBeacon) return "unknown";
  return nat === "symmetric" ? "relay" : "hole-punch";
}
