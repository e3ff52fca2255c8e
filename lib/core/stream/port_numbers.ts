/**
 * Local ports for outgoing connections.
 */

import type { RandomSource } from "../machine.ts";

/** First of the ephemeral ports, which go up to 65535 (RFC 6335 section 6). */
export const FIRST_EPHEMERAL = 49_152;
const EPHEMERAL_COUNT = 65_536 - FIRST_EPHEMERAL;

/** Counts the connections per local port and finds free ones. */
export class PortNumbers {
  readonly #uses = new Map<number, number>();
  readonly #random: RandomSource;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** An unused ephemeral port that `isTaken` does not name, random (RFC 6056); `undefined` when all are in use. */
  find(isTaken: (port: number) => boolean): number | undefined {
    const [high = 0, low = 0] = this.#random(new Uint8Array(2));
    const start = ((high << 8) | low) % EPHEMERAL_COUNT;
    for (let offset = 0; offset < EPHEMERAL_COUNT; offset++) {
      const port = FIRST_EPHEMERAL + (start + offset) % EPHEMERAL_COUNT;
      if (!this.#uses.has(port) && !isTaken(port)) return port;
    }
    return undefined;
  }

  note(port: number): void {
    this.#uses.set(port, (this.#uses.get(port) ?? 0) + 1);
  }

  release(port: number): void {
    const uses = this.#uses.get(port) ?? 0;
    if (uses > 1) this.#uses.set(port, uses - 1);
    else this.#uses.delete(port);
  }
}
