/**
 * How many bytes may be in flight. One controller per stream, behind an interface so that it can be replaced.
 */

import type { Instant } from "../machine.ts";

/** What an acknowledgement told, for the controller. */
export interface AcknowledgementReport {
  /** Bytes cumulatively acknowledged by this packet. */
  readonly bytes: number;
  /** Bytes in flight before this packet was taken in. */
  readonly inFlight: number;
  /** Round-trip time measured with this packet in milliseconds, if it allowed a measurement. */
  readonly rtt: number | undefined;
  /** Whether the window, and not a lack of data or of room at the peer, held the sender back. */
  readonly limited: boolean;
  readonly now: Instant;
}

/** Decides on the congestion window. All sizes are bytes. */
export interface CongestionController {
  readonly name: string;
  /** Bytes that may be in flight. */
  readonly window: number;
  /** The window at which slow start ends. */
  readonly threshold: number;
  /** New data was acknowledged outside of loss recovery, or in the slow start that follows a timeout. */
  onAcknowledged(report: AcknowledgementReport): void;
  /** Loss was seen for the first time in this flight. */
  onLoss(inFlight: number, now: Instant): void;
  /** The retransmission timer expired. `first` is false for repeated expiries without progress. */
  onTimeout(inFlight: number, options: { first: boolean; now: Instant }): void;
}

/** Makes a controller for segments of the given size. */
export type CongestionFactory = (segmentSize: number) => CongestionController;

/** Initial window in segments (RFC 6928). */
const INITIAL_SEGMENTS = 10;
/** Initial slow-start threshold and largest window, bytes (Pilot Protocol). */
const INITIAL_THRESHOLD = 524_288;
const MAX_WINDOW = 1_048_576;

/**
 * NewReno with selective acknowledgement: RFC 5681 with the byte counting of RFC 3465 (L = 2), and recovery as in
 * RFC 6675, where the sender measures what is in flight and the window stays put until recovery ends.
 */
export class NewReno implements CongestionController {
  readonly name = "newreno";
  readonly #segment: number;
  #window: number;
  #threshold = INITIAL_THRESHOLD;
  #counted = 0;

  constructor(segmentSize: number) {
    this.#segment = segmentSize;
    this.#window = INITIAL_SEGMENTS * segmentSize;
  }

  get window(): number {
    return this.#window;
  }

  get threshold(): number {
    return this.#threshold;
  }

  onAcknowledged({ bytes, limited }: AcknowledgementReport): void {
    // A window that is not used says nothing about the path (RFC 7661).
    if (!limited) return;
    if (this.#window < this.#threshold) {
      this.#window += Math.min(bytes, 2 * this.#segment);
    } else {
      this.#counted += bytes;
      if (this.#counted < this.#window) return;
      this.#counted -= this.#window;
      this.#window += this.#segment;
    }
    this.#window = Math.min(this.#window, MAX_WINDOW);
  }

  onLoss(inFlight: number): void {
    this.#reduce(inFlight);
    this.#window = this.#threshold;
  }

  onTimeout(inFlight: number, { first }: { first: boolean }): void {
    if (first) this.#reduce(inFlight);
    this.#window = this.#segment;
  }

  #reduce(inFlight: number): void {
    this.#threshold = Math.max(Math.floor(inFlight / 2), 2 * this.#segment);
    this.#counted = 0;
  }
}
