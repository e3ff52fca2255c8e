/**
 * The ways to the peers of an agent, in the form that its clients read.
 */

import type { ClientPath, PathMethod } from "../../lib/client/paths.ts";
import type { Node } from "../../lib/core/node.ts";
import { type NatType, natType } from "../../lib/core/nat/behaviour.ts";
import type { Peer } from "../../lib/core/tunnel/peer.ts";
import { type PathReport, type PeerReport, reportPeer } from "../../lib/core/tunnel/report.ts";
import { formatAddress } from "../../lib/wire/address.ts";
import { type Endpoint, formatEndpoint } from "../../lib/wire/endpoint.ts";
import type { PeerPaths } from "./api.ts";

/** What a report is drawn from. */
export interface ReportSource {
  readonly node: Node;
  /** Hostnames of nodes where they are known. */
  readonly names: ReadonlyMap<number, string>;
  /** The present instant of the node's clock. */
  readonly now: number;
}

/** How the ways to all peers with a tunnel stand, or to one. */
export function reportPaths(source: ReportSource, wanted?: number): PeerPaths[] {
  const all = [...source.node.tunnels.peers()];
  const peers = wanted === undefined
    ? all.filter((peer) => peer.hasSession)
    : all.filter((peer) => peer.node === wanted);
  return peers.map((peer) => peerPaths(peer, source));
}

/** How the way to one peer stands. */
export function peerPaths(peer: Peer, source: ReportSource): PeerPaths {
  const { node, now, names } = source;
  const { peerNat, search } = node.tunnels.traversalState(peer.node, now);
  const report = reportPeer(peer, {
    now,
    hasRelay: node.beacon.beacon !== undefined,
    isBeaconReachable: node.beacon.isReachable,
    nat: node.nat,
    isRelayOnly: node.tunnels.relayOnly,
    isPeerRelayOnly: peer.isRelayOnly,
    peerNat,
    search,
  });
  const relay = node.beacon.beacon;
  const paths = report.paths.map((path) => pathJson(path, relay));
  const sum = (count: (path: ClientPath) => number) => paths.reduce((total, path) => total + count(path), 0);
  const { inUse } = report;
  return {
    node_id: peer.node,
    hostname: names.get(peer.node) ?? "",
    address: formatAddress({ network: 0, node: peer.node }),
    path: report.path,
    method: methodOf(report, {
      own: natType(node.nat),
      // Peers do not tell from how many addresses they were examined.
      peer: peerNat === undefined ? "unknown" : natType({ ...peerNat, filteringIsBound: true }),
    }),
    endpoint: inUse === undefined ? "" : endpointOf(inUse, relay),
    reason: report.reason,
    since_ms: rounded(report.since),
    rtt_ms: rounded(inUse?.rtt),
    smoothed_rtt_ms: rounded(inUse?.smoothedRtt),
    min_rtt_ms: rounded(inUse?.minRtt),
    loss: rounded(inUse?.loss),
    heard_ago_ms: rounded(report.heardAgo),
    bytes_sent: sum((path) => path.bytes_sent),
    bytes_recv: sum((path) => path.bytes_recv),
    pkts_sent: sum((path) => path.pkts_sent),
    pkts_recv: sum((path) => path.pkts_recv),
    encrypted: peer.hasSession,
    authenticated: peer.isProven,
    own_kind: report.isOwnKind,
    dialect: peer.dialect ?? "unknown",
    advice: report.advice.map(({ code, milliseconds }) => ({ code, ms: milliseconds ?? null })),
    paths,
  };
}

/**
 * How the traffic travels. A direct path needs no hole where one end is reachable by all, inside a network, or through
 * a port that a router keeps open.
 */
export function methodOf(
  report: Pick<PeerReport, "path" | "inUse">,
  nat: { readonly own: NatType; readonly peer: NatType },
): PathMethod {
  if (report.path !== "direct") return report.path;
  const { kind, endpoint } = report.inUse ?? {};
  if (kind === "local" || kind === "mapped") return "direct";
  if (endpoint !== undefined && isPrivate(endpoint.host)) return "direct";
  if (kind === "searched") return "hole-punch";
  if (isOpen(nat.own) || isOpen(nat.peer)) return "direct";
  return nat.own === "unknown" && nat.peer === "unknown" && kind !== "punched" ? "direct" : "hole-punch";
}

function isOpen(nat: NatType): boolean {
  return nat === "none" || nat === "full-cone";
}

/** Addresses that no NAT on the internet stands in front of (RFC 1918, 1122, 3927, 4193, 4291). */
function isPrivate(host: string): boolean {
  return /^(10\.|127\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|::1$|f[cd]|fe[89ab])/i.test(host);
}

function pathJson(path: PathReport, relay: Endpoint | undefined): ClientPath {
  return {
    kind: path.kind,
    endpoint: endpointOf(path, relay),
    state: path.state,
    probes_sent: path.probesSent,
    probes_answered: path.probesAnswered,
    loss: rounded(path.loss),
    sent_ago_ms: rounded(path.sentAgo),
    heard_ago_ms: rounded(path.heardAgo),
    rtt_ms: rounded(path.rtt),
    smoothed_rtt_ms: rounded(path.smoothedRtt),
    min_rtt_ms: rounded(path.minRtt),
    proven_for_ms: rounded(path.provenFor),
    failures: path.failures,
    held_ms: rounded(path.heldFor),
    next_probe_ms: rounded(path.nextProbeIn),
    datagram: path.datagram,
    bytes_sent: path.bytesSent,
    bytes_recv: path.bytesReceived,
    pkts_sent: path.packetsSent,
    pkts_recv: path.packetsReceived,
  };
}

function endpointOf(path: PathReport, relay: Endpoint | undefined): string {
  const endpoint = path.endpoint ?? relay;
  return endpoint === undefined ? "" : formatEndpoint(endpoint);
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 1000) / 1000;
}
