/** What the tests of single cases have in common: two agents, a transfer between them, and a diary of paths. */

import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { Duo, type DuoAgent, type DuoOptions } from "./duo.ts";

/** How often paths are looked at, milliseconds. */
const SAMPLE_MS = 20;

/** A transfer from `a` to `b` that never ends by itself. */
export class Transfer {
  readonly duo: Duo;
  readonly #chunk = new Uint8Array(1_000);
  readonly #gapMs: number;
  readonly #stream: number;
  #nextAt = 0;
  /** The paths of `a` since the beginning, each with the time of its first sight. */
  readonly diary: { readonly path: string; readonly at: number }[] = [];

  /** Dials. `gapMs` is the distance of writes of 1,000 bytes. */
  constructor(options: DuoOptions & { readonly gapMs?: number; readonly duo?: Duo }) {
    this.duo = options.duo ?? new Duo(options);
    this.#gapMs = options.gapMs ?? 50;
    this.#stream = this.duo.a.dial();
  }

  get now(): number {
    return this.duo.net.now;
  }

  /** Lets time pass with traffic. */
  run(ms: number): void {
    this.until(() => false, ms);
  }

  /** The same until `done` holds: after how many milliseconds, `Infinity` when it does not. */
  until(done: () => boolean, maxMs: number): number {
    const start = this.now;
    while (this.now - start <= maxMs) {
      this.#note();
      if (done()) return this.now - start;
      if (this.now >= this.#nextAt) {
        this.duo.a.write(this.#stream, this.#chunk);
        this.#nextAt = this.now + this.#gapMs;
      }
      this.duo.net.run(SAMPLE_MS);
    }
    return Infinity;
  }

  /** Milliseconds until more than what is in the air arrives. */
  untilArrives(maxMs: number, bytes = 1): number {
    const before = this.duo.b.received;
    return this.until(() => this.duo.b.received >= before + bytes, maxMs);
  }

  untilDirect(maxMs: number): number {
    return this.until(() => this.duo.isDirect, maxMs);
  }

  /** Whether the stream has ended. */
  get isClosed(): boolean {
    return [this.duo.a, this.duo.b].some(isClosed);
  }

  /** How often the path of `a` has changed since then. */
  changesSince(at: number): number {
    return this.diary.filter((entry) => entry.at > at).length;
  }

  #note(): void {
    const { path, endpoint } = this.duo.a.describe();
    const name = `${path} ${endpoint?.host ?? ""} ${endpoint?.port ?? ""}`;
    if (this.diary.at(-1)?.path !== name) this.diary.push({ path: name, at: this.now });
  }
}

/** A datagram that did not go to the beacon. */
export interface Sighting {
  readonly from: string;
  readonly to: Endpoint;
  readonly at: number;
}

/** Notes what the two send to anybody but the beacon, from now on. */
export function watchDirect(duo: Duo): Sighting[] {
  const sightings: Sighting[] = [];
  for (const { host } of [duo.a, duo.b]) {
    const { up } = host.link;
    const carry = up.carry.bind(up);
    up.carry = (flight, arrive) => {
      const { destination: to, origin: from } = flight;
      if (!duo.beacon.addresses.includes(to.host)) sightings.push({ from, to, at: duo.net.now });
      carry(flight, arrive);
    };
  }
  return sightings;
}

function isClosed({ events }: DuoAgent): boolean {
  return events.some((event) => event.type === "stream" && event.event.type === "closed");
}
