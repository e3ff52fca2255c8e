/** The bytes that are sent in a measurement, and the proof that they arrived: their number and their CRC-32. */

import { crc32 } from "node:zlib";

/** Length of the block that repeats: odd, so that nothing in the stream falls on the same place of it twice. */
const BLOCK_BYTES = 1_048_573;
/** Bytes handed to one write. */
const WRITE_BYTES = 256 * 1024;
/** Small chunks are gathered up to this length, because a call of the checksum costs more than copying. */
const GATHER_BYTES = 64 * 1024;
/** Length of a receipt on the wire. */
export const RECEIPT_BYTES = 12;

/** What arrived, or should. */
export interface Receipt {
  readonly bytes: number;
  readonly crc: number;
}

const block = makeBlock();

/** The payload of `length` bytes, piece by piece; pieces must not be changed. */
export function* payload(length: number): Generator<Uint8Array> {
  for (let sent = 0; sent < length;) {
    const at = sent % BLOCK_BYTES;
    const piece = block.subarray(at, at + Math.min(WRITE_BYTES, length - sent));
    sent += piece.length;
    yield piece;
  }
}

const receipts = new Map<number, Receipt>();

/** What a receiver of the payload of `length` bytes must say. */
export function expectedReceipt(length: number): Receipt {
  let receipt = receipts.get(length);
  if (receipt === undefined) {
    const checksum = new Checksum();
    for (const piece of payload(length)) checksum.add(piece);
    receipt = checksum.receipt();
    receipts.set(length, receipt);
  }
  return receipt;
}

/** Counts and sums what arrives, at about a hundredth of what its transport costs. */
export class Checksum {
  readonly #gathered = new Uint8Array(GATHER_BYTES);
  #used = 0;
  #bytes = 0;
  #crc = 0;

  /** The next bytes. */
  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#used + chunk.length > GATHER_BYTES) this.#flush();
    if (chunk.length >= GATHER_BYTES) {
      this.#crc = crc32(chunk, this.#crc);
      return;
    }
    this.#gathered.set(chunk, this.#used);
    this.#used += chunk.length;
  }

  /** What was added so far. */
  receipt(): Receipt {
    this.#flush();
    return { bytes: this.#bytes, crc: this.#crc };
  }

  #flush(): void {
    if (this.#used > 0) this.#crc = crc32(this.#gathered.subarray(0, this.#used), this.#crc);
    this.#used = 0;
  }
}

/** A receipt as bytes. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const view = new DataView(new ArrayBuffer(RECEIPT_BYTES));
  view.setFloat64(0, receipt.bytes);
  view.setUint32(8, receipt.crc);
  return new Uint8Array(view.buffer);
}

/** @throws Error when the receipt is not the one for `expected` */
export function checkReceipt(bytes: Uint8Array, expected: Receipt): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [length, crc] = [view.getFloat64(0), view.getUint32(8)];
  if (length === expected.bytes && crc === expected.crc) return;
  throw new Error(`sent ${expected.bytes} bytes (${expected.crc}), ${length} arrived (${crc})`);
}

/** Bytes without a pattern that is the same everywhere (xorshift32, Marsaglia 2003). */
function makeBlock(): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES);
  let state = 0x9e3779b9;
  for (let at = 0; at < BLOCK_BYTES; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
