/** CRC-32 as in IEEE 802.3, zlib and PNG: reflected polynomial 0xEDB88320, initial value and final XOR 0xFFFFFFFF. */

import { viewOf } from "./uint.ts";

/** Eight tables of 256: table k holds the effect of a byte that is followed by k more ("slicing by eight"). */
const TABLES = buildTables();

/** Checksum of the parts as if they were one byte string, as an unsigned 32-bit number. Of nothing it is 0. */
export function crc32(...parts: readonly Uint8Array[]): number {
  let crc = -1;
  for (const part of parts) crc = update(crc, part);
  return ~crc >>> 0;
}

function update(start: number, data: Uint8Array): number {
  const view = viewOf(data);
  const wholeBlocks = data.length & ~7;
  let crc = start;
  let i = 0;
  for (; i < wholeBlocks; i += 8) {
    const low = view.getInt32(i, true) ^ crc;
    const high = view.getInt32(i + 4, true);
    crc = table(7, low) ^ table(6, low >>> 8) ^ table(5, low >>> 16) ^ table(4, low >>> 24) ^
      table(3, high) ^ table(2, high >>> 8) ^ table(1, high >>> 16) ^ table(0, high >>> 24);
  }
  for (; i < data.length; i++) crc = table(0, crc ^ view.getUint8(i)) ^ (crc >>> 8);
  return crc;
}

function table(k: number, byte: number): number {
  return TABLES[(k << 8) | (byte & 0xff)] ?? 0;
}

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
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
