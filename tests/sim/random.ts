/**
 * Randomness that a seed decides, for simulated worlds. Not for secrets.
 */

import type { RandomSource } from "../../lib/core/machine.ts";

/** The generator xoshiro128** of Blackman and Vigna, seeded through splitmix32. */
export class SeededRandom {
  readonly #state = new Uint32Array(4);

  /** Equal seeds give equal sequences. Any number; only its lowest 32 bits count. */
  constructor(seed: number) {
    let mix = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      mix = (mix + 0x9e3779b9) >>> 0;
      let word = Math.imul(mix ^ (mix >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      this.#state[i] = word ^ (word >>> 15);
    }
  }

  /** Fills `target` with random bytes; a method value, so it can be handed to machines as it is. */
  readonly bytes: RandomSource = (target) => {
    for (let start = 0; start < target.length; start += 4) {
      const word = this.uint32();
      const end = Math.min(4, target.length - start);
      for (let i = 0; i < end; i++) target[start + i] = word >>> (8 * i);
    }
    return target;
  };

  /** 0 to 2^32 - 1. */
  uint32(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    state[2] = c ^ a;
    state[3] = d ^ b;
    state[1] = b ^ c ^ a;
    state[0] = a ^ d ^ b;
    state[2] = c ^ a ^ (b << 9);
    const last = d ^ b;
    state[3] = (last << 11) | (last >>> 21);
    return result;
  }

  /** 0 up to, not including, 1. */
  float(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** An integer from 0 up to, not including, `limit`. */
  int(limit: number): number {
    return Math.floor(this.float() * limit);
  }

  /** True with this probability. Draws nothing for 0 or less. */
  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability;
  }

  /** One element, `undefined` of an empty list. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.int(list.length)];
  }

  /** A generator of its own: how much it is used does not change what this one gives. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32());
  }
}
