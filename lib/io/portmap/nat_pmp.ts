/**
 * Messages of the NAT Port Mapping Protocol (RFC 6886).
 *
 * ```text
 * address request    00 00
 * address response   00 80, result 2, epoch 4, external IPv4 address 4
 * map request (UDP)  00 01, reserved 2, internal port 2, external port 2, lifetime 4
 * map response       00 81, result 2, epoch 4, internal port 2, external port 2, lifetime 4
 * ```
 *
 * Numbers are big-endian. A response that reports an error may end after the epoch (section 3.5).
 */

import { ipFromBytes } from "../../wire/ip.ts";
import { MAX_UINT16, MAX_UINT32, requireUint, viewOf } from "../../wire/uint.ts";

/** Success, the one result code that is none of an error (section 3.5). */
export const NAT_PMP_SUCCESS = 0;

const VERSION = 0;
const ADDRESS = 0;
const MAP_UDP = 1;
const RESPONSE = 0x80;
const HEADER_BYTES = 8;

const RESULT_NAMES: readonly string[] = [
  "success",
  "unsupported version",
  "not authorized: switched off in the router",
  "network failure: the router has no address itself",
  "out of resources",
  "unsupported opcode",
];

/** A request to map a UDP port. `lifetimeSecs` 0 deletes; `externalPort` is a wish, 0 for any. */
export interface NatPmpMapRequest {
  readonly internalPort: number;
  readonly externalPort: number;
  readonly lifetimeSecs: number;
}

/** A response; the fields after the epoch are there when `result` is 0. */
export type NatPmpResponse =
  | {
    readonly kind: "error";
    readonly about: "address" | "map";
    readonly result: number;
    readonly epochSecs: number;
  }
  | { readonly kind: "address"; readonly epochSecs: number; readonly host: string }
  | {
    readonly kind: "map";
    readonly epochSecs: number;
    readonly internalPort: number;
    readonly externalPort: number;
    readonly lifetimeSecs: number;
  };

/** Why a datagram is not a response to a request of ours. `version`: another version, PCP among them. */
export type NatPmpProblem = "short" | "version" | "opcode";

/** Asks for the external address, and for the epoch with it. */
export function encodeNatPmpAddress(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(VERSION, ADDRESS);
}

/** Asks for a mapping, or for its end. @throws RangeError when a field does not fit */
export function encodeNatPmpMap(request: NatPmpMapRequest): Uint8Array<ArrayBuffer> {
  requireUint("internal port", request.internalPort, MAX_UINT16);
  requireUint("external port", request.externalPort, MAX_UINT16);
  requireUint("lifetime", request.lifetimeSecs, MAX_UINT32);
  const data = new Uint8Array(12);
  const view = viewOf(data);
  data[0] = VERSION;
  data[1] = MAP_UDP;
  view.setUint16(4, request.internalPort);
  view.setUint16(6, request.externalPort);
  view.setUint32(8, request.lifetimeSecs);
  return data;
}

/** Reads a response. Surplus bytes are ignored. */
export function decodeNatPmp(data: Uint8Array): NatPmpResponse | NatPmpProblem {
  const [version, code] = data;
  if (version === undefined || code === undefined) return "short";
  if (version !== VERSION) return "version";
  if (data.length < HEADER_BYTES) return "short";
  if (code !== (RESPONSE | ADDRESS) && code !== (RESPONSE | MAP_UDP)) return "opcode";
  const about = code === (RESPONSE | ADDRESS) ? "address" : "map";
  const view = viewOf(data);
  const result = view.getUint16(2);
  const epochSecs = view.getUint32(4);
  if (result !== NAT_PMP_SUCCESS) return { kind: "error", about, result, epochSecs };
  if (about === "address") {
    return data.length < 12
      ? "short"
      : { kind: "address", epochSecs, host: ipFromBytes(data.subarray(8, 12)) };
  }
  if (data.length < 16) return "short";
  return {
    kind: "map",
    epochSecs,
    internalPort: view.getUint16(8),
    externalPort: view.getUint16(10),
    lifetimeSecs: view.getUint32(12),
  };
}

/** What a result code means, for people. */
export function natPmpResultText(result: number): string {
  return RESULT_NAMES[result] ?? `result code ${result}`;
}
