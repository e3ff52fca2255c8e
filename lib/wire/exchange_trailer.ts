/**
 * Our tail of a PILA. Foreign receivers ignore every byte after the 136th.
 *
 * ```text
 *  0        4       5             9            17      19        19+n
 *  +--------+-------+-------------+-------------+-------+---------+--------------+
 *  | "PLT1" | flags | receiver id | unix time   | n     | options | signature    |
 *  |   4    |   1   |     4       |  8 (ms)     |   2   |    n    |     64       |
 *  +--------+-------+-------------+-------------+-------+---------+--------------+
 * ```
 *
 * flags: bit 0 = this PILA answers one of the receiver and must not be answered itself. The Ed25519 signature covers
 * `TRAILER_LABEL`, the PILA from its node id up to and including its identity key (bytes 4 to 71), and the trailer
 * from `flags` to the end of the options: it binds the key to one receiver and one moment, which the signature of the
 * PILA does not. Integers are big-endian.
 */

import { concatBytes, encodeUtf8 } from "./bytes.ts";

const MAGIC = encodeUtf8("PLT1");
const LABEL = encodeUtf8("pilot-exchange-v1");
const FIXED_SIZE = 19;
const SIGNATURE_SIZE = 64;
const FLAG_ANSWER = 1;

/** What the trailer says. */
export interface ExchangeTrailer {
  /** True when this PILA answers one of the receiver's. */
  readonly answer: boolean;
  readonly receiver: number;
  /** Unix time of sending, milliseconds. */
  readonly time: number;
  /** Room for authenticated options; readers skip what they do not know. */
  readonly options: Uint8Array;
}

/** A parsed trailer with what is needed to verify it. */
export interface SignedTrailer extends ExchangeTrailer {
  readonly signature: Uint8Array;
  /** The trailer's share of the signed message. */
  readonly body: Uint8Array;
}

/** The bytes from `flags` to the end of the options. @throws RangeError when a field does not fit */
export function encodeTrailerBody(trailer: ExchangeTrailer): Uint8Array {
  if (trailer.options.length > 0xffff) {
    throw new RangeError("options of an exchange trailer above 65535 bytes");
  }
  const body = new Uint8Array(FIXED_SIZE - MAGIC.length + trailer.options.length);
  const view = new DataView(body.buffer);
  body[0] = trailer.answer ? FLAG_ANSWER : 0;
  view.setUint32(1, trailer.receiver);
  view.setBigUint64(5, BigInt(Math.trunc(trailer.time)));
  view.setUint16(13, trailer.options.length);
  body.set(trailer.options, 15);
  return body;
}

/** The message that the trailer's signature covers. */
export function trailerSignedBytes(
  exchange: { readonly sender: number; readonly exchangeKey: Uint8Array; readonly identityKey: Uint8Array },
  body: Uint8Array,
): Uint8Array {
  const sender = new Uint8Array(4);
  new DataView(sender.buffer).setUint32(0, exchange.sender);
  return concatBytes(LABEL, sender, exchange.exchangeKey, exchange.identityKey, body);
}

/** The whole trailer. */
export function encodeTrailer(body: Uint8Array, signature: Uint8Array): Uint8Array {
  return concatBytes(MAGIC, body, signature);
}

/** Reads a trailer; `"none"` when the bytes are not one of ours. Surplus bytes are ignored. */
export function decodeTrailer(data: Uint8Array): SignedTrailer | "none" | "short" {
  if (data.length < MAGIC.length || MAGIC.some((byte, index) => data[index] !== byte)) return "none";
  if (data.length < FIXED_SIZE + SIGNATURE_SIZE) return "short";
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const end = FIXED_SIZE + view.getUint16(17);
  if (data.length < end + SIGNATURE_SIZE) return "short";
  const time = view.getBigUint64(9);
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return "none";
  return {
    answer: (view.getUint8(4) & FLAG_ANSWER) !== 0,
    receiver: view.getUint32(5),
    time: Number(time),
    options: data.subarray(FIXED_SIZE, end),
    body: data.subarray(MAGIC.length, end),
    signature: data.subarray(end, end + SIGNATURE_SIZE),
  };
}
