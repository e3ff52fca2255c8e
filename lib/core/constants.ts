/**
 * Numbers of the protocol core. First what the Pilot Protocol fixes, then what is our own choice.
 */

/** Virtual port of the control protocol: a control packet to it is a ping. */
export const PORT_PING = 0;
/** Virtual port of the trust handshake. */
export const PORT_HANDSHAKE = 444;

/** Ports that a peer which we dialled may open for its answer, beside 444 (Pilot Protocol: 1001, for 5 minutes). */
export const REPLY_PORTS: readonly number[] = [1001];

/** Payload that asks the peer to prove a path: it is answered like any ping. */
export const PATH_PROBE = "pathprobe.v1";

/** Packets kept per peer while there is no key (Pilot Protocol: 64, oldest dropped). */
export const PENDING_PACKETS = 64;

/** A PILA with an unchanged key inside this time after the last one is a duplicate, milliseconds. */
export const EXCHANGE_DUPLICATE_MS = 250;

/** Answers to a PILA with an unchanged key: at most one per this time, milliseconds. */
export const EXCHANGE_REPLY_GAP_MS = 500;

/** A PILA with an unchanged key is only answered when nothing of that peer was opened for this time, milliseconds. */
export const EXCHANGE_REPLY_SILENCE_MS = 2_000;

/** An undecryptable frame is answered with a PILA at most once per this time and peer, milliseconds. */
export const REKEY_REQUEST_GAP_MS = 3_000;

/** Our own: when a PILA is repeated, milliseconds after the one before. The peer counts as unreachable after the last. */
export const EXCHANGE_SCHEDULE_MS: readonly number[] = [250, 500, 1_000, 2_000, 4_000, 4_000];

/** From this repetition on a PILK follows the PILA: a peer that believes to share a key with us must answer it. */
export const KEY_REQUEST_FROM = 2;

/** Key exchange frames taken per second and source, before any signature is looked at. */
export const EXCHANGE_FRAMES_PER_SECOND = 5;

/** A replaced session still opens frames for this time, milliseconds. */
export const RETIRED_SESSION_MS = 10_000;

/** A session with a changed key that proves nothing within this time is forgotten, milliseconds. */
export const CANDIDATE_SESSION_MS = 10_000;

/** X25519 keys of a peer's past that are remembered, so that a replayed exchange cannot bring them back. */
export const RETIRED_KEYS = 16;

/** Peers with tunnel state. The one unused for longest makes room. */
export const MAX_PEERS = 4_096;

/** Direct endpoints tried per peer. */
export const MAX_CANDIDATES = 12;

/** Virtual port of the messages about ways to reach a node, between nodes of our kind. */
export const PORT_TRAVERSAL = 2;

/**
 * While a path is unproven it is probed at these distances, milliseconds; the last one repeats. Five minutes of every
 * 15 s are what the Pilot Protocol has, whose peers look for a better path no other way.
 */
export const PROBE_SCHEDULE_MS: readonly number[] = [
  ...[0, 100, 250, 500, 1_000, 2_000, 5_000],
  ...Array<number>(20).fill(15_000),
  60_000,
];

/** The same after both ends have agreed to try again; the last one is for when no further attempt follows. */
export const RETRY_SCHEDULE_MS: readonly number[] = [0, 200, 1_000, 60_000];

/**
 * A peer of our kind that is reached through the relay only is tried again, together, at these distances,
 * milliseconds; the last one repeats. The first ones outlive NATs that forget unanswered mappings after 15 s.
 */
export const UPGRADE_SCHEDULE_MS: readonly number[] = [
  ...Array<number>(8).fill(4_000),
  ...Array<number>(12).fill(15_000),
  ...Array<number>(10).fill(60_000),
  300_000,
];

/** Candidates that were not acknowledged are sent again at these distances, milliseconds; then no more. */
export const CANDIDATES_REPEAT_MS: readonly number[] = [300, 600, 1_200, 2_400, 4_800];

/** The path in use changes at most once in this time unless it has died, milliseconds. */
export const SWITCH_GAP_MS = 30_000;

/**
 * A proven direct path that carries traffic is asked for a sign of life after a silence of four round trips, at least
 * this and at most `PATH_SILENCE_MAX_MS`, milliseconds.
 */
export const PATH_SILENCE_MS = 200;
export const PATH_SILENCE_MAX_MS = 1_000;

/** Unanswered signs of life after which a direct path no longer counts as proven: in silence, and while it is heard. */
export const PATH_MISSES = 3;
export const PATH_MISSES_HEARD = 7;

/** A proven direct path that carries traffic is probed at least at this distance, milliseconds. */
export const PATH_CONFIRM_MS = 5_000;

/** Signs of life asked for since something was heard, from which on frames go on the relay as well. */
export const PATH_SUSPECT_MISSES = 2;

/** A proven direct path without traffic is refreshed at this distance, below the shortest common NAT timer of 30 s. */
export const PATH_KEEPALIVE_MS = 20_000;

/** A peer without traffic for this time is left alone: no probes, no keep-alives, milliseconds. */
export const PEER_ACTIVE_MS = 120_000;

/** Frames go on the relay and the best unproven direct path at once for this time after first contact, milliseconds. */
export const DUAL_SEND_MS = 5_000;

/** A punch is asked for again at these times after first contact while no direct path is proven, milliseconds. */
export const PUNCH_SCHEDULE_MS: readonly number[] = [0, 1_000, 3_000, 7_000];

/** Punch datagrams to a commanded endpoint, milliseconds after the command. */
export const PUNCH_BURST_MS: readonly number[] = [0, 50, 200, 500];

/** Discover interval once the beacon answers; below the 30 s of the shortest common NAT timers (RFC 4787 REQ-5). */
export const DISCOVER_INTERVAL_MS = 20_000;

/** Discover tries while the beacon is silent, milliseconds apart; the last one repeats. */
export const DISCOVER_RETRY_MS: readonly number[] = [200, 500, 1_000, 2_000, 5_000];

/** Discover interval while a carrier takes the place of UDP: just to notice that UDP works again, milliseconds. */
export const DISCOVER_CARRIED_MS = 30_000;

/** A handshake document must arrive within this time after its stream was accepted, milliseconds. */
export const HANDSHAKE_WAIT_MS = 10_000;

/** Largest handshake document read, bytes. Foreign nodes never send more than one segment of 4,096. */
export const HANDSHAKE_READ_LIMIT = 65_536;
