/** What a beacon sends: datagrams from its sockets, and frames on the connections of sessions. */

import type { Transmit } from "../core/machine.ts";
import { type BeaconInput, encodeBeacon } from "../wire/beacon.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { BeaconEvent } from "./event.ts";
import { Outbox } from "./outbox.ts";
import type { Session } from "./sessions.ts";
import type { BeaconStats } from "./stats.ts";

/** The outgoing side of one beacon. What has no room is dropped and counted. */
export class Dispatch {
  readonly #stats: BeaconStats;
  readonly #datagrams = new Outbox<Transmit>();
  readonly #frames = new Outbox<Extract<BeaconEvent, { type: "frame" }>>();

  constructor(stats: BeaconStats) {
    this.#stats = stats;
  }

  /** Datagrams and frames that wait. */
  get length(): number {
    return this.#datagrams.length + this.#frames.length;
  }

  /** Sends a message from the socket `via`. */
  send(to: Endpoint, message: BeaconInput, via: number): void {
    this.transmit({ to, data: encodeBeacon(message), via });
  }

  /** Sends a datagram as it is. */
  transmit(transmit: Transmit): void {
    if (!this.#datagrams.push(transmit)) this.#stats.overflows++;
  }

  /** Sends a message on the connection of a session. */
  sendFrame(session: Session, message: BeaconInput): void {
    const data = encodeBeacon(message);
    if (!this.#frames.push({ type: "frame", session: session.id, data })) this.#stats.overflows++;
  }

  pollTransmit(): Transmit | undefined {
    return this.#datagrams.shift();
  }

  pollFrame(): BeaconEvent | undefined {
    return this.#frames.shift();
  }
}
