/**
 * How the way to a peer stands, and why: every path with its numbers, the reason for the one in use, and what stands
 * in the way of a better one. Reads state and changes nothing.
 */

import type { Endpoint } from "../../wire/endpoint.ts";
import type { Instant } from "../machine.ts";
import { type Advice, type AdviceContext, advise } from "./advice.ts";
import type { Peer } from "./peer.ts";
import type { Path } from "./route.ts";

/** What a path is doing: carrying traffic, proven and waiting, being probed, or given up until the next try. */
export type PathState = "in_use" | "standby" | "trying" | "failed";

/** Why traffic takes the path it takes. */
export type PathReason =
  /** No key is agreed with the peer. */
  | "no_session"
  /** There is neither a proven direct path nor a relay. */
  | "no_path"
  /** The only direct path that answers. */
  | "direct_only"
  /** Of several direct paths the one that stays inside the own network. */
  | "direct_lan"
  /** Of several direct paths the fastest. */
  | "direct_fastest"
  /** Another direct path is faster, but not by enough to be worth a change. */
  | "direct_kept"
  /** The direct path does not answer at the moment: traffic takes the relay, and the direct path as well. */
  | "direct_suspect"
  /** Nobody has told where the peer could be reached directly. */
  | "relay_no_candidate"
  /** A direct path works again, but was lost so often that it is not believed yet. */
  | "relay_held"
  /** Direct paths are being tried. */
  | "relay_trying"
  /** No direct path has answered. */
  | "relay_unanswered"
  /** There was a direct path, which has stopped answering. */
  | "relay_direct_lost";

/** One path. Times are milliseconds before the report, round-trip times milliseconds. */
export interface PathReport {
  /** `relay`, or how the endpoint became known. */
  readonly kind: string;
  /** `undefined` for the relay. */
  readonly endpoint: Endpoint | undefined;
  readonly state: PathState;
  readonly probesSent: number;
  readonly probesAnswered: number;
  /** Share of the latest probes without an answer, 0 to 1. */
  readonly loss: number | undefined;
  readonly sentAgo: number | undefined;
  readonly heardAgo: number | undefined;
  /** The shortest of the latest samples: what the path takes when neither end is busy. */
  readonly rtt: number | undefined;
  /** The shortest since it was proven. */
  readonly minRtt: number | undefined;
  readonly smoothedRtt: number | undefined;
  readonly provenFor: number | undefined;
  /** Times it was given up after it had worked. */
  readonly failures: number;
  /** For how long it is not used although it may work, milliseconds from now: it was lost too often. */
  readonly heldFor: number | undefined;
  /** When it is probed again, milliseconds from now. */
  readonly nextProbeIn: number | undefined;
  /** Largest datagram it is known to carry, bytes of UDP payload. */
  readonly datagram: number;
  readonly bytesSent: number;
  readonly packetsSent: number;
  readonly bytesReceived: number;
  readonly packetsReceived: number;
}

/** Everything about the way to one peer. */
export interface PeerReport {
  readonly node: number;
  readonly path: "direct" | "relay" | "none";
  readonly reason: PathReason;
  /** The path in use. */
  readonly inUse: PathReport | undefined;
  /** How long traffic has taken this path, milliseconds. */
  readonly since: number | undefined;
  /** When something of the peer opened last, milliseconds ago. */
  readonly heardAgo: number | undefined;
  /** Whether it is a node of our kind, which can do more for a direct path. */
  readonly isOwnKind: boolean;
  readonly paths: readonly PathReport[];
  readonly advice: readonly Advice[];
}

/** What a report needs to know of the node around the peer. */
export interface ReportContext extends AdviceContext {
  readonly now: Instant;
}

/** How the way to `peer` stands. */
export function reportPeer(peer: Peer, context: ReportContext): PeerReport {
  const { now, hasRelay } = context;
  const { direct, relay, selected: proven } = peer.paths.inspect();
  // A path that does not answer carries copies only: what arrives, arrives by the relay.
  const selected = hasRelay && proven?.isSuspect === true ? undefined : proven;
  const inUse = selected ?? (hasRelay && peer.hasSession ? relay : undefined);
  const all = hasRelay ? [...direct, relay] : direct;
  const paths = all.map((path) => describePath(path, { inUse, now }));
  const path: PeerReport["path"] = !peer.hasSession || inUse === undefined
    ? "none"
    : selected === undefined
    ? "relay"
    : "direct";
  const reason = reasonOf(peer, { selected: proven, hasRelay });
  const current = inUse === undefined ? undefined : describePath(inUse, { inUse, now });
  const isOwnKind = peer.transport !== undefined;
  const facts = { path, reason, isOwnKind, silentFor: silence(peer, now), loss: current?.loss };
  return {
    node: peer.node,
    path,
    reason,
    inUse: path === "none" ? undefined : current,
    since: path === "none" ? undefined : ago(peer.told.since, now),
    heardAgo: ago(peer.openedAt, now),
    isOwnKind,
    paths,
    advice: advise(facts, context),
  };
}

function describePath(
  path: Path,
  at: { readonly inUse: Path | undefined; readonly now: Instant },
): PathReport {
  const { counters, route } = path;
  const { now } = at;
  const next = path.nextProbe - now;
  return {
    kind: path.isRelay ? "relay" : path.source,
    endpoint: route.kind === "direct" ? route.endpoint : undefined,
    state: path === at.inUse ? "in_use" : stateOf(path),
    probesSent: counters.probesSent,
    probesAnswered: counters.probesAnswered,
    loss: counters.loss,
    sentAgo: ago(counters.sentAt, now),
    heardAgo: ago(path.heardAt, now),
    rtt: path.rtt,
    minRtt: counters.minRtt,
    smoothedRtt: counters.smoothedRtt,
    provenFor: ago(counters.provenAt, now),
    failures: counters.failures,
    heldFor: path.heldUntil > now ? path.heldUntil - now : undefined,
    nextProbeIn: Number.isFinite(next) ? Math.max(0, next) : undefined,
    datagram: path.pmtu.limit,
    bytesSent: counters.bytesSent,
    packetsSent: counters.packetsSent,
    bytesReceived: counters.bytesReceived,
    packetsReceived: counters.packetsReceived,
  };
}

function stateOf(path: Path): PathState {
  if (path.isProven && !path.isSuspect) return "standby";
  return path.isExhausted ? "failed" : "trying";
}

function reasonOf(
  peer: Peer,
  how: { readonly selected: Path | undefined; readonly hasRelay: boolean },
): PathReason {
  if (!peer.hasSession) return "no_session";
  const { direct } = peer.paths.inspect();
  const { selected, hasRelay } = how;
  if (selected !== undefined) {
    if (selected.isSuspect && hasRelay) return "direct_suspect";
    const others = direct.filter((path) => path !== selected && path.isProven);
    if (others.length === 0) return "direct_only";
    if (selected.isLan && others.some((path) => !path.isLan)) return "direct_lan";
    const isFastest = others.every((path) => (path.rtt ?? Infinity) >= (selected.rtt ?? Infinity));
    return isFastest ? "direct_fastest" : "direct_kept";
  }
  if (!hasRelay) return "no_path";
  if (direct.length === 0) return "relay_no_candidate";
  if (direct.some((path) => path.isProven)) return "relay_held";
  if (direct.some(({ counters }) => counters.failures > 0)) return "relay_direct_lost";
  return direct.some((path) => stateOf(path) === "trying") ? "relay_trying" : "relay_unanswered";
}

/** For how long frames have gone out without any that came back, milliseconds. */
function silence(peer: Peer, now: Instant): number {
  return peer.hasSession && peer.repairs > 0 ? ago(peer.openedAt, now) ?? 0 : 0;
}

function ago(at: Instant | undefined, now: Instant): number | undefined {
  return at === undefined || !Number.isFinite(at) ? undefined : Math.max(0, now - at);
}
