/**
 * Access links: delay, jitter, loss, duplication, reordering and bandwidth, each direction on its own.
 */

import type { Flight, World } from "./flight.ts";

/** How one direction of a link treats datagrams. Everything absent is off. */
export interface LinkOptions {
  /** One-way delay in milliseconds. */
  readonly delayMs?: number;
  /** Up to this many more milliseconds, evenly spread. Does not reorder. */
  readonly jitterMs?: number;
  /** Share of datagrams lost, 0 to 1. */
  readonly loss?: number;
  /** Losses come in runs of this mean length (a Gilbert channel). Default 1: independent of each other. */
  readonly lossBurst?: number;
  /** Share of datagrams that arrive twice. */
  readonly duplicate?: number;
  /** Share of datagrams held back by `reorderMs`, so that later ones overtake them. */
  readonly reorder?: number;
  /** Default 5. */
  readonly reorderMs?: number;
  /** Kilobits per second, 28 bytes of IP and UDP header per datagram included. */
  readonly bandwidthKbps?: number;
  /** What the sender of a link with a bandwidth queues before it drops. Default 65,536. */
  readonly queueBytes?: number;
  /** IP packets above this size vanish, headers included, as behind a router whose ICMP messages are filtered. */
  readonly mtu?: number;
}

const HEADER_BYTES = 28;
const DEFAULT_QUEUE_BYTES = 65_536;

/** One direction of a link. */
export class Pipe {
  options: LinkOptions;
  readonly #world: World;
  readonly #name: string;
  #busyUntil = 0;
  #lastArrival = 0;
  #inLossRun = false;

  constructor(world: World, name: string, options: LinkOptions) {
    this.#world = world;
    this.#name = name;
    this.options = options;
  }

  /** Carries `flight` to `arrive`, unless it gets lost. */
  carry(flight: Flight, arrive: (flight: Flight) => void): void {
    const { delayMs = 0, jitterMs = 0, duplicate = 0, reorder = 0, reorderMs = 5 } = this.options;
    const { now, random } = this.#world;
    const { mtu = Infinity } = this.options;
    if (ipSize(flight) > mtu) return this.#world.end(flight, `too large for ${this.#name}`);
    if (this.#loses()) return this.#world.end(flight, `lost on ${this.#name}`);
    const departure = this.#transmit(flight.data.length + HEADER_BYTES);
    if (departure === undefined) return this.#world.end(flight, `queue full on ${this.#name}`);
    let arrival = departure + delayMs + (jitterMs > 0 ? random.float() * jitterMs : 0);
    if (random.chance(reorder)) {
      arrival += reorderMs;
    } else {
      arrival = Math.max(arrival, this.#lastArrival);
      this.#lastArrival = arrival;
    }
    this.#world.schedule(arrival - now, () => arrive(flight));
    if (random.chance(duplicate)) this.#world.schedule(arrival - now + random.float(), () => arrive(flight));
  }

  /** When the last bit leaves, `undefined` when the queue is full. */
  #transmit(bytes: number): number | undefined {
    const { bandwidthKbps, queueBytes = DEFAULT_QUEUE_BYTES } = this.options;
    const { now } = this.#world;
    if (bandwidthKbps === undefined) return now;
    const start = Math.max(now, this.#busyUntil);
    const queued = ((start - now) * bandwidthKbps) / 8;
    if (queued + bytes > queueBytes) return undefined;
    this.#busyUntil = start + (bytes * 8) / bandwidthKbps;
    return this.#busyUntil;
  }

  #loses(): boolean {
    const { loss = 0, lossBurst = 1 } = this.options;
    const { random } = this.#world;
    if (loss <= 0) return false;
    if (lossBurst <= 1) return random.chance(loss);
    const leave = 1 / lossBurst;
    const enter = Math.min(1, (leave * loss) / (1 - loss));
    this.#inLossRun = this.#inLossRun ? !random.chance(leave) : random.chance(enter);
    return this.#inLossRun;
  }
}

/** Bytes of the IP packet of a datagram: UDP has a header of 8 bytes, IPv4 one of 20, IPv6 one of 40. */
function ipSize({ data, destination }: Flight): number {
  return data.length + 8 + (destination.host.includes(":") ? 40 : 20);
}

/** Both directions of an access link, seen from the device that owns it. */
export class Link {
  readonly up: Pipe;
  readonly down: Pipe;

  constructor(world: World, name: string, options: LinkOptions) {
    this.up = new Pipe(world, `${name} up`, options);
    this.down = new Pipe(world, `${name} down`, options);
  }

  /** Replaces the behaviour of both directions from now on. */
  set(options: LinkOptions): void {
    this.up.options = options;
    this.down.options = options;
  }
}
