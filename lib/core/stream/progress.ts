/**
 * Reports to the congestion controller.
 */

import type { Instant } from "../machine.ts";
import { isBefore } from "../seq.ts";
import { type AcknowledgementReport, type CongestionController, emptyReport } from "./congestion.ts";
import type { Recovery } from "./recovery.ts";

/** What an acknowledgement covered. Sizes are bytes. */
export interface Covered {
  readonly acknowledged: number;
  readonly delivered: number;
  /** In flight before. */
  readonly inFlight: number;
  readonly limited: boolean;
  /** Its number. */
  readonly number: number;
}

/** Keeps what reports need over time. */
export class Progress {
  readonly #recovery: Recovery;
  readonly #congestion: CongestionController;
  readonly #report: AcknowledgementReport = emptyReport();
  #roundEnd: number;
  #reportedLost = 0;

  constructor(recovery: Recovery, congestion: CongestionController, first: number) {
    this.#recovery = recovery;
    this.#congestion = congestion;
    this.#roundEnd = first;
  }

  /** What was marked as lost so far says nothing about congestion. */
  forgiveLosses(): void {
    this.#reportedLost = this.#recovery.board.lostBytes;
  }

  /** Tells the controller. `next` is the next new byte. */
  report(covered: Covered, next: number, now: Instant): void {
    const report = this.#report;
    const { board, rate, rtt, kind, sample } = this.#recovery;
    report.now = now;
    report.acknowledged = covered.acknowledged;
    report.delivered = covered.delivered;
    report.priorInFlight = covered.inFlight;
    report.limited = covered.limited;
    report.lost = board.lostBytes - this.#reportedLost;
    report.inFlight = board.inFlight;
    report.outstanding = board.bytes;
    report.rtt = sample;
    report.minimumRtt = rtt.minimum ?? 0;
    report.smoothedRtt = rtt.smoothed ?? 0;
    report.inRecovery = kind === "loss";
    report.isRoundStart = !isBefore(covered.number, this.#roundEnd);
    report.rate = rate.rate;
    report.isAppLimited = rate.isAppLimited;
    report.totalDelivered = rate.delivered;
    report.priorDelivered = rate.priorDelivered;
    report.sentInFlight = rate.inFlight;
    this.forgiveLosses();
    if (report.isRoundStart) this.#roundEnd = next;
    this.#congestion.onAcknowledged(report);
  }
}
