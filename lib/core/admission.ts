/**
 * What happens to a packet that its tunnel has authenticated: admitted by trust, or dropped without a sign.
 */

import { Flag, type Packet, Protocol } from "../wire/packet.ts";
import type { Instant } from "./machine.ts";
import type { Trust } from "./trust.ts";

/** Where an authenticated packet goes. */
export type Verdict = "stream" | "datagram" | "control" | "nothing" | "not_trusted";

/** First ephemeral port: a stream with a local port from here on was dialled by us. */
const FIRST_EPHEMERAL = 49_152;

/** The one place where trust meets the data path: judges every stream segment, datagram and ping of `peer`. */
export function judgePacket(
  trust: Trust,
  options: { readonly peer: number; readonly packet: Packet; readonly now: Instant },
): Verdict {
  const { peer, packet, now } = options;
  if (packet.protocol === Protocol.STREAM) {
    if ((packet.flags & (Flag.SYN | Flag.ACK)) === Flag.SYN) {
      return trust.admits(peer, packet.destinationPort, now) ? "stream" : "not_trusted";
    }
    if (!trust.mayContinue(peer, packet.sourcePort)) return "not_trusted";
    // A stream of ours in use keeps open what dialling it has opened.
    if (packet.destinationPort >= FIRST_EPHEMERAL && !trust.isTrusted(peer)) trust.noteDialed(peer, now);
    return "stream";
  }
  if (!trust.admits(peer, packet.destinationPort, now)) return "not_trusted";
  if (packet.protocol === Protocol.CONTROL) return "control";
  return packet.protocol === Protocol.DATAGRAM && packet.payload.length > 0 ? "datagram" : "nothing";
}
