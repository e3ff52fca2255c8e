/** A frame on its way through the beacon. */

import type { Instant } from "../core/machine.ts";
import type { BeaconInput } from "../wire/beacon.ts";

/** A frame to relay. */
export interface RelayStep {
  readonly sender: number;
  readonly destination: number;
  readonly frame: Uint8Array;
  /** The whole datagram. */
  readonly data: Uint8Array;
  readonly now: Instant;
}

/** What the receiver of a frame gets, in the form that it understands. */
export function delivery(message: RelayStep, receiver: { readonly wantsDestination: boolean }): BeaconInput {
  const { sender, destination, frame } = message;
  return receiver.wantsDestination
    ? { kind: "relay_deliver_dest", sender, destination, frame }
    : { kind: "relay_deliver", sender, frame };
}
