/**
 * Cutting a stream packet that has become too large for its path, because the path has changed since it was made.
 *
 * Only for peers of our kind: a foreign receiver neither trims nor joins segments.
 */

import { Flag, type Packet, Protocol } from "../../wire/packet.ts";
import { looksLikeSack } from "../../wire/sack.ts";

/** A piece of data that begins like a selective acknowledgement is cut inside its magic. */
const INSIDE_MAGIC = 3;

/** Whether a packet is nothing but data of a stream, so that pieces of it mean the same. */
export function isCuttable(packet: Packet): boolean {
  return packet.protocol === Protocol.STREAM && packet.flags === Flag.ACK && !looksLikeSack(packet.payload);
}

/** The packet in pieces of at most `size` payload bytes. */
export function cutPacket(packet: Packet, size: number): Packet[] {
  const pieces: Packet[] = [];
  for (let start = 0; start < packet.payload.length;) {
    let payload = packet.payload.subarray(start, start + size);
    if (looksLikeSack(payload)) payload = payload.subarray(0, INSIDE_MAGIC);
    pieces.push({ ...packet, sequence: (packet.sequence + start) >>> 0, payload });
    start += payload.length;
  }
  return pieces;
}
