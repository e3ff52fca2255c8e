/**
 * Randomness of the operating system.
 */

import type { RandomSource } from "../core/machine.ts";

/** One call of the Web Crypto API fills at most this many bytes (W3C Web Cryptography API, getRandomValues). */
const MAX_FILL = 65_536;

/** Fills `target`, of any length, with cryptographically strong random bytes and returns it. */
export const systemRandom: RandomSource = (target) => {
  for (let start = 0; start < target.length; start += MAX_FILL) {
    const part = new Uint8Array(Math.min(MAX_FILL, target.length - start));
    target.set(crypto.getRandomValues(part), start);
  }
  return target;
};
