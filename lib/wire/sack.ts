/**
 * Selective acknowledgement: what a receiver holds beyond the cumulative acknowledgement.
 *
 * ```text
 * "SACK" 4 | count 1, 1 to 4 | count x (left 4: first byte held, right 4: first byte after)
 * ```
 *
 * It travels as the payload of an ACK packet, so user data that begins like it is ambiguous:
 * {@linkcode looksLikeSack} tells a sender which pieces it must cut differently.
 */

import { MAX_UINT32, requireUint, viewOf } from "./uint.ts";

/** Most blocks in one message. */
export const MAX_SACK_BLOCKS = 4;

const MAGIC = 0x5341434b;
const HEAD_SIZE = 5;
const BLOCK_SIZE = 8;

/** Bytes `left` up to but excluding `right` were received; both modulo 2^32. */
export interface SackBlock {
  readonly left: number;
  readonly right: number;
}

/** The blocks of a payload, `undefined` when it is ordinary data. Surplus bytes are ignored. */
export function decodeSack(payload: Uint8Array): SackBlock[] | undefined {
  if (!looksLikeSack(payload)) return undefined;
  const view = viewOf(payload);
  return Array.from({ length: view.getUint8(4) }, (_, i) => {
    const offset = HEAD_SIZE + BLOCK_SIZE * i;
    return { left: view.getUint32(offset), right: view.getUint32(offset + 4) };
  });
}

/**
 * The payload that reports the first four of `blocks`, in their order; empty for no blocks.
 *
 * @throws RangeError when an edge is not a 32-bit number
 */
export function encodeSack(blocks: readonly SackBlock[]): Uint8Array<ArrayBuffer> {
  const sent = blocks.slice(0, MAX_SACK_BLOCKS);
  if (sent.length === 0) return new Uint8Array(0);
  const payload = new Uint8Array(HEAD_SIZE + BLOCK_SIZE * sent.length);
  const view = viewOf(payload);
  view.setUint32(0, MAGIC);
  view.setUint8(4, sent.length);
  for (const [i, { left, right }] of sent.entries()) {
    requireUint("left edge", left, MAX_UINT32);
    requireUint("right edge", right, MAX_UINT32);
    view.setUint32(HEAD_SIZE + BLOCK_SIZE * i, left);
    view.setUint32(HEAD_SIZE + BLOCK_SIZE * i + 4, right);
  }
  return payload;
}

/** Whether a receiver would take this payload for a selective acknowledgement. */
export function looksLikeSack(payload: Uint8Array): boolean {
  if (payload.length < HEAD_SIZE || payload[0] !== 0x53) return false;
  const view = viewOf(payload);
  const count = view.getUint8(4);
  return view.getUint32(0) === MAGIC && count >= 1 && count <= MAX_SACK_BLOCKS &&
    payload.length >= HEAD_SIZE + BLOCK_SIZE * count;
}
