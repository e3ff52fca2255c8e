/** Ways to send a frame to a peer, and what is known of each. */

import { type Endpoint } from "../../wire/endpoint.ts";
import {
  PATH_MISSES,
  PATH_MISSES_HEARD,
  PATH_SILENCE_MAX_MS,
  PATH_SILENCE_MS,
  PATH_SUSPECT_MISSES,
} from "../constants.ts";
import type { Instant } from "../machine.ts";
import { BASE_DATAGRAM, Pmtu } from "./pmtu.ts";

/** A way to send a frame. */
export type Route = { readonly kind: "direct"; readonly endpoint: Endpoint } | { readonly kind: "relay" };

/** The route of everything that goes through the beacon. */
export const RELAY: Route = { kind: "relay" };

/** Round-trip times kept per path; that many are measured soon after a path was proven. */
export const RTT_SAMPLES = 4;
/** Probes per path whose answers are still welcome. */
const TOKENS_KEPT = 4;

/** One path to one peer. */
export class Path {
  readonly route: Route;
  readonly pmtu: Pmtu;
  isProven = false;
  /** Position in `PROBE_SCHEDULE_MS` while unproven. */
  step = 0;
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
  /** The latest round-trip times, milliseconds. */
  readonly #samples: number[] = [];
  readonly #tokens = new Map<number, Instant>();
  #rtt: number | undefined;
  #patience = PATH_SILENCE_MAX_MS;

  constructor(route: Route, options: { readonly now: Instant; readonly ceiling?: number }) {
    this.route = route;
    this.nextProbe = options.now;
    this.pmtu = new Pmtu({ ceiling: options.ceiling ?? BASE_DATAGRAM });
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

  /** Remembers a probe that leaves. */
  noteProbe(token: number, now: Instant): void {
    this.probedAt = now;
    this.#tokens.set(token, now);
    const oldest = this.#tokens.size > TOKENS_KEPT ? this.#tokens.keys().next().value : undefined;
    if (oldest !== undefined) this.#tokens.delete(oldest);
  }

  /** Takes the answer to a probe; false when the token is none of this path. */
  takeAnswer(token: number, now: Instant): boolean {
    const sentAt = this.#tokens.get(token);
    if (sentAt === undefined) return false;
    this.#tokens.clear();
    this.#samples.push(now - sentAt);
    if (this.#samples.length > RTT_SAMPLES) this.#samples.shift();
    this.#rtt = Math.min(...this.#samples);
    this.#patience = Math.min(Math.max(4 * this.#rtt, PATH_SILENCE_MS), PATH_SILENCE_MAX_MS);
    return true;
  }

  /** Whether probes stay unanswered and nothing else arrives either. */
  get isSuspect(): boolean {
    return this.silentMisses >= PATH_SUSPECT_MISSES;
  }

  /** Whether too many probes stayed unanswered to believe in the path any longer. */
  get isLost(): boolean {
    return this.silentMisses > PATH_MISSES || this.misses > PATH_MISSES_HEARD;
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

  /** It no longer counts as proven. */
  disprove(): void {
    this.isProven = false;
    this.#samples.length = 0;
    this.#rtt = undefined;
    this.#patience = PATH_SILENCE_MAX_MS;
    this.step = 0;
    this.misses = 0;
    this.silentMisses = 0;
    this.pmtu.reset();
  }
}
