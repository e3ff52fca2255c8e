/**
 * Punches between nodes of two beacons.
 *
 * A node's request for somebody else's node goes on to that beacon, which commands its own node, and says in return where
 * that one is, so that the first beacon can command the requester. A message that has no hop left is an answer: it is
 * never answered and never sent on, so two beacons cannot keep each other busy.
 */

import type { BeaconInput, BeaconMessage } from "../wire/beacon.ts";
import { encodePunchTrailer } from "../wire/beacon.ts";
import type { Endpoint } from "../wire/endpoint.ts";

/** A punch as beacons tell each other. */
export type MeshPunch = Extract<BeaconMessage, { kind: "mesh_punch" }>;

/** Where a node is, and the socket that reaches it. */
export interface Place {
  readonly endpoint: Endpoint;
  readonly via: number;
}

/** A datagram to send, from the socket `via`. */
export interface Order extends Place {
  readonly message: BeaconInput;
}

/** The command to a node at `to` to send to the other one at `endpoint`. */
export function punchCommand(to: Place, endpoint: Endpoint, node: number): Order {
  const message = { kind: "punch_command", endpoint, trailer: encodePunchTrailer(node) } as const;
  return { endpoint: to.endpoint, via: to.via, message };
}

/** Passes a node's request on to the beacon `owner` of its target. */
export function forwardPunch(
  owner: Place,
  request: { readonly requester: number; readonly target: number; readonly from: Endpoint },
): Order {
  const { requester, target, from: endpoint } = request;
  return { ...owner, message: { kind: "mesh_punch", requester, target, hops: 1, from: endpoint } };
}

/** What to send when `peer` says that a node of its own wants to punch with one of ours, which is at `places`. */
export function answerMeshPunch(peer: Place, punch: MeshPunch, places: readonly Place[]): Order[] {
  const commands = places.map((place) => punchCommand(place, punch.from, punch.requester));
  if (punch.hops === 0) return commands;
  const answers = places.map(({ endpoint }): Order => ({
    ...peer,
    message: {
      kind: "mesh_punch",
      requester: punch.target,
      target: punch.requester,
      hops: 0,
      from: endpoint,
    },
  }));
  return [...commands, ...answers];
}
