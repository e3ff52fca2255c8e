/**
 * The packet that asks a peer to prove a path, and its answer.
 *
 * It is a ping of the control protocol: the sequence number carries the token, the answer acknowledges token + 1.
 */

import { encodeUtf8, equalBytes } from "../../wire/bytes.ts";
import { Flag, type Packet, Protocol } from "../../wire/packet.ts";
import { PATH_PROBE, PORT_PING } from "../constants.ts";

const PAYLOAD = encodeUtf8(PATH_PROBE);
/** Never zero: an answer to port zero would itself be a ping. */
const SOURCE_PORT = 1;

/** A probe with a 32-bit `token`. */
export function probePacket(
  options: { readonly self: number; readonly peer: number; readonly token: number },
): Packet {
  return {
    version: 1,
    flags: 0,
    protocol: Protocol.CONTROL,
    source: { network: 0, node: options.self },
    sourcePort: SOURCE_PORT,
    destination: { network: 0, node: options.peer },
    destinationPort: PORT_PING,
    sequence: options.token,
    acknowledgement: 0,
    window: 0,
    payload: PAYLOAD,
  };
}

/** The token that `packet` answers, `undefined` when it is no answer to a probe. */
export function probeAnswer(packet: Packet): number | undefined {
  if (packet.protocol !== Protocol.CONTROL || (packet.flags & Flag.ACK) === 0) return undefined;
  if (packet.destinationPort !== SOURCE_PORT || !equalBytes(packet.payload, PAYLOAD)) return undefined;
  return (packet.acknowledgement - 1) >>> 0;
}

/** The answer to a ping; `undefined` when the packet must not be answered. */
export function pongPacket(packet: Packet, self: number): Packet | undefined {
  const isPing = packet.protocol === Protocol.CONTROL && packet.destinationPort === PORT_PING;
  // An answer to an answer, or to source port zero, would bounce for ever.
  if (!isPing || (packet.flags & Flag.ACK) !== 0 || packet.sourcePort === PORT_PING) return undefined;
  return {
    version: 1,
    flags: Flag.ACK,
    protocol: Protocol.CONTROL,
    source: { network: 0, node: self },
    sourcePort: PORT_PING,
    destination: packet.source,
    destinationPort: packet.sourcePort,
    sequence: packet.sequence,
    acknowledgement: (packet.sequence + 1) >>> 0,
    window: 0,
    payload: packet.payload,
  };
}
