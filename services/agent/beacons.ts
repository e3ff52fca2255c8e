/**
 * The agent's beacons: from names to addresses, again and again.
 */

import { resolveHost } from "../../lib/io/addresses.ts";
import { pause, retryDelay } from "../../lib/io/pause.ts";
import { type Endpoint, sameEndpoint } from "../../lib/wire/endpoint.ts";
import type { HostPort } from "./config.ts";

/** Names are looked up again at this distance while no beacon answers, milliseconds: perhaps they have moved. */
const RESOLVE_SILENT_MS = 15_000;
/** The same while one answers, in steps of `RESOLVE_SILENT_MS`: five minutes. */
const RESOLVE_STEPS = 20;

/** Who is told of the addresses. */
export interface BeaconUser {
  /** Takes the addresses of all beacons whose names resolve, in their order. */
  use(endpoints: readonly Endpoint[]): void;
  /** Whether a beacon answers. */
  isReachable(): boolean;
  /** No name has an address. */
  unresolved(): void;
  /** Replaces the look-up, for tests. */
  readonly resolve?: (host: string) => Promise<string | undefined>;
  /** Replaces waiting, for tests. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The beacons of an agent, at the addresses that their names stand for. */
export class BeaconNames {
  readonly #beacons: readonly HostPort[];
  readonly #user: BeaconUser;
  readonly #known = new Map<HostPort, Endpoint>();

  constructor(beacons: readonly HostPort[], user: BeaconUser) {
    this.#beacons = beacons;
    this.#user = user;
  }

  /** All of them as configured, with their addresses where these are known. */
  list(): { readonly address: string; readonly endpoint: Endpoint | undefined }[] {
    return this.#beacons.map((beacon) => {
      const host = beacon.host.includes(":") ? `[${beacon.host}]` : beacon.host;
      return { address: `${host}:${beacon.port}`, endpoint: this.#known.get(beacon) };
    });
  }

  /** Looks the names up until `signal` aborts. One that does not resolve stays where it was last. */
  async follow(signal: AbortSignal): Promise<void> {
    const { sleep = pause } = this.#user;
    for (let attempt = 1, step = 0; !signal.aborted; step++) {
      const isDue = step % RESOLVE_STEPS === 0 || attempt > 1 || !this.#user.isReachable();
      const complete = isDue ? await this.#resolve(signal) : true;
      attempt = complete ? 1 : attempt + 1;
      await sleep(complete ? RESOLVE_SILENT_MS : retryDelay(attempt), signal);
    }
  }

  /** Whether every name has an address. The first to be found need not wait for the others. */
  async #resolve(signal: AbortSignal): Promise<boolean> {
    const { resolve = resolveHost, use } = this.#user;
    const found = await Promise.all(this.#beacons.map(async (beacon) => {
      const host = await resolve(beacon.host);
      if (host === undefined || signal.aborted) return false;
      const endpoint = { host, port: beacon.port };
      const before = this.#known.get(beacon);
      if (before !== undefined && sameEndpoint(before, endpoint)) return true;
      this.#known.set(beacon, endpoint);
      use(this.#beacons.flatMap((each) => this.#known.get(each) ?? []));
      return true;
    }));
    if (this.#known.size === 0) this.#user.unresolved();
    return !found.includes(false);
  }
}
