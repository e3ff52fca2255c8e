/**
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406) and proportional rate reduction (RFC 6937).
 */

import type { Instant } from "../machine.ts";
import {
  type AcknowledgementReport,
  type CongestionController,
  type CongestionOptions,
  INITIAL_SEGMENTS,
} from "./congestion.ts";
import { HyStart } from "./hystart.ts";
import { ProportionalRateReduction } from "./prr.ts";

/** Constants of RFC 9438 section 4.1 and 4.6. */
const C = 0.4;
const BETA = 0.7;
const RENO_ALPHA = 3 * (1 - BETA) / (1 + BETA);
/** The window never falls below this many segments. */
const LEAST_SEGMENTS = 2;
/** Pace relative to one window per round trip, in slow start and later: room for the window to be used. */
const SLOW_START_PACE = 2;
const AVOIDANCE_PACE = 1.2;
/** Below this round-trip time timers are too coarse to pace, milliseconds. */
const UNPACED_RTT_MS = 2;

/** What a reduction changed. */
interface Saved {
  readonly window: number;
  readonly threshold: number;
  readonly largest: number;
  readonly epoch: Instant | undefined;
  readonly k: number;
}

/** Makes a CUBIC controller. */
export function cubic(options: CongestionOptions): CongestionController {
  return new Cubic(options);
}

/** Grows by the time since the last loss, hence independent of the round-trip time. */
export class Cubic implements CongestionController {
  readonly name = "cubic";
  readonly #segment: number;
  readonly #hystart = new HyStart();
  readonly #prr: ProportionalRateReduction;
  #window: number;
  #threshold = Infinity;
  /** The window before the last reduction, when growth began after it, and how long until it is reached, in seconds. */
  #largest = 0;
  #epoch: Instant | undefined;
  #k = 0;
  #estimate = 0;
  #saved: Saved | undefined;
  #inRecovery = false;
  #smoothedRtt = 0;

  constructor({ segmentSize }: CongestionOptions) {
    this.#segment = segmentSize;
    this.#window = INITIAL_SEGMENTS * segmentSize;
    this.#prr = new ProportionalRateReduction(segmentSize);
  }

  get window(): number {
    return this.#window;
  }

  get threshold(): number {
    return Number.isFinite(this.#threshold) ? this.#threshold : Number.MAX_SAFE_INTEGER;
  }

  get pacingRate(): number {
    if (this.#smoothedRtt < UNPACED_RTT_MS) return Infinity;
    const gain = this.#window < this.#threshold ? SLOW_START_PACE : AVOIDANCE_PACE;
    return gain * Math.max(this.#window, this.#segment) / this.#smoothedRtt;
  }

  onSent(bytes: number, { wasIdle, now }: { wasIdle: boolean; now: Instant }): void {
    if (this.#inRecovery) this.#prr.noteSent(bytes);
    // Time without data is no time to grow (RFC 9438 section 5.8).
    if (wasIdle && this.#epoch !== undefined) this.#epoch = now;
  }

  onAcknowledged(report: AcknowledgementReport): void {
    this.#smoothedRtt = report.smoothedRtt;
    if (report.inRecovery) {
      this.#window = this.#prr.window(report.delivered, report.inFlight);
      return;
    }
    if (this.#window < this.#threshold) this.#growSlowly(report);
    // A window that is not used says nothing about the path (RFC 7661).
    else if (report.limited) this.#growCubic(report);
  }

  onLoss(inFlight: number): void {
    this.#reduce();
    this.#prr.begin(inFlight, this.#threshold);
    this.#inRecovery = true;
  }

  onRecovered(): void {
    if (this.#inRecovery) this.#window = this.#threshold;
    this.#inRecovery = false;
    this.#epoch = undefined;
  }

  onTimeout(_inFlight: number, { first }: { first: boolean; now: Instant }): void {
    if (first && !this.#inRecovery) this.#reduce();
    this.#inRecovery = false;
    this.#epoch = undefined;
    this.#window = this.#segment;
    this.#hystart.reset();
  }

  onUndo(): void {
    const saved = this.#saved;
    this.#inRecovery = false;
    if (saved === undefined) return;
    this.#window = Math.max(this.#window, saved.window);
    this.#threshold = saved.threshold;
    this.#largest = saved.largest;
    this.#epoch = saved.epoch;
    this.#k = saved.k;
    this.#saved = undefined;
  }

  onPathChange(): void {
    this.#window = INITIAL_SEGMENTS * this.#segment;
    this.#threshold = Infinity;
    this.#epoch = undefined;
    this.#largest = 0;
    this.#inRecovery = false;
    this.#hystart.reset();
  }

  #growSlowly({ acknowledged, limited, rtt, isRoundStart }: AcknowledgementReport): void {
    if (this.#hystart.note(rtt, isRoundStart)) {
      this.#threshold = this.#window;
      return;
    }
    if (limited) this.#window = Math.min(this.#window + this.#hystart.growth(acknowledged), this.#threshold);
  }

  #growCubic({ acknowledged, now, smoothedRtt }: AcknowledgementReport): void {
    if (this.#epoch === undefined) this.#beginEpoch(now);
    const elapsed = (now - (this.#epoch ?? now) + smoothedRtt) / 1_000;
    const target = this.#segment * C * (elapsed - this.#k) ** 3 + this.#largest;
    const alpha = this.#estimate < this.#largest ? RENO_ALPHA : 1;
    this.#estimate += alpha * this.#segment * acknowledged / this.#window;
    const bounded = Math.min(1.5 * this.#window, Math.max(this.#window, target));
    this.#window += (bounded - this.#window) * acknowledged / this.#window;
    this.#window = Math.max(this.#window, this.#estimate);
  }

  #beginEpoch(now: Instant): void {
    this.#epoch = now;
    this.#estimate = this.#window;
    if (this.#largest < this.#window) this.#largest = this.#window;
    this.#k = Math.cbrt((this.#largest - this.#window) / this.#segment / C);
  }

  #reduce(): void {
    const window = this.#window;
    this.#saved = {
      window,
      threshold: this.#threshold,
      largest: this.#largest,
      epoch: this.#epoch,
      k: this.#k,
    };
    // Fast convergence (RFC 9438 section 4.7) leaves room for new flows.
    this.#largest = window < this.#largest ? window * (1 + BETA) / 2 : window;
    this.#threshold = Math.max(LEAST_SEGMENTS * this.#segment, Math.round(window * BETA));
  }
}
