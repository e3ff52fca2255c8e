/** Which part of a node a datagram from the network belongs to. */

import { decodeBeacon } from "../wire/beacon.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { isExamineDatagram } from "../wire/examine.ts";
import { isBeaconDatagram } from "../wire/tunnel.ts";
import type { Instant } from "./machine.ts";
import type { NodeParts } from "./node_parts.ts";
import { directRoute, type Route } from "./tunnel/path.ts";

/** A datagram as it arrived at the socket `via`, 0 for the main one. */
export interface Arrival {
  readonly from: Endpoint;
  readonly data: Uint8Array;
  readonly via: number;
  readonly now: Instant;
}

/** Hands a datagram to its part. True when only a peer or a beacon can have sent it, as far as can be known. */
export function handleInbound(parts: NodeParts, arrival: Arrival): boolean {
  const { tunnels, beacon, examiner } = parts;
  const { from, data, via, now } = arrival;
  const opened = tunnels.stats.packetsReceived;
  let isAnswer = false;
  if (isExamineDatagram(data)) {
    if (!examiner.handleDatagram(from, data, now, via)) tunnels.stats.drop("examine_unasked");
  } else if (!isBeaconDatagram(data)) {
    tunnels.handleFrame(data, directRoute(from, via), { now });
  } else if (!beacon.isBeacon(from)) {
    tunnels.stats.drop("not_the_beacon");
  } else isAnswer = handleBeacon(parts, arrival);
  return isAnswer || tunnels.stats.packetsReceived !== opened;
}

/** A datagram of a beacon in use. True when the beacon speaks of itself: what it relays, anybody may have sent. */
function handleBeacon({ tunnels, beacon }: NodeParts, { from, data, via, now }: Arrival): boolean {
  const message = decodeBeacon(data);
  if (typeof message === "string") tunnels.stats.drop("beacon_malformed");
  else if (message.kind === "relay_deliver" || message.kind === "relay_deliver_dest") {
    const route: Route = { kind: "relay", beacon: from };
    tunnels.handleFrame(message.frame, route, { claimed: message.sender, now });
  } else if (via !== 0) {
    if (message.kind === "discover_reply") tunnels.handleOutside(via, message.endpoint, now);
  } else {
    beacon.handleMessage(from, message, now);
    return true;
  }
  return false;
}
