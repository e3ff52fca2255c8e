/**
 * How large the receive window should be, and how often to acknowledge: from what arrives per round trip
 * while the application keeps up ("dynamic right-sizing").
 */

import type { Instant } from "../machine.ts";
import { ACK_EVERY } from "./acks.ts";

/**
 * The window is this many times what arrived in one round trip: the peer can triple its rate, and twice repair what
 * was lost. It costs no memory while the application keeps up.
 */
const HEADROOM = 16;
/** Acknowledgements per round trip that a sender needs to keep its clock. */
const ACKS_PER_ROUND = 32;
/** Most segments under one acknowledgement between nodes like ours. */
const MOST_PER_ACK = 16;
/** Rounds are no shorter than this, whatever the round-trip time, milliseconds: timers are no finer. */
const SHORTEST_ROUND_MS = 1;

/** Grows the window of one stream from `initial` to at most `maximum` segments. It never shrinks. */
export class ReceiveTuning {
  readonly #maximum: number;
  readonly #thinsAcks: boolean;
  #window: number;
  #roundStart: Instant | undefined;
  #arrivedInRound = 0;
  #ackEvery = ACK_EVERY;

  constructor(options: { initial: number; maximum: number; thinsAcks: boolean }) {
    this.#window = Math.min(options.initial, options.maximum);
    this.#maximum = options.maximum;
    this.#thinsAcks = options.thinsAcks;
  }

  /** Segments that may wait for the application. */
  get window(): number {
    return this.#window;
  }

  /** Segments in order after which an acknowledgement is due. */
  get ackEvery(): number {
    return this.#ackEvery;
  }

  /** A segment arrived that was not here yet. */
  noteArrival(): void {
    this.#arrivedInRound++;
  }

  /** Looks at the clock; `rtt` is the round-trip time in milliseconds, if known, `queued` what the reader left. */
  tick(now: Instant, { rtt, queued }: { rtt: number | undefined; queued: number }): void {
    if (this.#roundStart === undefined) this.#roundStart = now;
    const elapsed = now - this.#roundStart;
    if (elapsed >= Math.max(SHORTEST_ROUND_MS, rtt ?? Infinity)) this.#endRound(now, rtt, queued);
  }

  #endRound(now: Instant, rtt: number | undefined, queued: number): void {
    const rounds = (now - (this.#roundStart ?? now)) / Math.max(SHORTEST_ROUND_MS, rtt ?? 1);
    const wanted = Math.ceil(HEADROOM * this.#arrivedInRound / rounds);
    // A reader that keeps up leaves less than a part of a round.
    if (wanted > this.#window && queued < this.#arrivedInRound / 2) {
      this.#window = Math.min(this.#maximum, wanted);
    }
    if (this.#thinsAcks) {
      const every = Math.floor(this.#arrivedInRound / rounds / ACKS_PER_ROUND);
      this.#ackEvery = Math.min(MOST_PER_ACK, Math.max(ACK_EVERY, every));
    }
    this.#roundStart = now;
    this.#arrivedInRound = 0;
  }
}
