/**
 * The virtual packet: what two nodes exchange inside a tunnel.
 *
 * ```text
 *  0  version (high nibble) | flags (low nibble)      16  source port 2
 *  1  protocol                                        18  destination port 2
 *  2  payload length 2                                20  sequence 4
 *  4  source: network 2, node 4                       24  acknowledgement 4
 * 10  destination: network 2, node 4                  28  window 2, in segments
 *                                                     30  CRC-32 of all, itself taken as zero
 * 34  payload
 * ```
 */

import { type Address, readAddress, writeAddress } from "./address.ts";
import { CRC32_START, finishCrc32, updateCrc32 } from "./crc32.ts";
import { MAX_UINT16, MAX_UINT32, MAX_UINT8, requireUint, viewOf } from "./uint.ts";

/** Stream flags; any combination fits the low nibble of the first byte. */
export const Flag = { SYN: 1, ACK: 2, FIN: 4, RST: 8 } as const;

/** Values of the protocol field. */
export const Protocol = { STREAM: 1, DATAGRAM: 2, CONTROL: 3 } as const;

/** Bytes before the payload. */
export const HEADER_SIZE = 34;

/** Largest payload the length field can tell, in bytes. */
export const MAX_PAYLOAD = 65535;

/** The version this code speaks. */
export const PACKET_VERSION = 1;

const CHECKSUM_OFFSET = 30;
const ZERO_CHECKSUM = new DataView(new ArrayBuffer(4));

/** A decoded virtual packet. Ports are virtual, `sequence` and `acknowledgement` count bytes modulo 2^32. */
export interface Packet {
  readonly version: number;
  /** Sum of {@linkcode Flag}s. */
  readonly flags: number;
  /** One of {@linkcode Protocol}, or a number unknown to this code. */
  readonly protocol: number;
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  /** Free receive slots in segments. */
  readonly window: number;
  readonly payload: Uint8Array;
}

/**
 * Whether a checksum of zero means that none was computed, as in UDP (RFC 768). Only for packets whose integrity is
 * otherwise proven, such as the inside of a sealed frame.
 */
export interface DecodeOptions {
  readonly zeroMeansNone?: boolean;
}

/** Where {@linkcode writePacket} puts a packet: `view` and `bytes` show the same memory. */
export interface PacketTarget {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly offset: number;
  /** False leaves the checksum zero; see {@linkcode DecodeOptions}. */
  readonly checksum: boolean;
}

/** Reads a packet; surplus bytes are ignored. The payload is a view of `data`. */
export function decodePacket(
  data: Uint8Array,
  options?: DecodeOptions,
): Packet | "short" | "length" | "checksum" | "version" {
  if (data.length < HEADER_SIZE) return "short";
  const view = viewOf(data);
  const end = HEADER_SIZE + view.getUint16(2);
  if (data.length < end) return "length";
  const sum = view.getUint32(CHECKSUM_OFFSET);
  const isChecked = sum !== 0 || options?.zeroMeansNone !== true;
  if (isChecked && sum !== checksum(view, { start: 0, end })) return "checksum";
  const first = view.getUint8(0);
  if (first >> 4 !== PACKET_VERSION) return "version";
  return {
    version: first >> 4,
    flags: first & 0x0f,
    protocol: view.getUint8(1),
    source: readAddress(view, 4),
    sourcePort: view.getUint16(16),
    destination: readAddress(view, 10),
    destinationPort: view.getUint16(18),
    sequence: view.getUint32(20),
    acknowledgement: view.getUint32(24),
    window: view.getUint16(28),
    payload: data.subarray(HEADER_SIZE, end),
  };
}

/** The bytes of a packet with its checksum. @throws RangeError when a field does not fit */
export function encodePacket(packet: Packet): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_SIZE + packet.payload.length);
  writePacket(packet, { bytes, view: viewOf(bytes), offset: 0, checksum: true });
  return bytes;
}

/**
 * Writes a packet into a larger buffer and returns its length.
 *
 * @throws RangeError when a field does not fit, or the packet the buffer
 */
export function writePacket(packet: Packet, target: PacketTarget): number {
  const { bytes, view, offset } = target;
  const { payload } = packet;
  requireUint("version", packet.version, 15);
  requireUint("flags", packet.flags, 15);
  requireUint("protocol", packet.protocol, MAX_UINT8);
  requireUint("payload length", payload.length, MAX_PAYLOAD);
  requireUint("source port", packet.sourcePort, MAX_UINT16);
  requireUint("destination port", packet.destinationPort, MAX_UINT16);
  requireUint("sequence", packet.sequence, MAX_UINT32);
  requireUint("acknowledgement", packet.acknowledgement, MAX_UINT32);
  requireUint("window", packet.window, MAX_UINT16);
  view.setUint8(offset, (packet.version << 4) | packet.flags);
  view.setUint8(offset + 1, packet.protocol);
  view.setUint16(offset + 2, payload.length);
  writeAddress(view, offset + 4, packet.source);
  writeAddress(view, offset + 10, packet.destination);
  view.setUint16(offset + 16, packet.sourcePort);
  view.setUint16(offset + 18, packet.destinationPort);
  view.setUint32(offset + 20, packet.sequence);
  view.setUint32(offset + 24, packet.acknowledgement);
  view.setUint16(offset + 28, packet.window);
  bytes.set(payload, offset + HEADER_SIZE);
  const end = offset + HEADER_SIZE + payload.length;
  const sum = target.checksum ? checksum(view, { start: offset, end }) : 0;
  view.setUint32(offset + CHECKSUM_OFFSET, sum);
  return end - offset;
}

/** The checksum of the packet from `start` to `end`, its own field taken as zero. */
function checksum(view: DataView, { start, end }: { readonly start: number; readonly end: number }): number {
  let state = updateCrc32(CRC32_START, view, { start, end: start + CHECKSUM_OFFSET });
  state = updateCrc32(state, ZERO_CHECKSUM, { start: 0, end: 4 });
  return finishCrc32(updateCrc32(state, view, { start: start + HEADER_SIZE, end }));
}
