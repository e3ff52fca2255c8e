/** How many punch commands a node obeys, whichever of its beacons they come from. */

import { RateTable, TokenBucket } from "./limiter.ts";
import type { Instant } from "./machine.ts";

/** Addresses whose rate is kept. */
const TARGETS = 256;

/** The budget of punch commands. */
export class CommandLimits {
  readonly #targets = new RateTable<string>({ perSecond: 0.5, burst: 3 }, TARGETS);
  #all: TokenBucket | undefined;

  /** Whether a command to send to `host` may be obeyed now. */
  take(host: string, now: Instant): boolean {
    this.#all ??= new TokenBucket({ perSecond: 10, burst: 20 }, now);
    return this.#targets.take(host, now) && this.#all.take(now);
  }
}
