/**
 * A datagram on its way, the places it passes, and the laws of the world they share.
 */

import type { Endpoint } from "../../lib/wire/endpoint.ts";
import type { SeededRandom } from "./random.ts";

/** A datagram on its way. NATs replace `source` and `destination`; the rest stays as sent. */
export interface Flight {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly data: Uint8Array;
  /** Name of the host that sent it. */
  readonly origin: string;
  /** The sender's own endpoint, before any translation. */
  readonly local: Endpoint;
  readonly sentAt: number;
}

/** What links, NATs and hosts need of their world. Times are virtual milliseconds. */
export interface World {
  readonly now: number;
  readonly random: SeededRandom;
  schedule(delayMs: number, run: () => void): void;
  /** Ends a flight; `fate` is empty when it was delivered. */
  end(flight: Flight, fate: string): void;
  /** The name of the rule that forbids this delivery, if one does. */
  forbids(flight: Flight, hostName: string): string | undefined;
}

/** Something with an address on a segment. */
export interface Member {
  arrive(flight: Flight): void;
}

/** Addresses that reach each other directly: the public internet, or the inside of a NAT. */
export class Segment {
  readonly members = new Map<string, Member>();
  readonly #world: World;
  readonly #gateway: ((flight: Flight) => void) | undefined;

  /** `gateway` takes what is for nobody here; the public internet has none. */
  constructor(world: World, gateway?: (flight: Flight) => void) {
    this.#world = world;
    this.#gateway = gateway;
  }

  /** @throws {RangeError} when the address is taken. */
  join(ip: string, member: Member): void {
    if (this.members.has(ip)) throw new RangeError(`address ${ip} is taken`);
    this.members.set(ip, member);
  }

  route(flight: Flight): void {
    const member = this.members.get(flight.destination.host);
    if (member !== undefined) member.arrive(flight);
    else if (this.#gateway !== undefined) this.#gateway(flight);
    else this.#world.end(flight, "no route");
  }
}
