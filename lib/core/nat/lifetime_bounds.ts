/**
 * Which silences a mapping survives, which one to try next, and what that means for keep-alives.
 */

/** Silences in milliseconds. */
export interface LifetimeBounds {
  /** The longest one that a mapping survived; 0 while there is none. */
  readonly alive: number;
  /** The shortest one that it did not survive. */
  readonly dead?: number;
}

/** The first silence to try: with it known to be survived, keep-alives need not be more frequent than they are. */
const FIRST_MS = 32_000;
/** Silences outside of these tell nothing that matters, milliseconds. */
const SHORTEST_MS = 10_000;
const LONGEST_MS = 300_000;
/** Bounds this close together, as a ratio, are close enough. */
const CLOSE = 1.25;

/** Keep-alives: as frequent as this while nothing is known, and never more or less frequent than these, milliseconds. */
export const KEEPALIVE_DEFAULT_MS = 20_000;
/** Until more is known, when the outside port has changed by itself: perhaps the mapping had been forgotten. */
export const KEEPALIVE_RESTLESS_MS = 10_000;
export const KEEPALIVE_MIN_MS = 5_000;
export const KEEPALIVE_MAX_MS = 25_000;
/** The share of a lifetime after which it is time for a keep-alive. */
const SAFE_SHARE = 0.8;

/** The silence to try next, milliseconds; `undefined` when the lifetime is known well enough. */
export function nextSilence({ alive, dead }: LifetimeBounds): number | undefined {
  if (dead === undefined) {
    if (alive === 0) return FIRST_MS;
    return alive >= LONGEST_MS ? undefined : Math.min(LONGEST_MS, 3 * alive);
  }
  if (dead <= SHORTEST_MS) return undefined;
  const least = Math.max(alive, SHORTEST_MS / CLOSE);
  if (alive > 0 && dead / alive <= CLOSE) return undefined;
  return Math.max(SHORTEST_MS, Math.round(Math.sqrt(least * dead)));
}

/** The keep-alive interval, milliseconds. */
export function keepAliveMs({ alive, dead }: LifetimeBounds): number {
  if (alive > 0) return Math.min(KEEPALIVE_MAX_MS, Math.max(KEEPALIVE_MIN_MS, SAFE_SHARE * alive));
  if (dead === undefined) return KEEPALIVE_DEFAULT_MS;
  // Somewhere below `dead`: half of it until more is known.
  return Math.min(KEEPALIVE_DEFAULT_MS, Math.max(KEEPALIVE_MIN_MS, SAFE_SHARE * dead / 2));
}
