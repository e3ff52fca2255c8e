/**
 * Paths, reasons and obstacles in words that need no knowledge of networks.
 */

import { columns, printable } from "../../../lib/cli/columns.ts";
import { formatMilliseconds } from "../../../lib/cli/duration.ts";
import type { ClientAdvice, ClientPath, ClientPeerPaths, PathMethod } from "../../../lib/client/paths.ts";
import { formatSize } from "./common.ts";

/** How the traffic with a peer travels. */
export const METHOD_WORDS: Readonly<Record<PathMethod, string>> = {
  "direct": "direct",
  "hole-punch": "direct, through a punched hole",
  "relay": "relayed by the beacon, which cannot read it",
  "none": "not connected",
};

const REASONS: ReadonlyMap<string, string> = new Map([
  ["no_session", "no key has been agreed with it"],
  ["no_path", "no direct path answers, and there is no relay"],
  ["direct_only", "it is the only direct path that answers"],
  ["direct_lan", "it stays inside the network that both are in"],
  ["direct_fastest", "it is the fastest direct path"],
  ["direct_kept", "another direct path is faster, but too little to be worth a change"],
  ["direct_suspect", "the direct path does not answer at the moment"],
  ["relay_no_candidate", "nobody has told where it could be reached directly"],
  ["relay_held", "the direct path was lost several times and is not trusted again yet"],
  ["relay_trying", "direct paths are being tried, none has answered yet"],
  ["relay_unanswered", "no direct path answers"],
  ["relay_direct_lost", "the direct path stopped answering"],
  ["relay_only", "nothing but the relay reaches it"],
]);

const ADVICE: ReadonlyMap<string, string> = new Map([
  ["no_beacon", "No beacon is configured: nothing can be relayed or punched. Give one with --beacon."],
  ["beacon_unreachable", "The beacon does not answer: nothing can be relayed or punched at the moment."],
  [
    "own_udp_blocked",
    "This network blocks UDP: only the relay is left. Allow outgoing UDP for direct paths.",
  ],
  ["peer_udp_blocked", "The peer's network blocks UDP: only the relay reaches it."],
  [
    "own_symmetric_nat",
    "The NAT in front of this computer picks another port for every peer. Switching on UPnP or NAT-PMP on the router helps.",
  ],
  [
    "peer_symmetric_nat",
    "The NAT in front of the peer picks another port for everyone it talks to. Switching on UPnP or NAT-PMP on its router helps.",
  ],
  [
    "both_symmetric_nat",
    "Both sides are behind NATs whose ports cannot be predicted: the relay is the right answer. UPnP or NAT-PMP on either router would change that.",
  ],
  ["own_nat_unknown", "How the NAT in front of this computer behaves is not known. See `pilot doctor`."],
  ["peer_foreign", "The peer runs other software, which does not exchange addresses with us."],
  [
    "peer_endpoint_unknown",
    "The registry does not say where the peer is, and the beacon has not told either.",
  ],
  ["punching", "Holes are being punched right now."],
  ["searching_ports", "The port that the other NAT has chosen is being searched right now."],
  ["search_backoff_until", "A search for the port of the other NAT has failed; the next one is in {time}."],
  ["direct_path_lost", "A direct path worked before. It is tried again at intervals."],
  ["peer_silent", "The peer has not answered for {time}: it may be off, asleep or cut off."],
  ["high_loss", "More than a tenth of the probes on this path is lost."],
]);

/** A time in words, such as `12 s`, `5 min` or `3 h`. */
export function formatAge(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  if (seconds < 10) return formatMilliseconds(milliseconds);
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** A share as a percentage; `-` while unknown. */
export function formatLoss(loss: number | null): string {
  return loss === null ? "-" : `${Math.round(loss * 100)}%`;
}

/** Why traffic takes its path; codes of later versions stand for themselves. */
export function reasonWords(reason: string): string {
  return REASONS.get(reason) ?? printable(reason);
}

/** One obstacle, as a sentence. */
export function adviceWords({ code, ms }: ClientAdvice): string {
  const words = ADVICE.get(code) ?? printable(code);
  return words.replace("{time}", ms === null ? "a while" : formatAge(ms));
}

/** What came of asking a peer on every path just now. */
export interface LiveCheck {
  readonly paths: number;
  readonly answering: number;
}

/** Everything about the way to one peer, for a person. */
export function explainPeer(peer: ClientPeerPaths, live?: LiveCheck): string[] {
  const name = peer.hostname === "" ? `node ${peer.node_id}` : `${peer.hostname} (node ${peer.node_id})`;
  const isSilent = live !== undefined && live.answering === 0;
  const lines = [`${name}: ${isSilent ? "does not answer" : METHOD_WORDS[peer.method]}`];
  const rows: string[][] = [];
  if (peer.path !== "none") {
    const since = peer.since_ms === null ? "" : `, for ${formatAge(peer.since_ms)}`;
    rows.push(["Path:", `${peer.path === "relay" ? "by" : "to"} ${peer.endpoint}${since}`]);
  }
  rows.push(["Why:", reasonWords(peer.reason)]);
  if (peer.rtt_ms !== null) rows.push(["Round trip:", roundTrip(peer)]);
  if (live !== undefined) rows.push(["Right now:", liveWords(live)]);
  if (peer.heard_ago_ms !== null) rows.push(["Last heard:", `${formatAge(peer.heard_ago_ms)} ago`]);
  rows.push(["Traffic:", `${formatSize(peer.bytes_sent)} sent, ${formatSize(peer.bytes_recv)} received`]);
  rows.push(["Encrypted:", peer.encrypted ? encryption(peer) : "no"]);
  lines.push(...columns(rows).map((line) => `  ${line}`), "");
  lines.push(...pathLines(peer.paths));
  if (peer.advice.length > 0) {
    lines.push("", peer.path === "direct" ? "Note:" : "What stands in the way of a better path:");
    const telling = peer.advice.filter(({ code }) => !isSilent || code !== "high_loss");
    lines.push(...telling.map((advice) => `  - ${adviceWords(advice)}`));
  } else if (!isSilent) lines.push("", "Nothing stands in the way.");
  if (isSilent) lines.push("", "It may be off, asleep or cut off: see there with `pilot status`.");
  return lines;
}

function liveWords({ paths, answering }: LiveCheck): string {
  if (paths === 0) return "there is no path to ask on";
  if (answering === 0) return `no answer on any of ${paths} ${paths === 1 ? "path" : "paths"}`;
  return `answers on ${answering} of ${paths} ${paths === 1 ? "path" : "paths"}`;
}

function encryption({ authenticated, own_kind }: ClientPeerPaths): string {
  const who = authenticated
    ? "yes (X25519, AES-256-GCM), by a key of the peer's own"
    : "yes, not yet confirmed";
  return own_kind ? who : `${who}; a peer of other software`;
}

function roundTrip({ rtt_ms, smoothed_rtt_ms: smoothed, loss }: ClientPeerPaths): string {
  const average = smoothed === null ? "" : ` (smoothed ${formatMilliseconds(smoothed)})`;
  return `${formatMilliseconds(rtt_ms ?? 0)}${average}, ${formatLoss(loss ?? 0)} of the probes lost`;
}

function pathLines(paths: readonly ClientPath[]): string[] {
  if (paths.length === 0) return ["  No path is known."];
  const head = ["KIND", "ENDPOINT", "STATE", "RTT", "ANSWERED", "HEARD", "SENT", "RECEIVED"];
  const rows = paths.map((path) => [
    path.kind,
    path.endpoint === "" ? "-" : path.endpoint,
    stateWords(path),
    path.rtt_ms === null ? "-" : formatMilliseconds(path.rtt_ms),
    `${path.probes_answered} of ${path.probes_sent}`,
    path.heard_ago_ms === null ? "never" : `${formatAge(path.heard_ago_ms)} ago`,
    formatSize(path.bytes_sent),
    formatSize(path.bytes_recv),
  ]);
  return columns([head, ...rows]).map((line) => `  ${line}`);
}

function stateWords({ state, failures, held_ms: held, next_probe_ms: next }: ClientPath): string {
  switch (state) {
    case "in_use":
      return "in use";
    case "standby":
      return held === null ? "works, not in use" : `works again, not believed for ${formatAge(held)}`;
    case "trying":
      return "being tried";
    case "failed": {
      const what = failures > 0 ? "lost" : "no answer";
      return next === null ? what : `${what}, next try in ${formatAge(next)}`;
    }
  }
}
