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
  PATH_CONFIRM_MS,
  PATH_KEEPALIVE_MS,
  PEER_ACTIVE_MS,
  PROBE_SCHEDULE_MS,
} from "../constants.ts";
import type { Instant } from "../machine.ts";
import { earlier } from "../timers.ts";
import { BASE_DATAGRAM } from "./pmtu.ts";
import { Path, RELAY, type Route } from "./route.ts";

export { RELAY, type Route } from "./route.ts";

/** A probe to send: `token` comes back in the answer. */
export interface Probe {
  readonly route: Route;
  readonly token: number;
  /** Bytes of UDP payload to pad it to, when its size is what is asked. */
  readonly size?: number | undefined;
}

/** How the paths to a peer are made. */
export interface PathsOptions {
  /** Draws a 32-bit number. */
  readonly random: () => number;
  /** The largest datagram worth trying to an endpoint; the base when absent. */
  readonly ceiling?: (endpoint: Endpoint) => number;
}

/** Distance of the first probes on a proven path, until its round-trip time is known, milliseconds. */
const SETTLE_MS = 100;
/** Another proven path must be this much faster to be taken instead of the one in use. */
const SWITCH_GAIN = 0.7;
const TRAFFIC = { traffic: true } as const;

/** All paths to one peer. */
export class Paths {
  readonly #direct: Path[] = [];
  readonly #relay: Path;
  readonly #options: PathsOptions;
  #current: Path | undefined;
  /** The routes to the path in use as long as nothing speaks against it. */
  #settled: readonly Route[] | undefined;
  #dualUntil: Instant;
  #activeAt: Instant;
  /** Whether probes may go out: there is a session to seal them with. */
  #probing = false;

  constructor(options: PathsOptions, now: Instant) {
    this.#options = options;
    this.#relay = new Path(RELAY, { now });
    this.#dualUntil = now + DUAL_SEND_MS;
    this.#activeAt = now;
  }

  /** Takes `endpoint` as another place to try; true when it was not known. */
  addCandidate(endpoint: Endpoint, now: Instant): boolean {
    if (this.#find(endpoint) !== undefined) return false;
    if (this.#direct.length >= MAX_CANDIDATES) this.#dropWorst();
    const ceiling = this.#options.ceiling?.(endpoint) ?? BASE_DATAGRAM;
    this.#direct.push(new Path({ kind: "direct", endpoint }, { now, ceiling }));
    if (this.#current === undefined) this.#dualUntil = now + DUAL_SEND_MS;
    return true;
  }

  /** Every known direct endpoint. */
  candidates(): Endpoint[] {
    return this.#direct.flatMap((path) => path.route.kind === "direct" ? [path.route.endpoint] : []);
  }

  /** What the peer can take has become known, or has changed. */
  updateCeilings(now: Instant): void {
    for (const { route, pmtu } of this.#direct) {
      if (route.kind === "direct") {
        pmtu.setCeiling(this.#options.ceiling?.(route.endpoint) ?? BASE_DATAGRAM, now);
      }
    }
  }

  /**
   * A sealed frame of the peer opened that arrived by `route`. Probes and their answers are no `traffic`. True when
   * `nextTimeout` may have become earlier.
   */
  noteReceived(route: Route, now: Instant, options: { readonly traffic: boolean } = TRAFFIC): boolean {
    if (options.traffic) this.#activeAt = now;
    let path = this.#pathOf(route);
    const isNew = path === undefined && route.kind === "direct";
    if (isNew) {
      this.addCandidate(route.endpoint, now);
      path = this.#pathOf(route);
    }
    if (options.traffic) path?.noteHeard(now);
    else if (path !== undefined) path.heardAt = now;
    return isNew;
  }

  /**
   * Traffic goes out, frames of `size` bytes. When `nextTimeout` may be because of it, `Infinity` when that has not
   * changed.
   */
  noteSent(routes: readonly Route[], now: Instant, size = 0): Instant {
    let due = Infinity;
    if (now - this.#activeAt > PEER_ACTIVE_MS) {
      this.#restartProbes(now);
      due = now;
    }
    this.#activeAt = now;
    for (const route of routes) {
      const path = this.#pathOf(route);
      if (path === undefined) continue;
      if (size > path.largestSinceHeard) path.largestSinceHeard = size;
      if (path.isProven && path.nextProbe > now + PATH_CONFIRM_MS && path.route.kind === "direct") {
        path.nextProbe = Math.max(now, path.probedAt + PATH_CONFIRM_MS);
        due = Math.min(due, path.nextProbe);
      }
      if (path === this.#current && path.pmtu.noteSent(size, now)) due = now;
      if (path.sentSinceHeard !== undefined) continue;
      path.sentSinceHeard = now;
      if (path.isProven) due = Math.min(due, Math.max(now, path.probedAt) + path.patience);
    }
    return due;
  }

  /** A session exists: paths can be proven from now on. */
  startProbing(now: Instant): void {
    this.#probing = true;
    this.#restartProbes(now);
  }

  /**
   * The routes for the next frame: the proven direct path, with the relay beside it as soon as a probe on it stays
   * unanswered; without one the relay and, at first, a guess beside it.
   */
  routes(now: Instant, relay: boolean): readonly Route[] {
    const proven = this.#select();
    if (proven !== undefined) {
      if (relay && proven.isSuspect) return [proven.route, RELAY];
      if (this.#settled?.[0] !== proven.route) this.#settled = [proven.route];
      return this.#settled;
    }
    const guesses = this.#direct.toSorted((a, b) => (b.heardAt ?? -Infinity) - (a.heardAt ?? -Infinity));
    if (!relay) return guesses.slice(0, 2).map((path) => path.route);
    const guess = now < this.#dualUntil ? guesses[0] : undefined;
    return guess === undefined ? [RELAY] : [RELAY, guess.route];
  }

  /** The direct route in use, `undefined` while there is none or the one there is does not answer. */
  get inUse(): Route | undefined {
    const proven = this.#select();
    return proven === undefined || proven.isSuspect ? undefined : proven.route;
  }

  /** The largest datagram that the path in use is known to carry, bytes of UDP payload. */
  get limit(): number {
    const proven = this.#select();
    return proven === undefined || proven.isSuspect ? BASE_DATAGRAM : proven.pmtu.limit;
  }

  /** The largest datagram that may go by `route`. */
  limitOf(route: Route): number {
    return (this.#pathOf(route) ?? this.#relay).pmtu.limit;
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
      const token = this.#options.random();
      path.noteProbe(token, now);
      probes.push({ route: path.route, token });
    }
    const current = this.#select();
    for (const probe of current?.pmtu.dueProbes(now) ?? []) {
      const token = this.#options.random();
      current?.pmtu.noteProbe(token, probe);
      probes.push({ route: current?.route ?? RELAY, token, size: probe.size });
    }
    return probes;
  }

  /** When `dueProbes` has something to say, `undefined` for never. */
  nextTimeout(relay: boolean): Instant | undefined {
    if (!this.#probing) return undefined;
    let next = this.#select()?.pmtu.nextTimeout();
    for (const path of this.#direct) next = earlier(next, this.#probeTime(path));
    return relay ? earlier(next, this.#probeTime(this.#relay)) : next;
  }

  /** The answer to a probe opened; true when it proves a path that was not proven. */
  handleAnswer(token: number, now: Instant): boolean {
    for (const path of this.#all(true)) {
      if (path.pmtu.handleAnswer(token, now)) {
        path.noteAnswered(now);
        return false;
      }
      if (!path.takeAnswer(token, now)) continue;
      path.noteAnswered(now);
      path.nextProbe = now + (path.isSettling ? SETTLE_MS : PATH_KEEPALIVE_MS);
      const news = !path.isProven;
      path.isProven = true;
      path.pmtu.start(path.rtt ?? 0, now);
      return news;
    }
    return false;
  }

  /** When a path wants a probe: soon after silence while it carries traffic, else as a keep-alive. */
  #probeTime(path: Path): Instant | undefined {
    const stale = this.#activeAt + PEER_ACTIVE_MS;
    let at = path.nextProbe;
    if (path.isProven && path.route.kind === "direct") {
      if (path.sentSinceHeard !== undefined) {
        at = Math.min(at, Math.max(path.sentSinceHeard, path.probedAt) + path.patience);
      }
      if (path.misses > 0) at = Math.min(at, path.probedAt + path.patience);
    }
    return at > stale ? undefined : at;
  }

  #advance(path: Path, now: Instant): void {
    if (path.isProven) {
      path.nextProbe = now + PATH_KEEPALIVE_MS;
      path.misses++;
      path.silentMisses++;
      path.sentSinceHeard ??= now;
      // Perhaps only what is large does not arrive.
      if (path.largestSinceHeard > BASE_DATAGRAM) path.pmtu.doubt(now);
      if (!path.isLost) return;
      path.disprove();
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
    if (route.kind === "relay") return this.#relay;
    const current = this.#current;
    if (current?.route === route) return current;
    return this.#find(route.endpoint);
  }

  #find(endpoint: Endpoint): Path | undefined {
    for (const path of this.#direct) {
      if (path.route.kind === "direct" && sameEndpoint(path.route.endpoint, endpoint)) return path;
    }
    return undefined;
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
