/**
 * When a node that sends hears nothing at all any more, from nobody.
 *
 * Nobody answering is not the same as one peer being away: most likely the way out of this computer is gone, or a NAT on
 * it has forgotten the node while the connection to the registry, which is another one, still stands.
 */

import type { Instant } from "./machine.ts";

/** Datagrams that must be without answer: fewer may have needed none. */
const MIN_SENT = 3;
/** Silence that is suspicious, milliseconds; doubles with each recovery that did not help. */
const FIRST_SILENCE_MS = 2_000;
const MAX_SILENCE_MS = 60_000;
/** Time for an answer, milliseconds. */
const ANSWER_MS = 1_500;

/** Watches the datagrams of one node. */
export class NodeWatchdog {
  #sent = 0;
  #since: Instant = 0;
  #silence = FIRST_SILENCE_MS;
  #due: Instant | undefined;
  #asked = false;

  /** A datagram leaves. */
  noteSent(now: Instant): void {
    if (this.#sent === 0) this.#since = now;
    if (++this.#sent === MIN_SENT) this.#due = Math.max(this.#since + this.#silence, now + ANSWER_MS);
  }

  /** Something arrived that only a peer or a beacon can have sent. What anybody could send is no sign of life. */
  noteReceived(): void {
    this.#sent = 0;
    this.#due = undefined;
    this.#asked = false;
    this.#silence = FIRST_SILENCE_MS;
  }

  pollTimeout(): Instant | undefined {
    return this.#due;
  }

  /**
   * What it is time to do. First to ask the beacons, which answer if they can hear: what was sent may have gone to peers
   * that are away. Then to recover.
   */
  handleTimeout(now: Instant): "ask" | "recover" | undefined {
    if (this.#due === undefined || now < this.#due) return undefined;
    if (!this.#asked) {
      this.#asked = true;
      this.#due = now + ANSWER_MS;
      return "ask";
    }
    this.#asked = false;
    this.#due = undefined;
    this.#sent = 0;
    this.#silence = Math.min(2 * this.#silence, MAX_SILENCE_MS);
    return "recover";
  }
}
