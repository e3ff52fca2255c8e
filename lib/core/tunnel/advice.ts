/**
 * What stands in the way of a better path, as codes for programs. The words for people are made elsewhere.
 */

import type { SearchState } from "./searches.ts";
import { planSearch } from "./search_plan.ts";
import { type NatBehaviour, natType } from "../nat/behaviour.ts";

/** What stands in the way. */
export type AdviceCode =
  /** No beacon is configured: nothing can be relayed, and nobody helps to punch. */
  | "no_beacon"
  | "beacon_unreachable"
  /** UDP does not leave this network; everything goes over the relay's TLS port. */
  | "own_udp_blocked"
  | "peer_udp_blocked"
  | "own_symmetric_nat"
  | "peer_symmetric_nat"
  /** Both sides are behind NATs whose ports cannot be predicted: the relay is the right answer. */
  | "both_symmetric_nat"
  /** The NAT of this node has not been examined, or its beacon cannot help to. */
  | "own_nat_unknown"
  /** The peer speaks the public protocol only: it cannot exchange candidates. */
  | "peer_foreign"
  /** Nobody has told where the peer could be reached directly. */
  | "peer_endpoint_unknown"
  /** Direct paths are being probed and punched right now. */
  | "punching"
  /** The port that the peer's NAT has chosen is being searched. */
  | "searching_ports"
  /** A search has failed and is not repeated before `milliseconds` from now. */
  | "search_backoff_until"
  /** A direct path worked before and has stopped answering. */
  | "direct_path_lost"
  /** The peer has not answered for `milliseconds`. */
  | "peer_silent"
  /** Many probes on the path in use are lost. */
  | "high_loss";

/** One thing that stands in the way. */
export interface Advice {
  readonly code: AdviceCode;
  /** A time that belongs to it. */
  readonly milliseconds?: number;
}

/** How the way to the peer stands. */
export interface AdviceFacts {
  readonly path: "direct" | "relay" | "none";
  readonly reason: string;
  readonly isOwnKind: boolean;
  /** Milliseconds without an answer to what we sent; 0 when there is nothing wrong. */
  readonly silentFor: number;
  readonly loss: number | undefined;
}

/** What is known of the two ends. */
export interface AdviceContext {
  /** Whether there is a beacon to relay through. */
  readonly hasRelay: boolean;
  readonly isBeaconReachable: boolean;
  /** The NAT in front of this node, as far as it is known. */
  readonly nat: NatBehaviour;
  /** Whether this node has nothing but the relay: UDP does not pass its network. */
  readonly isRelayOnly?: boolean | undefined;
  /** What the peer told of its own NAT. */
  readonly peerNat?: NatBehaviour | undefined;
  /** Whether the peer has said that only the relay reaches it. */
  readonly isPeerRelayOnly?: boolean | undefined;
  /** A search for the port of a symmetric NAT: under way, or not before so many milliseconds from now. */
  readonly search?: SearchState | undefined;
}

/** Loss from which a path is called lossy. */
const HIGH_LOSS = 0.1;

/** Everything that stands in the way, the most telling first. */
export function advise(facts: AdviceFacts, context: AdviceContext): Advice[] {
  const advice: Advice[] = [];
  if (facts.silentFor > 0) advice.push({ code: "peer_silent", milliseconds: Math.round(facts.silentFor) });
  if ((facts.loss ?? 0) > HIGH_LOSS) advice.push({ code: "high_loss" });
  if (!context.hasRelay) advice.push({ code: "no_beacon" });
  else if (!context.isBeaconReachable) advice.push({ code: "beacon_unreachable" });
  if (facts.path === "direct" || facts.reason === "no_session") return advice;
  return [...advice, ...obstacles(facts, context)];
}

/** What keeps a relayed peer from a direct path. */
function obstacles(facts: AdviceFacts, context: AdviceContext): Advice[] {
  const advice: Advice[] = [];
  if (context.isRelayOnly === true) return [{ code: "own_udp_blocked" }];
  if (context.isPeerRelayOnly === true) return [{ code: "peer_udp_blocked" }];
  const own = natType(context.nat);
  const peer = context.peerNat === undefined ? "unknown" : natType(context.peerNat);
  if (own === "symmetric" && peer === "symmetric" && isHopeless(context)) {
    advice.push({ code: "both_symmetric_nat" });
  } else {
    if (own === "symmetric") advice.push({ code: "own_symmetric_nat" });
    if (peer === "symmetric") advice.push({ code: "peer_symmetric_nat" });
  }
  if (own === "unknown") advice.push({ code: "own_nat_unknown" });
  if (!facts.isOwnKind) advice.push({ code: "peer_foreign" });
  if (facts.reason === "relay_direct_lost") advice.push({ code: "direct_path_lost" });
  if (facts.reason === "relay_no_candidate") advice.push({ code: "peer_endpoint_unknown" });
  if (facts.reason === "relay_trying") advice.push({ code: "punching" });
  if (context.search?.running === true) advice.push({ code: "searching_ports" });
  const { heldFor } = context.search ?? {};
  if (heldFor !== undefined) {
    advice.push({ code: "search_backoff_until", milliseconds: Math.round(heldFor) });
  }
  return advice;
}

/** Whether not even a search of ports could find a way between the two NATs. */
function isHopeless({ nat, peerNat = {} }: AdviceContext): boolean {
  return planSearch(nat, peerNat, true) === undefined && planSearch(nat, peerNat, false) === undefined;
}
