/** Ways to send a frame to a peer, and what is known of each. */

import { type Endpoint, sameEndpoint } from "../../wire/endpoint.ts";
import {
  PATH_CONFIRM_MS,
  PATH_MISSES,
  PATH_MISSES_HEARD,
  PATH_SILENCE_MAX_MS,
  PATH_SILENCE_MS,
  PATH_SUSPECT_MISSES,
  PROBE_SCHEDULE_MS,
  RETRY_SCHEDULE_MS,
} from "../constants.ts";
import type { Instant } from "../machine.ts";
import { scopeOf } from "../punch_target.ts";
import { PathCounters } from "./path_counters.ts";
import { BASE_DATAGRAM, Pmtu } from "./pmtu.ts";

/**
 * A way to send a frame. `via` is the extra socket that it leaves from, absent for the main one. A relayed frame came by
 * `beacon`, and goes by it; absent, by whichever suits the peer.
 */
export type Route =
  | { readonly kind: "direct"; readonly endpoint: Endpoint; readonly via?: number }
  | { readonly kind: "relay"; readonly beacon?: Endpoint };

/** The route of everything that goes through the beacon. */
export const RELAY: Route = { kind: "relay" };

/** The route to an endpoint from a socket, 0 for the main one. */
export function directRoute(endpoint: Endpoint, via = 0): Route {
  return via === 0 ? { kind: "direct", endpoint } : { kind: "direct", endpoint, via };
}

/**
 * How a direct endpoint became known: told by the peer (`local`, `reflexive`, `mapped`), by its frames (`observed`),
 * by the registry, by the beacon (`punched`), or found by searching ports.
 */
export type CandidateSource =
  | "local"
  | "reflexive"
  | "mapped"
  | "observed"
  | "registry"
  | "punched"
  | "searched";

/** Round-trip times kept per path; that many are measured soon after a path was proven. */
export const RTT_SAMPLES = 4;
/** Probes per path whose answers are still welcome. */
const TOKENS_KEPT = 4;
/** Losses of a path count together when they are not further apart than this, milliseconds. */
const FAILURE_MEMORY_MS = 600_000;
/** A path that was lost again is not used for this time, milliseconds; it doubles with every further loss. */
const HOLD_MS = 30_000;
const HOLD_MAX_MS = 480_000;
/** A lost path through an extra socket is given up when it does not come back within this time, milliseconds. */
const EXTRA_SOCKET_MS = 20_000;

/** How a path is made. */
export interface PathOptions {
  readonly now: Instant;
  /** The largest datagram worth trying, bytes of UDP payload; the base when absent. */
  readonly ceiling?: number;
  readonly source?: CandidateSource;
}

/** One path to one peer. */
export class Path {
  readonly route: Route;
  readonly source: CandidateSource;
  /** Whether it stays inside networks of some owner. */
  readonly isLan: boolean;
  readonly pmtu: Pmtu;
  readonly counters = new PathCounters();
  isProven = false;
  /** Probes sent since one was answered. */
  misses = 0;
  /** Probes sent since one was answered or traffic arrived. */
  silentMisses = 0;
  nextProbe: Instant;
  probedAt: Instant = -Infinity;
  /** When something authentic arrived on it last; that says nothing about the way there. */
  heardAt: Instant | undefined;
  /** The first frame sent on it since traffic or an answer arrived. */
  sentSinceHeard: Instant | undefined;
  /** The largest of them, bytes. */
  largestSinceHeard = 0;
  /** Where the frames of the peer come from when its NAT shows them elsewhere than where it lets ours in. */
  alias: Endpoint | undefined;
  /** Until when it is not used although it may be proven. */
  heldUntil: Instant = -Infinity;
  /** When it was lost last. */
  lostAt: Instant = -Infinity;
  #losses = 0;
  /** The distances of probes while unproven, and the position in them. */
  #schedule = PROBE_SCHEDULE_MS;
  #step = 0;
  /** The latest round-trip times, milliseconds. */
  readonly #samples: number[] = [];
  readonly #tokens = new Map<number, Instant>();
  #rtt: number | undefined;
  #patience = PATH_SILENCE_MAX_MS;

  constructor(route: Route, options: PathOptions) {
    this.route = route;
    this.source = options.source ?? "observed";
    this.isLan = route.kind === "direct" && scopeOf(route.endpoint.host) === "local";
    this.nextProbe = options.now;
    this.pmtu = new Pmtu({ ceiling: options.ceiling ?? BASE_DATAGRAM });
  }

  get isRelay(): boolean {
    return this.route.kind === "relay";
  }

  /** The socket it leaves from, 0 for the main one. */
  get via(): number {
    return this.route.kind === "direct" ? this.route.via ?? 0 : 0;
  }

  /** Whether frames that arrive by `route` are this path's. */
  carries(route: Route): boolean {
    if (route.kind === "relay" || this.route.kind === "relay") return route.kind === this.route.kind;
    if ((route.via ?? 0) !== this.via) return false;
    return sameEndpoint(route.endpoint, this.route.endpoint) ||
      (this.alias !== undefined && sameEndpoint(route.endpoint, this.alias));
  }

  /** The shortest of the latest samples: what the path takes when neither end is busy. */
  get rtt(): number | undefined {
    return this.#rtt;
  }

  /** Silence under traffic that calls for a probe, milliseconds. */
  get patience(): number {
    return this.#patience;
  }

  /** Whether more round-trip times are wanted. */
  get isSettling(): boolean {
    return this.#samples.length < RTT_SAMPLES;
  }

  /** Begins to look for it anew; `again` after both ends have agreed to. */
  restart(now: Instant, { again }: { readonly again: boolean }): void {
    this.#schedule = again ? RETRY_SCHEDULE_MS : PROBE_SCHEDULE_MS;
    this.#step = 0;
    this.nextProbe = now;
  }

  /** A probe on the unproven path leaves: when the next one does. */
  scheduleNext(now: Instant): void {
    this.#step = Math.min(this.#step + 1, this.#schedule.length - 1);
    this.nextProbe = now + (this.#schedule[this.#step] ?? Infinity);
  }

  /** Whether all first probes have gone out: further ones are rare. */
  get isExhausted(): boolean {
    return this.#step >= this.#schedule.length - 1;
  }

  /** Remembers a probe that leaves. */
  noteProbe(token: number, now: Instant): void {
    this.probedAt = now;
    this.counters.noteProbe(now, this.isProven);
    this.#tokens.set(token, now);
    const oldest = this.#tokens.size > TOKENS_KEPT ? this.#tokens.keys().next().value : undefined;
    if (oldest !== undefined) this.#tokens.delete(oldest);
  }

  /** Takes the answer to a probe; false when the token is none of this path. */
  takeAnswer(token: number, now: Instant): boolean {
    const sentAt = this.#tokens.get(token);
    if (sentAt === undefined) return false;
    this.#tokens.clear();
    this.counters.noteAnswer(now - sentAt, now);
    this.noteRtt(now - sentAt);
    return true;
  }

  /** A round trip took so long, milliseconds. */
  noteRtt(sample: number): void {
    this.#samples.push(sample);
    if (this.#samples.length > RTT_SAMPLES) this.#samples.shift();
    this.#rtt = Math.min(...this.#samples);
    this.#patience = Math.min(Math.max(4 * this.#rtt, PATH_SILENCE_MS), PATH_SILENCE_MAX_MS);
  }

  /** When it wants a probe: soon after silence while it carries traffic, else as a keep-alive. */
  get probeTime(): Instant {
    let at = this.nextProbe;
    if (!this.isProven || this.isRelay) return at;
    if (this.sentSinceHeard !== undefined) {
      at = Math.min(at, Math.max(this.sentSinceHeard, this.probedAt) + this.#patience);
    }
    return this.misses > 0 ? Math.min(at, this.probedAt + this.#patience) : at;
  }

  /** A probe on the proven path leaves, which counts as unanswered until the answer is there. */
  noteUnanswered(now: Instant, keepAlive: number): void {
    this.nextProbe = now + keepAlive;
    this.misses++;
    this.silentMisses++;
    this.sentSinceHeard ??= now;
    // Perhaps only what is large does not arrive.
    if (this.largestSinceHeard > BASE_DATAGRAM) this.pmtu.doubt(now);
  }

  /** Whether probes stay unanswered and nothing else arrives either. */
  get isSuspect(): boolean {
    return this.silentMisses >= PATH_SUSPECT_MISSES;
  }

  /** Whether too many probes stayed unanswered to believe in the path any longer. */
  get isLost(): boolean {
    return this.silentMisses > PATH_MISSES || this.misses > PATH_MISSES_HEARD;
  }

  /** Whether it was lost for good: the extra socket that it leaves from is of no use any more. */
  isGone(now: Instant): boolean {
    return this.via !== 0 && !this.isProven && this.lostAt > -Infinity && now - this.lostAt > EXTRA_SOCKET_MS;
  }

  /** A frame of `size` bytes leaves. When the next probe may be due because of it, `Infinity` when that is as before. */
  noteSent(size: number, now: Instant): Instant {
    let due = Infinity;
    this.counters.noteSent(size, now);
    if (size > this.largestSinceHeard) this.largestSinceHeard = size;
    if (this.isProven && this.nextProbe > now + PATH_CONFIRM_MS && !this.isRelay) {
      this.nextProbe = Math.max(now, this.probedAt + PATH_CONFIRM_MS);
      due = this.nextProbe;
    }
    if (this.sentSinceHeard !== undefined) return due;
    this.sentSinceHeard = now;
    return this.isProven ? Math.min(due, Math.max(now, this.probedAt) + this.#patience) : due;
  }

  /** Traffic arrived, which peers send because something of ours has arrived. */
  noteHeard(now: Instant): void {
    this.heardAt = now;
    this.sentSinceHeard = undefined;
    this.largestSinceHeard = 0;
    this.silentMisses = 0;
  }

  /** A probe was answered. */
  noteAnswered(now: Instant): void {
    this.noteHeard(now);
    this.misses = 0;
  }

  /** It no longer counts as proven. The more often that happens, the longer it is not used afterwards. */
  disprove(now: Instant): void {
    this.counters.noteFailure(now);
    this.isProven = false;
    this.alias = undefined;
    this.#samples.length = 0;
    this.#rtt = undefined;
    this.#patience = PATH_SILENCE_MAX_MS;
    this.#schedule = PROBE_SCHEDULE_MS;
    this.#step = 0;
    this.misses = 0;
    this.silentMisses = 0;
    this.pmtu.reset();
    this.#losses = now - this.lostAt > FAILURE_MEMORY_MS ? 1 : this.#losses + 1;
    this.lostAt = now;
    if (this.#losses > 1) this.heldUntil = now + Math.min(HOLD_MS * 2 ** (this.#losses - 2), HOLD_MAX_MS);
  }

  /** Earlier losses count no more: the network is another one. */
  forgive(): void {
    this.#losses = 0;
    this.heldUntil = -Infinity;
    this.lostAt = -Infinity;
  }
}
