/** What a node says of ways to reach it, and what it makes of what its peers say. */

import type { Candidate, NatFacts } from "../../wire/candidates.ts";
import { MAX_ENDPOINTS } from "../../wire/candidates.ts";
import { type Endpoint, sameEndpoint } from "../../wire/endpoint.ts";
import { scopeOf } from "../punch_target.ts";

/** What a node knows of ways to reach it. */
export interface OwnCandidates {
  /** Its addresses with the port of the main socket. */
  readonly local: readonly Endpoint[];
  /** Where its beacon sees it. */
  readonly reflexive: Endpoint | undefined;
  /** Where its router forwards from. */
  readonly mapped: Endpoint | undefined;
  readonly nat: NatFacts;
}

/** Endpoints of a peer that are tried, at most: the rest of the paths is for what is found otherwise. */
const MAX_TRIED = 8;

/** The list to send: what is likely to work first, without what means nothing to others. */
export function candidateList(own: OwnCandidates): Candidate[] {
  const list: Candidate[] = [];
  if (own.mapped !== undefined) list.push({ kind: "mapped", endpoint: own.mapped });
  if (own.reflexive !== undefined) list.push({ kind: "reflexive", endpoint: own.reflexive });
  for (const endpoint of own.local) {
    if (isMeaningful(endpoint)) list.push({ kind: "local", endpoint });
  }
  return list.slice(0, MAX_ENDPOINTS);
}

/**
 * Those of a peer's candidates that are worth a packet. An address of a private network is only tried when that
 * network may be ours: a peer must not make nodes send into networks of others.
 */
export function usableCandidates(theirs: readonly Candidate[], own: OwnCandidates): Candidate[] {
  const theirReflexive = theirs.find(({ kind }) => kind === "reflexive")?.endpoint.host;
  const isNeighbour = theirReflexive !== undefined && theirReflexive === own.reflexive?.host;
  const usable = theirs.filter(({ kind, endpoint }) => {
    if (!isMeaningful(endpoint) || own.local.some((each) => sameEndpoint(each, endpoint))) return false;
    if (endpoint.host.includes(":") && !mayUseIpv6(own)) return false;
    if (scopeOf(endpoint.host) === "global") return true;
    if (isLoopback(endpoint.host)) return own.local.some(({ host }) => isLoopback(host));
    const range = rangeOf(endpoint.host);
    return isNeighbour || own.local.some(({ host }) => rangeOf(host) === range) ||
      // The beacon is on such a network, hence so are all.
      (kind !== "local" && own.reflexive !== undefined && scopeOf(own.reflexive.host) === "local");
  });
  return usable.slice(0, MAX_TRIED);
}

/** Unicast, and without the zone that a link-local IPv6 address needs. */
function isMeaningful({ host, port }: Endpoint): boolean {
  return port !== 0 && scopeOf(host) !== "none" && !/^fe[89ab]/.test(host);
}

/** Whether anything speaks for IPv6 here; nothing speaks against it while our addresses are unknown. */
function mayUseIpv6({ local }: OwnCandidates): boolean {
  return local.length === 0 || local.some(({ host }) => host.includes(":"));
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

/** The range of RFC 1918, 3927, 4193 or 6598 that an address that is not global belongs to. */
function rangeOf(host: string): string {
  if (host.includes(":")) return "fc00::/7";
  const [a = "", b = ""] = host.split(".");
  if (a === "172") return "172.16/12";
  return a === "10" || a === "127" ? a : `${a}.${a === "100" ? "64/10" : b}`;
}
