/**
 * Messages of the Port Control Protocol, version 2 (RFC 6887), as far as a client of its MAP opcode needs them.
 *
 * ```text
 * request    version 1 = 2, opcode 1, reserved 2, lifetime 4, client address 16
 * response   version 1 = 2, 80 | opcode 1, reserved 1, result 1, lifetime 4, epoch 4, reserved 12
 * MAP body   nonce 12, protocol 1, reserved 3, internal port 2, external port 2, external address 16
 * ANNOUNCE   no body
 * ```
 *
 * Numbers are big-endian; IPv4 addresses are written as ::ffff:a.b.c.d (section 5).
 */

import { type Endpoint, ipFromBytes, ipToBytes } from "../../wire/endpoint.ts";
import { MAX_UINT16, MAX_UINT32, requireLength, requireUint, viewOf } from "../../wire/uint.ts";

/** Bytes of a mapping nonce (section 11.1). */
export const PCP_NONCE_BYTES = 12;

/** Result codes that a client treats in a way of its own (section 7.4). */
export const PcpResult = {
  SUCCESS: 0,
  UNSUPP_VERSION: 1,
  UNSUPP_OPCODE: 4,
  CANNOT_PROVIDE_EXTERNAL: 11,
} as const;

const VERSION = 2;
const ANNOUNCE = 0;
const MAP = 1;
const RESPONSE = 0x80;
const HEADER_BYTES = 24;
const MAP_BYTES = 36;
/** Longer messages, and those that are no multiple of four, are to be dropped (section 8.3). */
const MAX_MESSAGE = 1100;
/** IANA protocol number. */
const UDP = 17;

const RESULT_NAMES: readonly string[] = [
  "success",
  "unsupported version",
  "not authorized",
  "malformed request",
  "unsupported opcode",
  "unsupported option",
  "malformed option",
  "network failure",
  "no resources",
  "unsupported protocol",
  "user exceeded quota",
  "cannot provide the external address",
  "address mismatch: another NAT stands before this gateway",
  "excessive remote peers",
];

/** A MAP request for UDP. `lifetimeSecs` 0 deletes the mapping. */
export interface PcpMapRequest {
  /** Twelve bytes, the same for every request about one mapping. */
  readonly nonce: Uint8Array;
  /** Address that the request is sent from, and the port to be mapped. */
  readonly internal: Endpoint;
  /** What is wished for; `undefined` leaves the choice to the server. */
  readonly external: Endpoint | undefined;
  readonly lifetimeSecs: number;
}

/** A response. `result` is 0 for success; `epochSecs` counts since the server lost its state last. */
export interface PcpResponse {
  readonly opcode: "announce" | "map";
  readonly result: number;
  /** Of the mapping, or how long an error is going to last. */
  readonly lifetimeSecs: number;
  readonly epochSecs: number;
  /** Always there when a MAP succeeded. */
  readonly mapping: PcpMapping | undefined;
}

/** The body of a MAP response. */
export interface PcpMapping {
  readonly nonce: Uint8Array;
  readonly internalPort: number;
  readonly external: Endpoint;
}

/** Why a datagram is not a response to a request of ours. `version`: another version, NAT-PMP among them. */
export type PcpProblem = "short" | "long" | "version" | "opcode" | "protocol";

/** The datagram of a MAP request. @throws RangeError when a field does not fit */
export function encodePcpMap(request: PcpMapRequest): Uint8Array<ArrayBuffer> {
  const { nonce, internal, external, lifetimeSecs } = request;
  requireLength("nonce", nonce, PCP_NONCE_BYTES);
  requireUint("internal port", internal.port, MAX_UINT16);
  requireUint("external port", external?.port ?? 0, MAX_UINT16);
  const data = new Uint8Array(HEADER_BYTES + MAP_BYTES);
  writeHeader(data, { opcode: MAP, lifetimeSecs, client: internal.host });
  data.set(nonce, 24);
  data[36] = UDP;
  const view = viewOf(data);
  view.setUint16(40, internal.port);
  view.setUint16(42, external?.port ?? 0);
  // All zeros of the family of the client stand for any address (section 11.1).
  data.set(toPcpAddress(external?.host ?? (internal.host.includes(":") ? "::" : "0.0.0.0")), 44);
  return data;
}

/** The datagram of an ANNOUNCE request, which asks for the epoch only. @throws RangeError for no IP address */
export function encodePcpAnnounce(client: string): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(HEADER_BYTES);
  writeHeader(data, { opcode: ANNOUNCE, lifetimeSecs: 0, client });
  return data;
}

/** Reads a response; byte strings are copies. */
export function decodePcp(data: Uint8Array): PcpResponse | PcpProblem {
  const [version, code] = data;
  if (version === undefined || code === undefined) return "short";
  if (version !== VERSION) return "version";
  if (data.length < HEADER_BYTES || data.length % 4 !== 0) return "short";
  if (data.length > MAX_MESSAGE) return "long";
  if (code !== (RESPONSE | ANNOUNCE) && code !== (RESPONSE | MAP)) return "opcode";
  const view = viewOf(data);
  const result = view.getUint8(3);
  const header = { result, lifetimeSecs: view.getUint32(4), epochSecs: view.getUint32(8) };
  if (code === (RESPONSE | ANNOUNCE)) return { opcode: "announce", ...header, mapping: undefined };
  if (data.length < HEADER_BYTES + MAP_BYTES) {
    return result === PcpResult.SUCCESS ? "short" : { opcode: "map", ...header, mapping: undefined };
  }
  if (data[36] !== UDP) return "protocol";
  const external = { host: ipFromBytes(data.subarray(44, 60)), port: view.getUint16(42) };
  const mapping = { nonce: data.slice(24, 36), internalPort: view.getUint16(40), external };
  return { opcode: "map", ...header, mapping };
}

/** What a result code means, for people. */
export function pcpResultText(result: number): string {
  return RESULT_NAMES[result] ?? `result code ${result}`;
}

function writeHeader(
  data: Uint8Array,
  { opcode, lifetimeSecs, client }: { opcode: number; lifetimeSecs: number; client: string },
): void {
  requireUint("lifetime", lifetimeSecs, MAX_UINT32);
  data[0] = VERSION;
  data[1] = opcode;
  viewOf(data).setUint32(4, lifetimeSecs);
  data.set(toPcpAddress(client), 8);
}

function toPcpAddress(host: string): Uint8Array {
  const ip = ipToBytes(host);
  if (ip === undefined) throw new RangeError(`not an IP address: ${host}`);
  return ip.length === 16 ? ip : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ip);
}
