/**
 * How a node examines the NAT in front of it with the help of a beacon (the tests of RFC 5780). Our own addition to
 * the beacon messages: nodes and beacons that do not know it ignore it.
 *
 * ```text
 * 0B Examine       flags 1 | token 8 | port 2 | zeros up to 64 bytes in all
 * 0C ExamineReply  flags 1 | token 8 | seen | other port 2 | other
 *
 * flags  1: from the other address, 2: from the other port, of the two that the beacon asked has
 * port   where to answer at the address that the question came from; 0: to the port it came from
 * seen   ip length 1, ip, port 2: where the question came from; ip and port XORed with the token, as often as it takes,
 *        because some NATs translate every address that they recognize (RFC 8489 section 14.2)
 * other port  at the address asked, 0 when there is none
 * other  ip length 1, ip, port 2, other port 2: the other address; length 0, and nothing after it, when there is none
 * ```
 *
 * In a question the flags say where the answer is to come from, in an answer where it comes from. A question is longer
 * than any answer, so a forged source gains nothing. Surplus bytes are ignored.
 */

import { concatBytes } from "./bytes.ts";
import { type Endpoint, ipFromBytes, ipToBytes } from "./endpoint.ts";
import { MAX_UINT16, requireLength, requireUint, uint16Bytes, viewOf } from "./uint.ts";

/** First bytes of the messages. */
export const ExamineType = { EXAMINE: 0x0b, REPLY: 0x0c } as const;

/** Bytes of the random number that an answer repeats. */
export const EXAMINE_TOKEN_SIZE = 8;
/** Bytes of a question; shorter ones are not answered. An answer has 52 at most. */
export const EXAMINE_SIZE = 64;

/** One of the four sockets that a beacon may have, seen from the one that was asked. */
export interface ExaminePlace {
  readonly otherAddress: boolean;
  readonly otherPort: boolean;
}

/** A question to a beacon. */
export interface Examine {
  /** Where the answer is to come from. */
  readonly from: ExaminePlace;
  readonly token: Uint8Array;
  /** The port of the asking address to answer to, 0 for the one that asks. */
  readonly port: number;
}

/** The other address of a beacon, with both of its ports; `otherPort` is 0 when there is none. */
export interface OtherAddress extends Endpoint {
  readonly otherPort: number;
}

/** The answer of a beacon. */
export interface ExamineReply {
  /** Where it comes from. */
  readonly from: ExaminePlace;
  readonly token: Uint8Array;
  /** Where the question came from. */
  readonly seen: Endpoint;
  /** The second port of the address asked, 0 when there is none. */
  readonly otherPort: number;
  readonly other: OtherAddress | undefined;
}

const OTHER_ADDRESS = 1;
const OTHER_PORT = 2;
const TOKEN_END = 2 + EXAMINE_TOKEN_SIZE;
const NOTHING = Uint8Array.of(0);

/** Whether a datagram is one of these messages. */
export function isExamineDatagram(data: Uint8Array): boolean {
  return data[0] === ExamineType.EXAMINE || data[0] === ExamineType.REPLY;
}

/** Reads a question; `token` is a view of `data`. */
export function decodeExamine(data: Uint8Array): Examine | "short" | "type" | "flags" {
  if (data.length === 0) return "short";
  if (data[0] !== ExamineType.EXAMINE) return "type";
  if (data.length < EXAMINE_SIZE) return "short";
  const from = placeOf(data[1]);
  if (from === undefined) return "flags";
  return { from, token: data.subarray(2, TOKEN_END), port: viewOf(data).getUint16(TOKEN_END) };
}

/** The datagram of a question. @throws RangeError when a field does not fit */
export function encodeExamine({ from, token, port }: Examine): Uint8Array<ArrayBuffer> {
  requireLength("token", token, EXAMINE_TOKEN_SIZE);
  requireUint("port", port, MAX_UINT16);
  const data = new Uint8Array(EXAMINE_SIZE);
  data[0] = ExamineType.EXAMINE;
  data[1] = flagsOf(from);
  data.set(token, 2);
  viewOf(data).setUint16(TOKEN_END, port);
  return data;
}

/** Reads an answer; `token` is a view of `data`. */
export function decodeExamineReply(data: Uint8Array): ExamineReply | "short" | "type" | "flags" | "address" {
  if (data.length === 0) return "short";
  if (data[0] !== ExamineType.REPLY) return "type";
  if (data.length < TOKEN_END + 1) return "short";
  const from = placeOf(data[1]);
  if (from === undefined) return "flags";
  const token = data.subarray(2, TOKEN_END);
  const seenLength = data[TOKEN_END] ?? 0;
  if (seenLength !== 4 && seenLength !== 16) return "address";
  const seenEnd = TOKEN_END + 1 + seenLength + 2;
  if (data.length < seenEnd + 3) return "short";
  const view = viewOf(data);
  const otherLength = view.getUint8(seenEnd + 2);
  if (otherLength !== 0 && otherLength !== 4 && otherLength !== 16) return "address";
  const start = seenEnd + 3;
  if (otherLength > 0 && data.length < start + otherLength + 4) return "short";
  return {
    from,
    token,
    seen: readEndpoint(masked(data.subarray(TOKEN_END + 1, seenEnd), token)),
    otherPort: view.getUint16(seenEnd),
    other: otherLength === 0 ? undefined : {
      ...readEndpoint(data.subarray(start, start + otherLength + 2)),
      otherPort: view.getUint16(start + otherLength + 2),
    },
  };
}

/** The datagram of an answer. @throws RangeError when a field does not fit or a host is no IP address */
export function encodeExamineReply(reply: ExamineReply): Uint8Array<ArrayBuffer> {
  const { token, other } = reply;
  requireLength("token", token, EXAMINE_TOKEN_SIZE);
  const seen = endpointBytes(reply.seen);
  const place = other === undefined ? undefined : endpointBytes(other);
  return concatBytes(
    Uint8Array.of(ExamineType.REPLY, flagsOf(reply.from)),
    token,
    Uint8Array.of(seen.length - 2),
    masked(seen, token),
    uint16Bytes(reply.otherPort),
    place === undefined
      ? NOTHING
      : concatBytes(Uint8Array.of(place.length - 2), place, uint16Bytes(other?.otherPort ?? 0)),
  );
}

function placeOf(flags: number | undefined): ExaminePlace | undefined {
  if (flags === undefined || flags > (OTHER_ADDRESS | OTHER_PORT)) return undefined;
  return { otherAddress: (flags & OTHER_ADDRESS) !== 0, otherPort: (flags & OTHER_PORT) !== 0 };
}

function flagsOf({ otherAddress, otherPort }: ExaminePlace): number {
  return (otherAddress ? OTHER_ADDRESS : 0) | (otherPort ? OTHER_PORT : 0);
}

function masked(bytes: Uint8Array, token: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => byte ^ (token[i % token.length] ?? 0));
}

function readEndpoint(bytes: Uint8Array): Endpoint {
  const length = bytes.length - 2;
  return { host: ipFromBytes(bytes.subarray(0, length)), port: viewOf(bytes).getUint16(length) };
}

function endpointBytes({ host, port }: Endpoint): Uint8Array {
  const ip = ipToBytes(host);
  if (ip === undefined) throw new RangeError(`not an IP address: ${host}`);
  return concatBytes(ip, uint16Bytes(port));
}
