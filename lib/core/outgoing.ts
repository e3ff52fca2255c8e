/** What a node's streams and its users send, as virtual packets for the tunnels. */

import type { Address } from "../wire/address.ts";
import { type Packet, PACKET_VERSION, Protocol } from "../wire/packet.ts";
import type { Instant } from "./machine.ts";
import type { NodeParts } from "./node_parts.ts";
import type { PortsTransmit } from "./stream/ports.ts";

/**
 * Gives the next segment of the streams to the tunnels; false when there is none. One whose peer has no key yet waits
 * with the tunnels.
 */
export function sendSegment(
  { self, ports, tunnels }: Pick<NodeParts, "self" | "ports" | "tunnels">,
  now: Instant,
): boolean {
  const out = ports.pollTransmit(now);
  if (out === undefined) return false;
  tunnels.send(out.remote.node, streamPacket(self.address, out), now);
  return true;
}

/** The packet of a stream segment. */
export function streamPacket(source: Address, out: PortsTransmit): Packet {
  const { segment } = out;
  return {
    version: PACKET_VERSION,
    flags: segment.flags,
    protocol: Protocol.STREAM,
    source,
    sourcePort: out.localPort,
    destination: out.remote,
    destinationPort: out.remotePort,
    sequence: segment.sequence,
    acknowledgement: segment.acknowledgement,
    window: segment.window,
    payload: segment.payload,
  };
}

/** The packet of an unreliable message. */
export function datagramPacket(
  source: Address,
  sourcePort: number,
  to: { readonly remote: Address; readonly port: number; readonly payload: Uint8Array },
): Packet {
  return {
    version: PACKET_VERSION,
    flags: 0,
    protocol: Protocol.DATAGRAM,
    source,
    sourcePort,
    destination: to.remote,
    destinationPort: to.port,
    sequence: 0,
    acknowledgement: 0,
    window: 0,
    payload: to.payload,
  };
}
