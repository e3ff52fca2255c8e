/** The beacons that are there now. Nothing of it outlives the process: beacons register twice a minute. */

import { formatEndpoint, parseEndpoint } from "../wire/endpoint.ts";
import { isLoopback } from "./budgets.ts";
import type { Policy } from "./policy.ts";

interface Entry {
  readonly addr: string;
  /** The address it registered from. */
  readonly source: string;
  /** Unix milliseconds. */
  readonly seen: number;
}

/** The table of beacons, bounded and self-cleaning. */
export class Beacons {
  readonly #policy: Policy;
  readonly #entries = new Map<number, Entry>();

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  /**
   * Adds or refreshes a beacon. A beacon speaks for its own address only, unless it runs beside the registry; a live
   * one keeps its number. `full` when there are too many.
   */
  register(
    id: number,
    addr: string,
    options: { source: string; now: number },
  ): "ok" | "malformed" | "foreign" | "taken" | "full" {
    const { source, now } = options;
    const endpoint = parseEndpoint(addr);
    if (id === 0 || endpoint === undefined || endpoint.port === 0) return "malformed";
    if (endpoint.host !== source && !isLoopback(source)) return "foreign";
    const old = this.#entries.get(id);
    if (old !== undefined && this.#isLive(old, now) && old.source !== source) return "taken";
    if (old === undefined && this.#entries.size >= this.#policy.maxBeacons) this.expire(now);
    if (old === undefined && this.#entries.size >= this.#policy.maxBeacons) return "full";
    this.#entries.set(id, { addr: formatEndpoint(endpoint), source, seen: now });
    return "ok";
  }

  /** The beacons that registered within their lifetime. */
  list(now: number): { readonly id: number; readonly addr: string }[] {
    return [...this.#entries].filter(([, entry]) => this.#isLive(entry, now))
      .map(([id, entry]) => ({ id, addr: entry.addr }));
  }

  /** Forgets the others. */
  expire(now: number): void {
    for (const [id, entry] of this.#entries) if (!this.#isLive(entry, now)) this.#entries.delete(id);
  }

  #isLive(entry: Entry, now: number): boolean {
    return now - entry.seen <= this.#policy.beaconLifetimeMs;
  }
}
