/**
 * The one timer of a sender: loss probe, retransmission or zero-window probe, whichever is next.
 */

import type { Instant } from "../machine.ts";
import type { Recovery } from "./recovery.ts";

/** First and longest distance of zero-window probes, milliseconds (Pilot Protocol). */
export const PROBE_FIRST_MS = 500;
export const PROBE_LONGEST_MS = 30_000;

/** A loss probe follows two round trips of silence (RFC 8985 section 7.2), and no sooner than this, milliseconds. */
const TAIL_PROBE_LEAST_MS = 10;
/** The acknowledgement of a lone segment may be delayed so long: by nodes like ours, by any; milliseconds. */
const OWN_ACK_DELAY_MS = 10;
const ANY_ACK_DELAY_MS = 45;

/** Starts, stops and names the timer. */
export class RetransmissionTimer {
  readonly #recovery: Recovery;
  #ackDelay = ANY_ACK_DELAY_MS;
  /** Zero-window probes since the last progress. */
  probes = 0;
  #kind: "window" | "tail" | "data" = "data";
  #deadline: Instant | undefined;

  constructor(recovery: Recovery, isOwnPeer: boolean) {
    this.#recovery = recovery;
    this.setOwnPeer(isOwnPeer);
  }

  /** Whether the peer delays acknowledgements as little as we do. */
  setOwnPeer(isOwnPeer: boolean): void {
    this.#ackDelay = isOwnPeer ? OWN_ACK_DELAY_MS : ANY_ACK_DELAY_MS;
  }

  get deadline(): Instant | undefined {
    return this.#deadline;
  }

  /** The next {@linkcode arm} starts anew. */
  stop(): void {
    this.#deadline = undefined;
  }

  /** New data left: a loss probe waits for the end of the flight. */
  noteNewData(): void {
    if (this.#kind === "tail") this.#deadline = undefined;
  }

  /** Starts the timer unless it runs (RFC 6298 section 5.1 to 5.3). */
  arm(what: "none" | "window" | "data", now: Instant): void {
    if (what === "none") {
      this.#deadline = undefined;
      return;
    }
    if (this.#deadline !== undefined) {
      const isStale = (what === "window") !== (this.#kind === "window") ||
        (this.#kind === "tail" && !this.#recovery.mayProbe);
      if (!isStale) return;
    }
    if (what === "window") {
      this.#kind = "window";
      const distance = Math.max(PROBE_FIRST_MS, this.#recovery.rtt.timeout) * 2 ** Math.min(this.probes, 16);
      this.#deadline = now + Math.min(PROBE_LONGEST_MS, distance);
      return;
    }
    const { timeout } = this.#recovery.rtt;
    const tail = this.#recovery.mayProbe ? this.#tailDelay() : Infinity;
    this.#kind = tail < timeout ? "tail" : "data";
    this.#deadline = now + Math.min(tail, timeout);
  }

  /** What is due, if anything is. */
  expire(now: Instant): "window" | "tail" | "data" | undefined {
    if (this.#deadline === undefined || now < this.#deadline) return undefined;
    this.#deadline = undefined;
    if (this.#kind === "window") this.probes++;
    return this.#recovery.board.count === 0 && this.#kind !== "window" ? undefined : this.#kind;
  }

  #tailDelay(): number {
    const { rtt, board } = this.#recovery;
    const delay = board.count === 1 ? this.#ackDelay : 0;
    return Math.max(TAIL_PROBE_LEAST_MS, 2 * (rtt.smoothed ?? Infinity) + delay);
  }
}
