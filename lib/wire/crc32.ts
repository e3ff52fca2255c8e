/** CRC-32 as in IEEE 802.3, zlib and PNG: reflected polynomial 0xEDB88320, initial value and final XOR 0xFFFFFFFF. */

import { viewOf } from "./uint.ts";

/** Bytes taken at a time. */
const SLICE = 16;

/** Sixteen tables of 256: table k holds the effect of a byte that is followed by k more ("slicing by sixteen"). */
const TABLES = buildTables();

/** The state before the first byte, for {@linkcode updateCrc32}. */
export const CRC32_START = -1;

/** Checksum of the parts as if they were one byte string, as an unsigned 32-bit number. Of nothing it is 0. */
export function crc32(...parts: readonly Uint8Array[]): number {
  let state = CRC32_START;
  for (const part of parts) state = updateCrc32(state, viewOf(part), { start: 0, end: part.length });
  return finishCrc32(state);
}

/** The state after the bytes from `start` up to but excluding `end`. */
export function updateCrc32(
  state: number,
  view: DataView,
  { start, end }: { readonly start: number; readonly end: number },
): number {
  let crc = state;
  let i = start;
  for (const last = end - SLICE; i <= last; i += SLICE) {
    const a = view.getInt32(i, true) ^ crc;
    const b = view.getInt32(i + 4, true);
    const c = view.getInt32(i + 8, true);
    const d = view.getInt32(i + 12, true);
    crc = table(15, a) ^ table(14, a >>> 8) ^ table(13, a >>> 16) ^ table(12, a >>> 24) ^
      table(11, b) ^ table(10, b >>> 8) ^ table(9, b >>> 16) ^ table(8, b >>> 24) ^
      table(7, c) ^ table(6, c >>> 8) ^ table(5, c >>> 16) ^ table(4, c >>> 24) ^
      table(3, d) ^ table(2, d >>> 8) ^ table(1, d >>> 16) ^ table(0, d >>> 24);
  }
  for (; i < end; i++) crc = table(0, crc ^ view.getUint8(i)) ^ (crc >>> 8);
  return crc;
}

/** The checksum for a state. */
export function finishCrc32(state: number): number {
  return ~state >>> 0;
}

function table(k: number, byte: number): number {
  return TABLES[(k << 8) | (byte & 0xff)] ?? 0;
}

function buildTables(): Int32Array {
  const tables = new Int32Array(SLICE * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0xedb88320 : 0);
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const shorter = tables[i - 256] ?? 0;
    tables[i] = (shorter >>> 8) ^ (tables[shorter & 0xff] ?? 0);
  }
  return tables;
}
