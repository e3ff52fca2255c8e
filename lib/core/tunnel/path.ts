/**
 * The paths to one peer: which exist, which are proven, which one carries the traffic.
 *
 * A path is proven by a round trip: a probe with a random token went out on it and the sealed answer came back. Frames
 * that merely arrive from somewhere prove nothing about the way there.
 */

import { type Endpoint, sameEndpoint } from "../../wire/endpoint.ts";
import {
  DUAL_SEND_MS,
  MAX_CANDIDATES,
  PATH_KEEPALIVE_MS,
  PATH_MISSES,
  PATH_SILENCE_MAX_MS,
  PATH_SILENCE_MS,
  PEER_ACTIVE_MS,
  PROBE_SCHEDULE_MS,
} from "../constants.ts";
import type { Instant } from "../machine.ts";

/** A way to send a frame. */
export type Route = { readonly kind: "direct"; readonly endpoint: Endpoint } | { readonly kind: "relay" };

/** The route of everything that goes through the beacon. */
export const RELAY: Route = { kind: "relay" };

/** A probe to send: `token` comes back in the answer. */
export interface Probe {
  readonly route: Route;
  readonly token: number;
}

/** Round-trip times kept per path. */
const RTT_SAMPLES = 4;
/** Distance of the first probes on a proven path, until that many samples are there, milliseconds. */
const SETTLE_MS = 100;
/** Another proven path must be this much faster to be taken instead of the one in use. */
const SWITCH_GAIN = 0.7;
/** Probes per path whose answers are still welcome. */
const TOKENS_KEPT = 4;

class Path {
  readonly route: Route;
  isProven = false;
  /** The latest round-trip times, milliseconds. */
  readonly samples: number[] = [];
  /** Position in `PROBE_SCHEDULE_MS` while unproven. */
  step = 0;
  misses = 0;
  nextProbe: Instant;
  probedAt: Instant = -Infinity;
  /** When something authentic arrived on it last. */
  heardAt: Instant | undefined;
  /** The first frame sent on it since then. */
  sentSinceHeard: Instant | undefined;
  readonly tokens = new Map<number, Instant>();

  constructor(route: Route, now: Instant) {
    this.route = route;
    this.nextProbe = now;
  }

  /** The shortest of the latest samples: what the path takes when neither end is busy. */
  get rtt(): number | undefined {
    return this.samples.length === 0 ? undefined : Math.min(...this.samples);
  }
}

/** All paths to one peer. */
export class Paths {
  readonly #direct: Path[] = [];
  readonly #relay: Path;
  readonly #random: () => number;
  #current: Path | undefined;
  #dualUntil: Instant;
  #activeAt: Instant;
  /** Whether probes may go out: there is a session to seal them with. */
  #probing = false;

  /** @param random draws a 32-bit number */
  constructor(options: { readonly random: () => number }, now: Instant) {
    this.#random = options.random;
    this.#relay = new Path(RELAY, now);
    this.#dualUntil = now + DUAL_SEND_MS;
    this.#activeAt = now;
  }

  /** Takes `endpoint` as another place to try; true when it was not known. */
  addCandidate(endpoint: Endpoint, now: Instant): boolean {
    if (this.#find(endpoint) !== undefined) return false;
    if (this.#direct.length >= MAX_CANDIDATES) this.#dropWorst();
    this.#direct.push(new Path({ kind: "direct", endpoint }, now));
    if (this.#current === undefined) this.#dualUntil = now + DUAL_SEND_MS;
    return true;
  }

  /** Every known direct endpoint. */
  candidates(): Endpoint[] {
    return this.#direct.flatMap((path) => path.route.kind === "direct" ? [path.route.endpoint] : []);
  }

  /** A sealed frame of the peer opened that arrived by `route`. Probes and their answers are no `traffic`. */
  noteReceived(route: Route, now: Instant, options: { readonly traffic: boolean } = { traffic: true }): void {
    if (options.traffic) this.#activeAt = now;
    if (route.kind === "direct") this.addCandidate(route.endpoint, now);
    const path = this.#pathOf(route);
    if (path === undefined) return;
    path.heardAt = now;
    path.sentSinceHeard = undefined;
    path.misses = 0;
  }

  /** Traffic goes out. */
  noteSent(routes: readonly Route[], now: Instant): void {
    if (now - this.#activeAt > PEER_ACTIVE_MS) this.#restartProbes(now);
    this.#activeAt = now;
    for (const route of routes) {
      const path = this.#pathOf(route);
      if (path !== undefined) path.sentSinceHeard ??= now;
    }
  }

  /** A session exists: paths can be proven from now on. */
  startProbing(now: Instant): void {
    this.#probing = true;
    this.#restartProbes(now);
  }

  /** The routes for the next frame: one when a direct path is proven, else the relay and, at first, a guess beside it. */
  routes(now: Instant, relay: boolean): Route[] {
    const proven = this.#select();
    if (proven !== undefined) return [proven.route];
    const guesses = this.#direct.toSorted((a, b) => (b.heardAt ?? -Infinity) - (a.heardAt ?? -Infinity));
    if (!relay) return guesses.slice(0, 2).map((path) => path.route);
    const guess = now < this.#dualUntil ? guesses[0] : undefined;
    return guess === undefined ? [RELAY] : [RELAY, guess.route];
  }

  /** What the operator is told. */
  describe(
    relay: boolean,
  ): { path: "direct" | "relay" | "none"; endpoint: Endpoint | undefined; rtt: number | undefined } {
    const proven = this.#select();
    if (proven?.route.kind === "direct") {
      return { path: "direct", endpoint: proven.route.endpoint, rtt: proven.rtt };
    }
    if (!relay || !this.#probing) return { path: "none", endpoint: undefined, rtt: undefined };
    return { path: "relay", endpoint: undefined, rtt: this.#relay.rtt };
  }

  get isDirect(): boolean {
    return this.#select() !== undefined;
  }

  /** Probes that are due. Drain after `nextTimeout` has passed. */
  dueProbes(now: Instant, relay: boolean): Probe[] {
    if (!this.#probing) return [];
    const probes: Probe[] = [];
    for (const path of this.#all(relay)) {
      const due = this.#probeTime(path);
      if (due === undefined || due > now) continue;
      this.#advance(path, now);
      path.probedAt = now;
      const token = this.#random();
      path.tokens.set(token, now);
      const oldest = path.tokens.size > TOKENS_KEPT ? path.tokens.keys().next().value : undefined;
      if (oldest !== undefined) path.tokens.delete(oldest);
      probes.push({ route: path.route, token });
    }
    return probes;
  }

  /** When `dueProbes` has something to say, `undefined` for never. */
  nextTimeout(relay: boolean): Instant | undefined {
    if (!this.#probing) return undefined;
    let next: Instant | undefined;
    for (const path of this.#all(relay)) {
      const due = this.#probeTime(path);
      if (due !== undefined && (next === undefined || due < next)) next = due;
    }
    return next;
  }

  /** The answer to a probe opened; true when it proves a path that was not proven. */
  handleAnswer(token: number, now: Instant): boolean {
    for (const path of this.#all(true)) {
      const sentAt = path.tokens.get(token);
      if (sentAt === undefined) continue;
      path.tokens.clear();
      path.samples.push(now - sentAt);
      if (path.samples.length > RTT_SAMPLES) path.samples.shift();
      path.heardAt = now;
      path.sentSinceHeard = undefined;
      path.misses = 0;
      path.nextProbe = now + (path.samples.length < RTT_SAMPLES ? SETTLE_MS : PATH_KEEPALIVE_MS);
      const news = !path.isProven;
      path.isProven = true;
      return news;
    }
    return false;
  }

  /** When a path wants a probe: soon after silence while it carries traffic, else as a keep-alive. */
  #probeTime(path: Path): Instant | undefined {
    const stale = this.#activeAt + PEER_ACTIVE_MS;
    let at = path.nextProbe;
    if (path.isProven && path.sentSinceHeard !== undefined && path.route.kind === "direct") {
      const patience = Math.min(Math.max(4 * (path.rtt ?? Infinity), PATH_SILENCE_MS), PATH_SILENCE_MAX_MS);
      at = Math.min(at, Math.max(path.sentSinceHeard, path.probedAt) + patience);
    }
    return at > stale ? undefined : at;
  }

  #advance(path: Path, now: Instant): void {
    if (path.isProven) {
      path.nextProbe = now + PATH_KEEPALIVE_MS;
      path.misses++;
      path.sentSinceHeard ??= now;
      if (path.misses <= PATH_MISSES) return;
      path.isProven = false;
      path.samples.length = 0;
      path.step = 0;
      if (path.route.kind === "direct") this.#dualUntil = now + DUAL_SEND_MS;
    }
    path.step = Math.min(path.step + 1, PROBE_SCHEDULE_MS.length - 1);
    path.nextProbe = now + (PROBE_SCHEDULE_MS[path.step] ?? PATH_KEEPALIVE_MS);
  }

  #restartProbes(now: Instant): void {
    for (const path of this.#all(true)) {
      path.step = 0;
      path.nextProbe = now;
    }
    if (this.#select() === undefined) this.#dualUntil = now + DUAL_SEND_MS;
  }

  /** The proven direct path to use; the one in use stays unless another is clearly faster. */
  #select(): Path | undefined {
    if (this.#current?.isProven === false) this.#current = undefined;
    for (const path of this.#direct) {
      if (!path.isProven || path === this.#current) continue;
      const limit = (this.#current?.rtt ?? Infinity) * SWITCH_GAIN;
      if (this.#current === undefined || (path.rtt ?? Infinity) < limit) this.#current = path;
    }
    return this.#current;
  }

  #all(relay: boolean): Path[] {
    return relay ? [...this.#direct, this.#relay] : this.#direct;
  }

  #pathOf(route: Route): Path | undefined {
    return route.kind === "relay" ? this.#relay : this.#find(route.endpoint);
  }

  #find(endpoint: Endpoint): Path | undefined {
    return this.#direct.find((path) =>
      path.route.kind === "direct" && sameEndpoint(path.route.endpoint, endpoint)
    );
  }

  /** Makes room: the unproven path that was heard from least recently goes, never a proven one before it. */
  #dropWorst(): void {
    let worst = 0;
    this.#direct.forEach((path, index) => {
      const other = this.#direct[worst];
      if (other === undefined) return;
      const rank = Number(path.isProven) - Number(other.isProven) ||
        (path.heardAt ?? -Infinity) - (other.heardAt ?? -Infinity);
      if (rank < 0) worst = index;
    });
    const [gone] = this.#direct.splice(worst, 1);
    if (gone === this.#current) this.#current = undefined;
  }
}
