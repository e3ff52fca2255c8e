/**
 * Which of the paths to a peer carries the traffic: a preference, and the inertia that keeps it from flapping.
 */

import { SWITCH_GAP_MS } from "../constants.ts";
import type { Instant } from "../machine.ts";

/** What the preference looks at. */
export interface RouteState {
  readonly isRelay: boolean;
  readonly isProven: boolean;
  readonly isLan: boolean;
  /** Until when it is not used although it may be proven. */
  readonly heldUntil: Instant;
  /** Round-trip time, milliseconds; `undefined` while unknown. */
  readonly rtt: number | undefined;
}

/** Another proven path must be this much faster to be taken instead of the one in use. */
const SWITCH_GAIN = 0.7;
/** After the first proof better paths are taken at once for this time, milliseconds: all are still being found. */
const SETTLE_MS = 5_000;
/** Losses of the path in use count together when they are not further apart than this, milliseconds. */
const LOSS_MEMORY_MS = 600_000;

/** Whether a path can carry traffic now. */
export function isUsable(route: RouteState, now: Instant): boolean {
  return route.isProven && route.heldUntil <= now;
}

/**
 * Orders two paths, the better one first (negative): usable before not usable, direct before relay, the own network
 * before the internet, then the shorter round trip, whatever the address family.
 */
export function compareRoutes(a: RouteState, b: RouteState, now: Instant): number {
  return Number(isUsable(b, now)) - Number(isUsable(a, now)) ||
    Number(a.isRelay) - Number(b.isRelay) ||
    Number(b.isLan) - Number(a.isLan) ||
    (a.rtt ?? Infinity) - (b.rtt ?? Infinity) || 0;
}

/** Whether `a` is so much better than `b` in use that a change pays. */
function isClearlyBetter(a: RouteState, b: RouteState): boolean {
  if (a.isLan !== b.isLan) return a.isLan;
  return (a.rtt ?? Infinity) < (b.rtt ?? Infinity) * SWITCH_GAIN;
}

/** The direct path in use among those to one peer. */
export class Choice<Candidate extends RouteState> {
  #current: Candidate | undefined;
  /** When a path was taken last, and when the first one was since there was none. */
  #takenAt: Instant = -Infinity;
  #settledFrom: Instant = -Infinity;
  #losses = 0;
  #lostAt: Instant = -Infinity;

  get current(): Candidate | undefined {
    return this.#current;
  }

  /** Chooses again: call when a path has become proven or lost, has been measured or removed, or `nextChange` is due. */
  update(paths: readonly Candidate[], now: Instant): void {
    const current = this.#current;
    const isDead = current !== undefined && (!current.isProven || !paths.includes(current));
    if (isDead) this.#lose(now);
    let best: Candidate | undefined;
    for (const path of paths) {
      if (isUsable(path, now) && (best === undefined || compareRoutes(path, best, now) < 0)) best = path;
    }
    if (best === undefined || best === this.#current) return;
    if (!isDead && now < this.#allowedAt(now)) return;
    if (this.#current !== undefined && !isClearlyBetter(best, this.#current)) return;
    if (this.#current === undefined) this.#settledFrom = now;
    this.#current = best;
    this.#takenAt = now;
  }

  /** When a path can be taken that cannot be now, `undefined` when time alone changes nothing. */
  nextChange(paths: readonly Candidate[], now: Instant): Instant | undefined {
    if (this.#current !== undefined) return undefined;
    let next = Infinity;
    for (const path of paths) if (path.isProven) next = Math.min(next, path.heldUntil);
    return next === Infinity ? undefined : Math.max(next, this.#allowedAt(now));
  }

  /** Earlier losses count no more: the network is another one. */
  forgive(): void {
    this.#losses = 0;
    this.#takenAt = -Infinity;
  }

  #lose(now: Instant): void {
    this.#current = undefined;
    this.#losses = now - this.#lostAt > LOSS_MEMORY_MS ? 1 : this.#losses + 1;
    this.#lostAt = now;
  }

  /** From when on another path may be taken: a single loss is repaired at once, a second one gives time to think. */
  #allowedAt(now: Instant): Instant {
    if (this.#current === undefined && this.#losses < 2) return now;
    if (this.#current !== undefined && now - this.#settledFrom < SETTLE_MS) return now;
    return this.#takenAt + SWITCH_GAP_MS;
  }
}
