/**
 * Selective acknowledgements share the payload with user data. This tells them apart on arrival.
 */

import { isAfter } from "../seq.ts";
import { decodeSack, type SackBlock } from "../../wire/sack.ts";
import type { Segment } from "./segment.ts";

/** Magic and count, then two edges each. */
const HEAD_SIZE = 5;
const BLOCK_SIZE = 8;

/**
 * The blocks a segment reports, `undefined` when its payload is user data.
 *
 * A genuine report has nothing behind its blocks, they ascend, and each lies after the packet's own acknowledgement
 * and at or before `next`, our next number to send. The acknowledgement is the packet's own on purpose: a report that
 * a newer one overtook must still not be taken for data.
 */
export function readSack(segment: Segment, next: number): SackBlock[] | undefined {
  const blocks = decodeSack(segment.payload);
  if (blocks === undefined || HEAD_SIZE + BLOCK_SIZE * blocks.length !== segment.payload.length) {
    return undefined;
  }
  let previous = segment.acknowledgement;
  for (const { left, right } of blocks) {
    if (!isAfter(left, previous) || !isAfter(right, left) || isAfter(right, next)) return undefined;
    previous = left;
  }
  return blocks;
}

/** Whether user data begins with the magic of selective acknowledgements. */
export function beginsLikeSack(payload: Uint8Array): boolean {
  return payload[0] === 0x53 && payload[1] === 0x41 && payload[2] === 0x43 && payload[3] === 0x4b;
}
