/** The surroundings of a mapping under test: a fake router, and time that passes on demand. */

import { type Mapping, mapPort, type PortMapping } from "../../../lib/io/portmap/port_mapping.ts";
import type { MapPortOptions } from "../../../lib/io/portmap/port_mapping.ts";
import { RETRANSMIT_MS } from "../../../lib/io/portmap/ask.ts";
import type { MappingNetwork } from "../../../lib/io/portmap/network.ts";
import { pause } from "../../../lib/io/pause.ts";
import { systemRandom } from "../../../lib/io/random.ts";
import { FakeRouter, type RouterTraits } from "./router.ts";

/** Longest wait for a condition, milliseconds: far beyond what a loaded machine needs. */
const LIMIT_MS = 60_000;

/** Waits until `condition` holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await pause(2);
  }
}

/** Delays of questions that nobody answers, milliseconds. */
export const SHORT: readonly number[] = [20, 40];

/** A clock that stands still between calls of `pass`. */
export class FakeTime {
  #now = 0;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  /** Every wait begun, milliseconds. */
  readonly waits: number[] = [];

  readonly now = (): number => this.#now;

  readonly pause = (ms: number, signal: AbortSignal): Promise<void> => {
    this.waits.push(ms);
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        at: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", sleeper.wake);
    });
  };

  /** Waits until somebody sleeps, then lets so many milliseconds pass at once. */
  async pass(ms: number): Promise<void> {
    await this.asleep();
    this.#now += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.at <= this.#now) sleeper.wake();
  }

  /** Waits until somebody sleeps. */
  asleep(): Promise<void> {
    return until("everybody sleeps", () => this.#sleepers.size > 0);
  }
}

/** A mapping at a fake router. */
export interface Scene {
  readonly router: FakeRouter;
  readonly time: FakeTime;
  readonly mapping: PortMapping;
  /** What `onChange` was told: the external endpoints, as text, or `none`. */
  readonly changes: string[];
  /** Where the gateway is; tests change it. */
  readonly where: { gateway: string | undefined; source: string };
  abort(): void;
}

/** Runs `body` with a mapping of port 4000 at a router with these traits, and takes everything down. */
export async function withScene(
  { traits = {}, options = {}, retransmitMs = RETRANSMIT_MS }: {
    readonly traits?: Partial<RouterTraits>;
    readonly options?: Partial<MapPortOptions>;
    /** Short where only silence is expected. */
    readonly retransmitMs?: readonly number[];
  },
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const router = new FakeRouter(traits);
  const time = new FakeTime();
  const stop = new AbortController();
  const changes: string[] = [];
  const where: Scene["where"] = { gateway: "127.0.0.1", source: "127.0.0.1" };
  const network: MappingNetwork = {
    gateway: () => Promise.resolve(where.gateway),
    source: () => Promise.resolve(where.source),
    now: time.now,
    pause: time.pause,
    random: systemRandom,
    retransmitMs,
    controlPort: router.controlPort,
    ssdp: () => [router.ssdp],
  };
  const mapping = mapPort({
    internalPort: 4000,
    protocol: "udp",
    signal: stop.signal,
    onChange: (now: Mapping | undefined) =>
      changes.push(now === undefined ? "none" : `${now.method} ${now.external.host}:${now.external.port}`),
    network,
    ...options,
  });
  try {
    await body({ router, time, mapping, changes, where, abort: () => stop.abort() });
  } finally {
    stop.abort();
    await mapping.finished;
    await router.close();
  }
}
