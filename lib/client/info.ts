/** What an agent tells about itself, typed. */

import type { Fields } from "./fields.ts";

/** One peer of the agent. */
export interface ClientPeer {
  readonly node_id: number;
  readonly hostname: string;
  /** `host:port` of the path in use, the beacon's for a relayed peer. */
  readonly endpoint: string;
  readonly encrypted: boolean;
  readonly authenticated: boolean;
  readonly path: "direct" | "relay" | "none";
  /** Round-trip time in milliseconds, `null` when none was measured. */
  readonly rtt_ms: number | null;
  readonly dialect: "current" | "v0.5" | "unknown";
}

/** One stream of the agent. Windows are bytes, times milliseconds. */
export interface ClientConnection {
  readonly id: number;
  readonly local_port: number;
  readonly remote_addr: string;
  readonly remote_port: number;
  readonly state: string;
  readonly cong_win: number;
  readonly ssthresh: number;
  readonly in_flight: number;
  readonly srtt_ms: number;
  readonly rttvar_ms: number;
  readonly unacked: number;
  readonly ooo_buf: number;
  readonly peer_recv_win: number;
  readonly recv_win: number;
  readonly in_recovery: boolean;
  readonly bytes_sent: number;
  readonly bytes_recv: number;
  readonly segs_sent: number;
  readonly segs_recv: number;
  readonly retransmits: number;
  readonly fast_retx: number;
  readonly sack_recv: number;
  readonly sack_sent: number;
  readonly dup_acks: number;
}

/** The agent's state. Members that another make of agent does not report are 0, empty, false or `null`. */
export interface ClientInfo {
  readonly node_id: number;
  readonly address: string;
  readonly hostname: string;
  readonly uptime_secs: number;
  readonly connections: number;
  readonly ports: number;
  readonly peers: number;
  readonly encrypted_peers: number;
  readonly authenticated_peers: number;
  readonly encrypt: boolean;
  readonly identity: boolean;
  readonly public_key: string;
  readonly owner: string;
  readonly bytes_sent: number;
  readonly bytes_recv: number;
  readonly pkts_sent: number;
  readonly pkts_recv: number;
  readonly peer_list: readonly ClientPeer[];
  readonly conn_list: readonly ClientConnection[];
  /** Empty for agents that do not tell their version. */
  readonly version: string;
  /** Which implementation of the tunnels' cipher the agent uses; empty for agents that do not tell. */
  readonly aead: string;
  /** How the agent's datagrams reach the kernel, `ffi` or `deno`; empty for agents that do not tell. */
  readonly udp: string;
  readonly features: readonly string[];
  /** 0 when unknown. */
  readonly pid: number;
  readonly home: string;
  readonly endpoint: string;
  readonly nat_type: string;
  readonly strategy: string;
  /** What carries datagrams to the beacon, `udp` or `wss`; empty when the agent does not say. */
  readonly transport: string;
  /** Since when, Unix seconds; 0 when the agent does not say. */
  readonly transport_since: number;
  /** Why that does not work, if it does not. */
  readonly transport_error?: string;
  readonly public: boolean;
  readonly registry: { readonly address: string; readonly connected: boolean; readonly error?: string };
  /** The beacon in use. */
  readonly beacon: ClientBeacon;
  /** All configured beacons; empty for agents that know of one only. */
  readonly beacons: readonly (ClientBeacon & { readonly in_use: boolean })[];
  readonly trusted: number;
  readonly pending: number;
  readonly drops: Readonly<Record<string, number>>;
}

/** A beacon as its agent sees it. */
export interface ClientBeacon {
  /** `host:port` as configured. */
  readonly address: string;
  readonly reachable: boolean;
  /** Milliseconds, `null` while unknown. */
  readonly rtt_ms: number | null;
}

/** Reads the answer to `Info` of any agent. */
export function readInfo(info: Fields): ClientInfo {
  const registry = info.object("registry");
  const beacon = info.object("beacon");
  return {
    node_id: info.number("node_id"),
    address: info.text("address"),
    hostname: info.text("hostname"),
    uptime_secs: info.number("uptime_secs"),
    connections: info.number("connections"),
    ports: info.number("ports"),
    peers: info.number("peers"),
    encrypted_peers: info.number("encrypted_peers"),
    authenticated_peers: info.number("authenticated_peers"),
    encrypt: info.flag("encrypt"),
    identity: info.flag("identity"),
    public_key: info.text("public_key"),
    owner: info.text("owner"),
    bytes_sent: info.number("bytes_sent"),
    bytes_recv: info.number("bytes_recv"),
    pkts_sent: info.number("pkts_sent"),
    pkts_recv: info.number("pkts_recv"),
    peer_list: info.objects("peer_list").map(readPeer),
    conn_list: info.objects("conn_list").map(readConnection),
    version: info.text("version"),
    aead: info.text("aead"),
    udp: info.text("udp"),
    features: info.texts("features"),
    pid: info.number("pid"),
    home: info.text("home"),
    endpoint: info.text("endpoint"),
    nat_type: info.text("nat_type"),
    strategy: info.text("strategy"),
    transport: info.text("transport"),
    transport_since: info.number("transport_since"),
    ...(info.text("transport_error") === "" ? {} : { transport_error: info.text("transport_error") }),
    public: info.flag("public"),
    registry: {
      address: registry.text("address"),
      connected: registry.flag("connected"),
      ...(registry.text("error") === "" ? {} : { error: registry.text("error") }),
    },
    beacon: {
      // Agents of the public network report the beacon's address as a member of its own.
      address: beacon.text("address") || info.text("beacon_addr"),
      reachable: beacon.flag("reachable"),
      rtt_ms: beacon.numberOrNull("rtt_ms"),
    },
    beacons: info.objects("beacons").map((each) => ({
      address: each.text("address"),
      reachable: each.flag("reachable"),
      rtt_ms: each.numberOrNull("rtt_ms"),
      in_use: each.flag("in_use"),
    })),
    trusted: info.number("trusted"),
    pending: info.number("pending"),
    drops: info.object("drops").numbers(),
  };
}

function readPeer(peer: Fields): ClientPeer {
  return {
    node_id: peer.number("node_id"),
    hostname: peer.text("hostname"),
    endpoint: peer.text("endpoint"),
    encrypted: peer.flag("encrypted"),
    authenticated: peer.flag("authenticated"),
    path: peer.word("path", ["none", "direct", "relay"]),
    rtt_ms: peer.numberOrNull("rtt_ms"),
    dialect: peer.word("dialect", ["unknown", "current", "v0.5"]),
  };
}

function readConnection(connection: Fields): ClientConnection {
  const number = (name: string) => connection.number(name);
  return {
    id: number("id"),
    local_port: number("local_port"),
    remote_addr: connection.text("remote_addr"),
    remote_port: number("remote_port"),
    state: connection.text("state"),
    cong_win: number("cong_win"),
    ssthresh: number("ssthresh"),
    in_flight: number("in_flight"),
    srtt_ms: number("srtt_ms"),
    rttvar_ms: number("rttvar_ms"),
    unacked: number("unacked"),
    ooo_buf: number("ooo_buf"),
    peer_recv_win: number("peer_recv_win"),
    recv_win: number("recv_win"),
    in_recovery: connection.flag("in_recovery"),
    bytes_sent: number("bytes_sent"),
    bytes_recv: number("bytes_recv"),
    segs_sent: number("segs_sent"),
    segs_recv: number("segs_recv"),
    retransmits: number("retransmits"),
    fast_retx: number("fast_retx"),
    sack_recv: number("sack_recv"),
    sack_sent: number("sack_sent"),
    dup_acks: number("dup_acks"),
  };
}
