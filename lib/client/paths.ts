/** What an agent tells about the ways to its peers, typed. */

import type { Fields } from "./fields.ts";

/** One path to a peer. Times are milliseconds before the report, `null` for never; bytes are UDP payload. */
export interface ClientPath {
  /** `relay`, or how the endpoint became known. */
  readonly kind: string;
  /** `host:port`, the beacon's for the relay. */
  readonly endpoint: string;
  readonly state: "in_use" | "standby" | "trying" | "failed";
  readonly probes_sent: number;
  readonly probes_answered: number;
  /** Share of the latest probes without an answer, 0 to 1. */
  readonly loss: number | null;
  readonly sent_ago_ms: number | null;
  readonly heard_ago_ms: number | null;
  /** The shortest of the latest round-trip times. */
  readonly rtt_ms: number | null;
  readonly smoothed_rtt_ms: number | null;
  readonly min_rtt_ms: number | null;
  readonly proven_for_ms: number | null;
  /** Times it was given up after it had worked. */
  readonly failures: number;
  /** Milliseconds for which it is not used although it may work: it was lost too often. */
  readonly held_ms: number | null;
  /** Milliseconds until it is probed again. */
  readonly next_probe_ms: number | null;
  /** Largest datagram it is known to carry. */
  readonly datagram: number;
  readonly bytes_sent: number;
  readonly bytes_recv: number;
  readonly pkts_sent: number;
  readonly pkts_recv: number;
}

/** One thing that stands in the way of a better path. */
export interface ClientAdvice {
  readonly code: string;
  /** A time that belongs to it, milliseconds; `null` when none does. */
  readonly ms: number | null;
}

/** How the traffic with a peer travels: `hole-punch` is a direct path through a NAT that had to be opened. */
export type PathMethod = "direct" | "hole-punch" | "relay" | "none";

/** The way to one peer. */
export interface ClientPeerPaths {
  readonly node_id: number;
  readonly hostname: string;
  readonly address: string;
  readonly path: "direct" | "relay" | "none";
  readonly method: PathMethod;
  /** `host:port` of the path in use, empty when there is none. */
  readonly endpoint: string;
  /** Why this path: a code. */
  readonly reason: string;
  /** How long traffic has taken it, milliseconds. */
  readonly since_ms: number | null;
  readonly rtt_ms: number | null;
  readonly smoothed_rtt_ms: number | null;
  readonly min_rtt_ms: number | null;
  readonly loss: number | null;
  readonly heard_ago_ms: number | null;
  /** Of all paths together. */
  readonly bytes_sent: number;
  readonly bytes_recv: number;
  readonly pkts_sent: number;
  readonly pkts_recv: number;
  readonly encrypted: boolean;
  readonly authenticated: boolean;
  /** Whether the peer is an agent of our kind. */
  readonly own_kind: boolean;
  readonly dialect: string;
  readonly advice: readonly ClientAdvice[];
  readonly paths: readonly ClientPath[];
}

/** The ways to some or all peers. */
export interface ClientPaths {
  readonly peers: readonly ClientPeerPaths[];
  /** Whether there are more than one message holds. */
  readonly truncated: boolean;
}

/** Reads the answer to `Paths`. */
export function readPaths(reply: Fields): ClientPaths {
  return { peers: reply.objects("peers").map(readPeerPaths), truncated: reply.flag("truncated") };
}

function readPeerPaths(peer: Fields): ClientPeerPaths {
  return {
    node_id: peer.number("node_id"),
    hostname: peer.text("hostname"),
    address: peer.text("address"),
    path: peer.word("path", ["none", "direct", "relay"]),
    method: peer.word("method", ["none", "direct", "hole-punch", "relay"]),
    endpoint: peer.text("endpoint"),
    reason: peer.text("reason"),
    since_ms: peer.numberOrNull("since_ms"),
    rtt_ms: peer.numberOrNull("rtt_ms"),
    smoothed_rtt_ms: peer.numberOrNull("smoothed_rtt_ms"),
    min_rtt_ms: peer.numberOrNull("min_rtt_ms"),
    loss: peer.numberOrNull("loss"),
    heard_ago_ms: peer.numberOrNull("heard_ago_ms"),
    bytes_sent: peer.number("bytes_sent"),
    bytes_recv: peer.number("bytes_recv"),
    pkts_sent: peer.number("pkts_sent"),
    pkts_recv: peer.number("pkts_recv"),
    encrypted: peer.flag("encrypted"),
    authenticated: peer.flag("authenticated"),
    own_kind: peer.flag("own_kind"),
    dialect: peer.text("dialect"),
    advice: peer.objects("advice").map((advice) => ({
      code: advice.text("code"),
      ms: advice.numberOrNull("ms"),
    })),
    paths: peer.objects("paths").map(readPath),
  };
}

function readPath(path: Fields): ClientPath {
  return {
    kind: path.text("kind"),
    endpoint: path.text("endpoint"),
    state: path.word("state", ["failed", "in_use", "standby", "trying"]),
    probes_sent: path.number("probes_sent"),
    probes_answered: path.number("probes_answered"),
    loss: path.numberOrNull("loss"),
    sent_ago_ms: path.numberOrNull("sent_ago_ms"),
    heard_ago_ms: path.numberOrNull("heard_ago_ms"),
    rtt_ms: path.numberOrNull("rtt_ms"),
    smoothed_rtt_ms: path.numberOrNull("smoothed_rtt_ms"),
    min_rtt_ms: path.numberOrNull("min_rtt_ms"),
    proven_for_ms: path.numberOrNull("proven_for_ms"),
    failures: path.number("failures"),
    held_ms: path.numberOrNull("held_ms"),
    next_probe_ms: path.numberOrNull("next_probe_ms"),
    datagram: path.number("datagram"),
    bytes_sent: path.number("bytes_sent"),
    bytes_recv: path.number("bytes_recv"),
    pkts_sent: path.number("pkts_sent"),
    pkts_recv: path.number("pkts_recv"),
  };
}
