/**
 * The paths to one peer: which exist, which are proven, which one carries the traffic.
 *
 * A path is proven by a round trip: a probe with a random token went out on it and the sealed answer came back. Frames
 * that merely arrive from somewhere prove nothing about the way there.
 */

import type { Endpoint } from "../../wire/endpoint.ts";
import { DUAL_SEND_MS, PATH_KEEPALIVE_MS, PEER_ACTIVE_MS } from "../constants.ts";
import type { Instant } from "../machine.ts";
import { earlier } from "../timers.ts";
import { PathTable } from "./path_table.ts";
import { BASE_DATAGRAM } from "./pmtu.ts";
import { Choice } from "./preference.ts";
import { type CandidateSource, directRoute, Path, RELAY, type Route } from "./route.ts";

export { type CandidateSource, directRoute, RELAY, type Route } from "./route.ts";

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
  /** The largest datagram worth trying on a direct route; the base when absent. */
  readonly ceiling?: (route: Route) => number;
  /** An extra socket is not used by any path any more. */
  readonly release?: (via: number) => void;
  /** How long a proven direct path may be left alone, milliseconds. */
  readonly keepAlive?: () => number;
  /** Whether no direct path can be had now. */
  readonly relayOnly?: () => boolean;
}

/** What the operator is told of the way to a peer. */
export interface PathDescription {
  readonly path: "direct" | "relay" | "none";
  readonly endpoint: Endpoint | undefined;
  /** Round-trip time, milliseconds. */
  readonly rtt: number | undefined;
  /** How the endpoint of a direct path became known. */
  readonly source: CandidateSource | undefined;
}

/** Distance of the first probes on a proven path, until its round-trip time is known, milliseconds. */
const SETTLE_MS = 100;
const TRAFFIC = { traffic: true } as const;

/** All paths to one peer. */
export class Paths {
  readonly #table: PathTable;
  readonly #relay: Path;
  readonly #options: PathsOptions;
  readonly #choice = new Choice<Path>();
  /** The routes to the path in use as long as nothing speaks against it. */
  #settled: readonly Route[] | undefined;
  #dualUntil: Instant;
  #activeAt: Instant;
  /** The latest time this has heard of, for holds that run out by themselves. */
  #now: Instant;
  /** Whether probes may go out: there is a session to seal them with. */
  #probing = false;

  constructor(options: PathsOptions, now: Instant) {
    this.#options = options;
    this.#table = new PathTable({
      ceiling: (route) => options.ceiling?.(route) ?? BASE_DATAGRAM,
      release: (via) => options.release?.(via),
    });
    this.#relay = new Path(RELAY, { now });
    this.#dualUntil = now + DUAL_SEND_MS;
    this.#activeAt = now;
    this.#now = now;
  }

  /** Takes `endpoint` as another place to try; true when it was not known. */
  addCandidate(endpoint: Endpoint, now: Instant, source: CandidateSource = "observed"): boolean {
    return this.#add(directRoute(endpoint), { now, source }) !== undefined;
  }

  /** Forgets every direct path: only the relay is left. */
  forgetDirect(now: Instant): void {
    for (const path of [...this.#table.all]) this.#table.drop(path);
    this.#choose(now);
    this.#restartProbes(now);
  }

  /** Every known direct way. */
  candidates(): Route[] {
    return this.#table.all.map((path) => path.route);
  }

  /** What the peer can take has become known, or has changed. */
  updateCeilings(now: Instant): void {
    for (const { route, pmtu } of this.#table.all) {
      pmtu.setCeiling(this.#options.ceiling?.(route) ?? BASE_DATAGRAM, now);
    }
  }

  /**
   * A sealed frame of the peer opened that arrived by `route`. Probes and their answers are no `traffic`. True when
   * `nextTimeout` may have become earlier.
   */
  noteReceived(
    route: Route,
    now: Instant,
    options: { readonly traffic: boolean; readonly size?: number } = TRAFFIC,
  ): boolean {
    if (options.traffic) this.#activeAt = now;
    const known = this.#pathOf(route);
    const source = (route.kind === "direct" ? route.via ?? 0 : 0) === 0 ? "observed" : "searched";
    const path = known ?? this.#add(route, { now, source });
    if (options.traffic) {
      path?.noteHeard(now);
      path?.counters.noteReceived(options.size ?? 0);
    } else if (path !== undefined) path.heardAt = now;
    return known === undefined;
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
      due = Math.min(due, path.noteSent(size, now));
      if (path === this.#choice.current && path.pmtu.noteSent(size, now)) due = now;
    }
    return due;
  }

  /** Whether there was traffic lately. */
  isActive(now: Instant): boolean {
    return now - this.#activeAt <= PEER_ACTIVE_MS;
  }

  /** Asks for a sign of life on the path in use now. */
  confirm(now: Instant): void {
    const path = this.#choice.current ?? this.#relay;
    path.nextProbe = Math.min(path.nextProbe, now);
  }

  /** A session exists: paths can be proven from now on. */
  startProbing(now: Instant): void {
    this.#probing = true;
    this.#restartProbes(now);
  }

  /** Both ends try all that is not proven once more, at the same time. */
  retry(now: Instant): void {
    for (const path of this.#table.all) if (!path.isProven) path.restart(now, { again: true });
  }

  /** The network is another one: what was lost before may work now, and what works may not. */
  forgive(now: Instant): void {
    this.#choice.forgive();
    for (const path of this.#table.all) path.forgive();
    this.#restartProbes(now);
  }

  /** A search has found a route that takes `rtt` milliseconds; the answer arrived by `from`. */
  adopt(
    found: { readonly route: Route; readonly rtt: number },
    at: { readonly from: Route; readonly now: Instant },
  ): void {
    const { now } = at;
    const path = this.#pathOf(found.route) ?? this.#add(found.route, { now, source: "searched" });
    if (path === undefined) return;
    path.noteRtt(found.rtt);
    this.#table.noteAlias(path, at.from);
    this.#prove(path, now);
  }

  /** Whether a path leaves from the extra socket `via` and is proven. */
  uses(via: number): boolean {
    return this.#table.all.some((path) => path.via === via && path.isProven);
  }

  /** Removes the unproven paths from extra sockets, and all of them with `proven`. */
  dropExtra(options: { readonly proven: boolean }): void {
    this.#table.dropExtra(options);
    this.#choose(this.#now);
  }

  /**
   * The routes for the next frame: the proven direct path, with the relay beside it as soon as a probe on it stays
   * unanswered; without one the relay and, at first, a guess beside it.
   */
  routes(now: Instant, relay: boolean): readonly Route[] {
    const proven = this.#choice.current;
    if (proven !== undefined) {
      if (relay && proven.isSuspect) return [proven.route, RELAY];
      if (this.#settled?.[0] !== proven.route) this.#settled = [proven.route];
      return this.#settled;
    }
    if (!relay) return this.#table.guesses(2).map((path) => path.route);
    const [guess] = now < this.#dualUntil ? this.#table.guesses(1) : [];
    return guess === undefined ? [RELAY] : [RELAY, guess.route];
  }

  /** The direct route in use, `undefined` while there is none or the one there is does not answer. */
  get inUse(): Route | undefined {
    const proven = this.#choice.current;
    return proven === undefined || proven.isSuspect ? undefined : proven.route;
  }

  /** The largest datagram that the path in use is known to carry, bytes of UDP payload. */
  get limit(): number {
    const proven = this.#choice.current;
    return proven === undefined || proven.isSuspect ? BASE_DATAGRAM : proven.pmtu.limit;
  }

  /** The largest datagram that may go by `route`. */
  limitOf(route: Route): number {
    return (this.#pathOf(route) ?? this.#relay).pmtu.limit;
  }

  /** What the operator is told. */
  describe(relay: boolean): PathDescription {
    const proven = this.#choice.current;
    if (proven?.route.kind === "direct") {
      return { path: "direct", endpoint: proven.route.endpoint, rtt: proven.rtt, source: proven.source };
    }
    const rest = { endpoint: undefined, source: undefined };
    if (!relay || !this.#probing) return { path: "none", rtt: undefined, ...rest };
    return { path: "relay", rtt: this.#relay.rtt, ...rest };
  }

  /** All paths as they stand, for a report. */
  inspect(): { readonly direct: readonly Path[]; readonly relay: Path; readonly selected: Path | undefined } {
    return { direct: this.#table.all, relay: this.#relay, selected: this.#choice.current };
  }

  /** Makes a probe due on every path. */
  probeAll(now: Instant): void {
    this.#activeAt = now;
    for (const path of this.#all(true)) path.nextProbe = now;
  }

  get isDirect(): boolean {
    return this.#choice.current !== undefined;
  }

  /** Round-trip time through the relay, milliseconds; `undefined` while unknown. */
  get relayRtt(): number | undefined {
    return this.#relay.rtt;
  }

  /** Probes that are due. Drain after `nextTimeout` has passed. */
  dueProbes(now: Instant, relay: boolean): Probe[] {
    this.#now = now;
    if (!this.#probing) return [];
    const probes: Probe[] = [];
    for (const path of this.#all(relay)) {
      const due = this.#probeTime(path);
      if (due === undefined || due > now) continue;
      this.#advance(path, now);
      if (path.isGone(now)) {
        this.#table.drop(path);
        continue;
      }
      const token = this.#options.random();
      path.noteProbe(token, now);
      probes.push({ route: path.route, token });
    }
    this.#choose(now);
    const current = this.#choice.current;
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
    let next = this.#choice.current?.pmtu.nextTimeout() ??
      this.#choice.nextChange(this.#table.all, this.#now);
    for (const path of this.#table.all) next = earlier(next, this.#probeTime(path));
    return relay ? earlier(next, this.#probeTime(this.#relay)) : next;
  }

  /** The answer to a probe opened, which arrived by `from`; true when it proves a path that was not proven. */
  handleAnswer(token: number, now: Instant, from?: Route): boolean {
    for (const path of this.#all(true)) {
      if (path.pmtu.handleAnswer(token, now)) {
        path.noteAnswered(now);
        return false;
      }
      if (!path.takeAnswer(token, now)) continue;
      this.#table.noteAlias(path, from);
      return this.#prove(path, now);
    }
    return false;
  }

  #keepAlive(): number {
    return this.#options.keepAlive?.() ?? PATH_KEEPALIVE_MS;
  }

  #prove(path: Path, now: Instant): boolean {
    path.noteAnswered(now);
    path.nextProbe = now + (path.isSettling ? SETTLE_MS : this.#keepAlive());
    const news = !path.isProven;
    path.isProven = true;
    path.pmtu.start(path.rtt ?? 0, now);
    this.#choose(now);
    return news;
  }

  /** When a path wants a probe, `undefined` when there is nothing to carry. */
  #probeTime(path: Path): Instant | undefined {
    const at = path.probeTime;
    return at > this.#activeAt + PEER_ACTIVE_MS ? undefined : at;
  }

  #advance(path: Path, now: Instant): void {
    if (path.isProven) {
      path.noteUnanswered(now, this.#keepAlive());
      if (!path.isLost) return;
      path.disprove(now);
      if (!path.isRelay) this.#dualUntil = now + DUAL_SEND_MS;
    }
    path.scheduleNext(now);
  }

  #choose(now: Instant): void {
    this.#now = now;
    this.#choice.update(this.#table.all, now);
  }

  #restartProbes(now: Instant): void {
    for (const path of this.#all(true)) path.restart(now, { again: false });
    if (this.#choice.current === undefined) this.#dualUntil = now + DUAL_SEND_MS;
  }

  #all(relay: boolean): Path[] {
    return relay ? [...this.#table.all, this.#relay] : [...this.#table.all];
  }

  #pathOf(route: Route): Path | undefined {
    if (route.kind === "relay") return this.#relay;
    const { current } = this.#choice;
    return current?.route === route ? current : this.#table.find(route);
  }

  /** Adds a direct path; `undefined` when it is known, or none can be had. */
  #add(route: Route, at: { readonly now: Instant; readonly source: CandidateSource }): Path | undefined {
    if (this.#pathOf(route) !== undefined || this.#options.relayOnly?.() === true) return undefined;
    const path = this.#table.add(route, at);
    if (this.#choice.current === undefined) this.#dualUntil = at.now + DUAL_SEND_MS;
    return path;
  }
}
