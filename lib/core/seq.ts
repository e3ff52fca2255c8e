/**
 * 32-bit sequence numbers that wrap (RFC 1982 serial number arithmetic, RFC 9293 section 3.4).
 */

/** `sequence` moved forward by `count`, which may be negative, modulo 2^32. */
export function sequenceAdd(sequence: number, count: number): number {
  return (sequence + count) >>> 0;
}

/** How far `a` lies after `b`, -2^31 to 2^31-1; negative when it lies before. */
export function sequenceDifference(a: number, b: number): number {
  return (a - b) | 0;
}

/** Whether `a` lies strictly after `b`. */
export function isAfter(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

/** Whether `a` lies strictly before `b`. */
export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
