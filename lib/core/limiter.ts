/**
 * Token buckets: one, and a bounded table of them by name.
 */

import type { Instant } from "./machine.ts";

/** How much a bucket holds and how fast it fills. */
export interface BucketRate {
  /** Tokens per second. */
  readonly perSecond: number;
  /** Tokens a full bucket holds. */
  readonly burst: number;
}

/** A token bucket that starts full. */
export class TokenBucket {
  readonly #rate: BucketRate;
  #tokens: number;
  #updated: Instant;

  constructor(rate: BucketRate, now: Instant) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#updated = now;
  }

  /** Takes one token; false when there is none. */
  take(now: Instant): boolean {
    this.#refill(now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Whether the bucket would be full, hence can be forgotten without any difference. */
  isFull(now: Instant): boolean {
    this.#refill(now);
    return this.#tokens >= this.#rate.burst;
  }

  #refill(now: Instant): void {
    const elapsed = Math.max(0, now - this.#updated);
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (elapsed * this.#rate.perSecond) / 1000);
    this.#updated = now;
  }
}

/** Token buckets by name, for at most `capacity` names: full ones are forgotten first, then new names are refused. */
export class RateTable<Key> {
  readonly #rate: BucketRate;
  readonly #capacity: number;
  readonly #buckets = new Map<Key, TokenBucket>();

  constructor(rate: BucketRate, capacity: number) {
    this.#rate = rate;
    this.#capacity = capacity;
  }

  /** Takes one token of `key`; false when it has none, or when the table is full of busy names. */
  take(key: Key, now: Instant): boolean {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#capacity && !this.#makeRoom(now)) return false;
      bucket = new TokenBucket(this.#rate, now);
      this.#buckets.set(key, bucket);
    }
    return bucket.take(now);
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Forgets full buckets among the 64 first names and moves the others behind, so a flood costs no whole scan. */
  #makeRoom(now: Instant): boolean {
    for (const [key, bucket] of [...this.#buckets.entries().take(64)]) {
      this.#buckets.delete(key);
      if (!bucket.isFull(now)) this.#buckets.set(key, bucket);
    }
    return this.#buckets.size < this.#capacity;
  }
}
