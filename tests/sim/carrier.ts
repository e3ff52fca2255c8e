/**
 * Connections between agents and the beacon for networks without UDP: what the relay over WebSocket is on real
 * machines. Reliable and in order, with a delay of its own.
 */

import type { Beacon } from "../../lib/beacon/beacon.ts";
import type { BeaconEvent } from "../../lib/beacon/event.ts";
import { BeaconType } from "../../lib/wire/beacon.ts";

/** One way through a carrier, milliseconds: two hops of TCP and TLS. */
const CARRIER_DELAY_MS = 15;

/** What a carrier needs of the world around it. */
export interface CarrierWorld {
  readonly now: number;
  schedule(delayMs: number, action: () => void): void;
}

/** All carriers of one beacon. */
export class Carriers {
  readonly #world: CarrierWorld;
  readonly #beacon: Beacon;
  readonly #touch: () => void;
  readonly #receivers = new Map<number, (data: Uint8Array) => void>();

  /** `touch` drives the beacon's socket on. */
  constructor(world: CarrierWorld, beacon: Beacon, touch: () => void) {
    this.#world = world;
    this.#beacon = beacon;
    this.#touch = touch;
  }

  /** Logs a node in at once; `receive` gets what the beacon sends. */
  open(node: number, host: string, receive: (data: Uint8Array) => void): Carrier {
    const session = this.#beacon.attach({ node, host }, this.#world.now);
    if (session === undefined) throw new Error("the beacon has no room for another carrier");
    this.#receivers.set(session, receive);
    this.#touch();
    let isOpen = true;
    return {
      send: (data) => {
        if (data[0] !== BeaconType.RELAY) return;
        this.#world.schedule(CARRIER_DELAY_MS, () => {
          if (!isOpen) return;
          this.#beacon.handleFrame(session, data, this.#world.now);
          this.#touch();
        });
      },
      close: () => {
        isOpen = false;
        this.#receivers.delete(session);
        this.#beacon.detach(session);
      },
    };
  }

  /** What the beacon wants done. */
  handle(event: BeaconEvent): void {
    const { session } = event;
    if (event.type === "replaced") this.#receivers.delete(session);
    else this.#world.schedule(CARRIER_DELAY_MS, () => this.#receivers.get(session)?.(event.data.slice()));
  }
}

/** One agent's connection. */
export interface Carrier {
  /** Takes a datagram for the beacon; only relayed frames go through. */
  send(data: Uint8Array): void;
  close(): void;
}
