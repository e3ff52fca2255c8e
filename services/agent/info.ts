/**
 * The agent's description of itself.
 */

import type { AeadProvider } from "../../lib/crypto/aead.ts";
import type { Identity } from "../../lib/crypto/identity.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { formatEndpoint, sameEndpoint } from "../../lib/wire/endpoint.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import type { AgentHealth, AgentInfo, PeerInfo } from "./api.ts";
import { natType } from "../../lib/core/nat/behaviour.ts";
import { strategyOf } from "./nat_words.ts";
import type { MappingReport } from "../../lib/io/portmap/port_mapping.ts";
import type { Registration } from "./registration.ts";
import type { NodeAccess } from "./node_access.ts";
import type { Transport } from "./transport.ts";
import type { Peer } from "../../lib/core/tunnel/peer.ts";

/** What the description is drawn from. */
export interface AgentParts {
  readonly access: NodeAccess;
  readonly registration: Registration;
  readonly identity: Identity;
  readonly owner: string;
  readonly home: string;
  readonly version: string;
  /** `host:port` as configured, and the address that this stands for, where it is known. */
  readonly beacons: () => readonly { readonly address: string; readonly endpoint: Endpoint | undefined }[];
  /** The tunnel socket as bound. */
  readonly local: () => Endpoint;
  readonly transport: Transport;
  /** How asking the router for a port went, `undefined` when none was asked. */
  readonly portMapping: () => MappingReport | undefined;
  /** What encrypts the tunnels, and how datagrams reach the kernel. */
  readonly aead: AeadProvider;
  readonly udp: () => string;
  readonly startedAt: number;
}

/** Additions to the public protocol of the local socket that this agent understands. */
const FEATURES: readonly string[] = [
  "dial_awaits_key",
  "key_request",
  "dgram_confirm",
  "half_close",
  "error_codes",
];

/** Everything about the agent, at this moment. `names` gives hostnames of nodes where they are known. */
export function describeAgent(parts: AgentParts, names: ReadonlyMap<number, string>): AgentInfo {
  const { node } = parts.access;
  const { registration } = parts;
  const peers = [...node.tunnels.peers()].filter((peer) => peer.hasSession);
  const connections = node.ports.list();
  const { stats } = node.tunnels;
  const nat = natType(node.nat);
  const hasBeacon = node.beacon.isReachable;
  const transport = parts.transport.state;
  return {
    node_id: node.node,
    address: registration.address,
    hostname: registration.hostname,
    uptime_secs: uptime(parts),
    connections: connections.filter(({ state }) => state !== "TIME_WAIT" && state !== "CLOSED").length,
    ports: node.ports.listening,
    peers: peers.length,
    encrypted_peers: peers.length,
    authenticated_peers: peers.length,
    encrypt: true,
    identity: true,
    public_key: encodeBase64(parts.identity.publicKey),
    owner: parts.owner,
    bytes_sent: stats.bytesSent,
    bytes_recv: stats.bytesReceived,
    pkts_sent: stats.packetsSent,
    pkts_recv: stats.packetsReceived,
    peer_list: peers.map((peer) => describePeer(peer, parts, names)),
    conn_list: connections,
    version: parts.version,
    aead: parts.aead.name,
    udp: parts.udp(),
    features: FEATURES,
    pid: Deno.pid,
    home: parts.home,
    endpoint: node.beacon.reflexive === undefined ? "" : formatEndpoint(node.beacon.reflexive),
    nat_type: nat,
    transport: transport.name,
    transport_since: transport.since,
    ...(transport.error === undefined ? {} : { transport_error: transport.error }),
    strategy: strategyOf({
      nat,
      hasBeacon,
      isRelayOnly: transport.name === "wss",
      isMapped: parts.portMapping()?.mapping?.scope === "public",
    }),
    public: node.isPublic,
    registry: registration.state,
    ...describeBeacons(parts),
    trusted: node.trust.trusted().length,
    pending: node.trust.pending().length,
    drops: { ...stats.drops(), ...node.trust.drops },
    ...(registration.hostnameError === undefined ? {} : { hostname_error: registration.hostnameError }),
  };
}

/** Whether the agent is well. `connections` is the number of its open streams. */
export function describeHealth(parts: AgentParts, connections: number): AgentHealth {
  const { node } = parts.access;
  let peers = 0;
  for (const peer of node.tunnels.peers()) if (peer.hasSession) peers++;
  return {
    node_id: node.node,
    address: parts.registration.address,
    uptime_secs: uptime(parts),
    registry_connected: parts.registration.state.connected,
    beacon_reachable: node.beacon.isReachable,
    connections,
    peers,
    version: parts.version,
  };
}

/** The beacons of the agent, and of them the one in use. */
export function describeBeacons(parts: AgentParts): Pick<AgentInfo, "beacon" | "beacons"> {
  const { beacon } = parts.access.node;
  const beacons = parts.beacons().map(({ address, endpoint }) => {
    const { reachable, rtt } = endpoint === undefined
      ? { reachable: false, rtt: undefined }
      : beacon.describe(endpoint);
    const in_use = endpoint !== undefined && beacon.beacon !== undefined &&
      sameEndpoint(endpoint, beacon.beacon);
    return { address, reachable, rtt_ms: rtt === undefined ? null : rounded(rtt), in_use };
  });
  const { address = "", rtt_ms = null } = beacons.find(({ in_use }) => in_use) ?? beacons[0] ?? {};
  // A carrier may lead to a beacon whose name cannot be looked up here.
  return { beacon: { address, reachable: beacon.isReachable, rtt_ms }, beacons };
}

function uptime({ startedAt }: AgentParts): number {
  return Math.round((performance.now() - startedAt) / 1000);
}

function describePeer(peer: Peer, parts: AgentParts, names: ReadonlyMap<number, string>): PeerInfo {
  const { beacon } = parts.access.node;
  const { path, endpoint, rtt } = peer.paths.describe(beacon.beacon !== undefined);
  const shown = path === "relay" ? beacon.beacon : endpoint;
  return {
    node_id: peer.node,
    hostname: names.get(peer.node) ?? "",
    endpoint: shown === undefined ? "" : formatEndpoint(shown),
    encrypted: true,
    authenticated: peer.isProven,
    path,
    rtt_ms: rtt === undefined ? null : rounded(rtt),
    dialect: peer.dialect ?? "unknown",
  };
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
