/**
 * Whether two nodes can find each other by searching ports, and who does what: a decision from both NATs (RFC 4787).
 *
 * With an endpoint-independent mapping on both sides, or on one that lets in whoever comes from a known address,
 * ordinary punching is enough. Otherwise a mapping of the other side must be found or foretold:
 *
 * ```text
 * one side's outside port is known (strict filter), the other one maps by destination
 *   its ports can be foretold      it opens one socket and says which port came last; the known side aims next to it
 *   its ports are random           it opens many sockets towards the known side, which sends to random ports
 * both sides map by destination
 *   both can be foretold           both send a row of probes at once, each to where the other's row comes from
 *   one lets in a whole address    it opens many sockets; the other one sends to random ports. Its answers must come
 *                                  from the mapping that was found: so it maps by address, or the other filters so
 *   otherwise                      each guess would have to meet both the port and the filter: hopeless
 * ```
 */

import type { NatFacts } from "../../wire/candidates.ts";

/** What a node does in a search: `open` meets `spray`, `offer` meets `aim`, `row` meets `row`. */
export type SearchRole = "open" | "spray" | "offer" | "aim" | "row";

interface Traits {
  /** Whether the outside port is the same for all destinations; assumed while unknown. */
  readonly isFixed: boolean;
  /** Whether the mapping depends on the address alone. */
  readonly isByAddress: boolean;
  /** Whether whatever comes from an address that was sent to is let in. */
  readonly isLoose: boolean;
  /** Whether the next outside port can be foretold. */
  readonly isPredictable: boolean;
}

/** Our role in a search with a peer, `undefined` when none is needed or none can help. `isLower`: of both node ids. */
export function planSearch(own: NatFacts, theirs: NatFacts, isLower: boolean): SearchRole | undefined {
  const [we, they] = [traitsOf(own), traitsOf(theirs)];
  if (we.isFixed && they.isFixed) return undefined;
  if (we.isFixed) {
    if (we.isLoose) return undefined;
    return they.isPredictable ? "aim" : "spray";
  }
  if (they.isFixed) {
    if (they.isLoose) return undefined;
    return we.isPredictable ? "offer" : "open";
  }
  if (we.isPredictable && they.isPredictable) return "row";
  const weCanOpen = canOpen(we, they);
  if (!canOpen(they, we)) return weCanOpen ? "open" : undefined;
  return weCanOpen && isLower ? "open" : "spray";
}

/** Whether all is known that the plan depends on, so that there is no reason to wait for luck. */
export function isCertain(nat: NatFacts): boolean {
  return nat.isTranslated === false ? nat.filtering !== undefined : nat.mapping !== undefined &&
    nat.filtering !== undefined && (nat.mapping === "endpoint-independent" || nat.ports !== undefined);
}

/** Whether a role needs the port that the NAT gave last, and has to say so. */
export function needsLastPort(role: SearchRole): boolean {
  return role === "offer" || role === "row";
}

function canOpen(opener: Traits, other: Traits): boolean {
  return opener.isLoose && (opener.isByAddress || other.isLoose);
}

function traitsOf({ isTranslated, mapping, filtering, ports }: NatFacts): Traits {
  return {
    isFixed: isTranslated === false || mapping === undefined || mapping === "endpoint-independent",
    isByAddress: mapping === "address-dependent",
    isLoose: filtering === "endpoint-independent" || filtering === "address-dependent",
    isPredictable: ports === "sequential" || ports === "preserving",
  };
}
