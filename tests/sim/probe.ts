/**
 * The simplest machine: sends what a test tells it and keeps what it hears.
 */

import type { Machine, Transmit } from "../../lib/core/machine.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import type { World } from "./flight.ts";
import type { SimSocket } from "./socket.ts";

/** A datagram a probe heard, and when. */
export interface Heard {
  readonly from: Endpoint;
  readonly data: Uint8Array;
  readonly at: number;
}

/** A bare socket; `SimHost.open` makes them. */
export class SimProbe implements Machine<never> {
  readonly received: Heard[] = [];
  readonly #socket: SimSocket<never>;
  readonly #world: World;
  readonly #out: Transmit[] = [];

  constructor(attach: (probe: SimProbe) => SimSocket<never>, world: World) {
    this.#world = world;
    this.#socket = attach(this);
  }

  get endpoint(): Endpoint {
    return this.#socket.endpoint;
  }

  /** What it heard last. */
  get last(): Heard | undefined {
    return this.received.at(-1);
  }

  send(to: Endpoint, data: Uint8Array = Uint8Array.of(0)): void {
    this.#out.push({ to, data });
    this.#socket.touch();
  }

  /** Takes what it has heard so far. */
  take(): Heard[] {
    return this.received.splice(0);
  }

  close(): void {
    this.#socket.close();
  }

  handleDatagram(from: Endpoint, data: Uint8Array): void {
    this.received.push({ from, data: data.slice(), at: this.#world.now });
  }

  handleTimeout(): void {}

  pollTransmit(): Transmit | undefined {
    return this.#out.shift();
  }

  pollTimeout(): undefined {
    return undefined;
  }

  pollEvent(): undefined {
    return undefined;
  }
}
