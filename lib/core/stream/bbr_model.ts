/**
 * What BBR believes of a path: bandwidth, round-trip time, aggregation, and the loss that is there without congestion
 * (draft-ietf-ccwg-bbr section 5.5).
 */

import type { Instant } from "../machine.ts";
import type { AcknowledgementReport } from "./congestion.ts";

/** A minimum that was not seen again for this time is too old, milliseconds (MinRTTFilterLen). */
const MIN_RTT_WINDOW_MS = 10_000;
/** Rounds over which aggregation is measured (ExtraAckedFilterLen). */
const EXTRA_ROUNDS = 10;
/** Loss counts as congestion above this share, beyond what the path loses anyway (LossThresh). */
const LOSS_THRESHOLD = 0.02;
/** The share of loss that can be believed to be the path's own. */
const MAX_LOSS_FLOOR = 0.25;
/** Rounds below this multiple of the smallest round-trip time have no queue, so their loss is the path's own. */
const QUEUELESS = 1.15;
/** Rounds that never come below this multiple have one that does not go away: others send, too. */
const STANDING = 1.25;
/**
 * Such a queue changes slowly. Where the round-trip times of one round differ by more than this share of what they wait,
 * the path itself is unsteady, as radio links are.
 */
const STEADY = 0.25;
/** Weight of a new round in the loss of the path. */
const LOSS_WEIGHT = 1 / 8;
/** Bytes a round needs to say something about loss, in segments. */
const LOSS_SEGMENTS = 20;

/** Measures; the phases decide. Rates are bytes per millisecond. */
export class PathModel {
  readonly #segment: number;
  /** Smallest round-trip time, milliseconds. */
  minimumRtt = Infinity;
  minimumRttAt: Instant = 0;
  /** Rounds since the stream began, and whether one began with the last report. */
  rounds = 0;
  isRoundStart = false;
  /** Whether the last complete round lost more than the path does by itself. */
  isLossHigh = false;
  /** For how many complete rounds the queue of the path was never empty. */
  standingRounds = 0;
  /** Highest rate delivered in this round and the last complete one. */
  latestRate = 0;
  roundRate = 0;
  /** Most bytes delivered beyond what the bandwidth explains. */
  extraAcked = 0;
  #maxima: [number, number] = [0, 0];
  #roundEnd = 0;
  #lossFloor = 0;
  #lostInRound = 0;
  #deliveredInRound = 0;
  #roundMinimumRtt = Infinity;
  #roundMaximumRtt = 0;
  #extraSince: Instant = 0;
  #extraDelivered = 0;
  #extras: [number, number] = [0, 0];
  #extraRounds = 0;

  constructor(segment: number) {
    this.#segment = segment;
  }

  /** The highest rate of this and the last probing cycle. */
  get bandwidth(): number {
    return Math.max(this.#maxima[0], this.#maxima[1]);
  }

  /** The share of data that the path loses by itself, as far as known. */
  get lossFloor(): number {
    return this.#lossFloor;
  }

  /** Share of loss above which the sender is to blame. */
  get lossThreshold(): number {
    return LOSS_THRESHOLD + 1.5 * this.#lossFloor;
  }

  /** Share lost so far in this round, 0 while there is too little to say. */
  get roundLoss(): number {
    const all = this.#lostInRound + this.#deliveredInRound;
    return all < LOSS_SEGMENTS * this.#segment ? 0 : this.#lostInRound / all;
  }

  /** Bytes of one bandwidth-delay product times `gain`. */
  product(gain: number, bandwidth: number): number {
    return this.minimumRtt === Infinity ? 0 : gain * bandwidth * this.minimumRtt;
  }

  /** Takes a report in. `bandwidth` is the one in use. */
  update(report: AcknowledgementReport, bandwidth: number): void {
    this.isRoundStart = report.priorDelivered >= this.#roundEnd && report.delivered > 0;
    if (this.isRoundStart) {
      this.#roundEnd = report.totalDelivered;
      this.rounds++;
      this.#endRound();
    }
    this.#lostInRound += Math.max(0, report.lost);
    this.#deliveredInRound += report.delivered;
    this.#updateRtt(report);
    this.latestRate = Math.max(this.latestRate, report.rate);
    if (report.rate > 0 && (!report.isAppLimited || report.rate >= this.bandwidth)) {
      this.#maxima[1] = Math.max(this.#maxima[1], report.rate);
    }
    this.#updateAggregation(report, bandwidth);
  }

  /** A probing cycle is over: the bandwidth of the one before it is forgotten. */
  advance(): void {
    if (this.#maxima[1] === 0) return;
    this.#maxima = [this.#maxima[1], 0];
  }

  /** Whether the smallest round-trip time is not confirmed for so long. */
  isRttOlderThan(milliseconds: number, now: Instant): boolean {
    return now - this.minimumRttAt > milliseconds;
  }

  /** The queue was emptied for a while: what was measured then holds, however large. */
  confirmRtt(measured: number, now: Instant): void {
    if (measured !== Infinity) this.minimumRtt = measured;
    this.minimumRttAt = now;
    this.standingRounds = 0;
  }

  #updateRtt({ rtt, now }: AcknowledgementReport): void {
    if (rtt < 0) return;
    this.#roundMinimumRtt = Math.min(this.#roundMinimumRtt, rtt);
    this.#roundMaximumRtt = Math.max(this.#roundMaximumRtt, rtt);
    // A hair above the minimum confirms it: clocks jitter.
    const isConfirmed = rtt <= this.minimumRtt * 1.02;
    if (!isConfirmed && now - this.minimumRttAt <= MIN_RTT_WINDOW_MS) return;
    this.minimumRtt = isConfirmed ? Math.min(rtt, this.minimumRtt) : rtt;
    this.minimumRttAt = now;
  }

  #endRound(): void {
    const loss = this.roundLoss;
    // A round of repairs alone has no measurement: no sign of a queue.
    const isQueueless = this.#roundMinimumRtt === Infinity ||
      this.#roundMinimumRtt <= this.minimumRtt * QUEUELESS;
    const isTelling = this.#lostInRound + this.#deliveredInRound >= LOSS_SEGMENTS * this.#segment;
    this.isLossHigh = isTelling && loss > this.lossThreshold && !isQueueless;
    if (isTelling && isQueueless) {
      const weight = Math.max(LOSS_WEIGHT, this.rounds < 16 ? 0.5 : 0);
      this.#lossFloor = Math.min(MAX_LOSS_FLOOR, this.#lossFloor + weight * (loss - this.#lossFloor));
    }
    this.standingRounds = this.#isStanding ? this.standingRounds + 1 : 0;
    this.roundRate = this.latestRate;
    if (isTelling) {
      this.#lostInRound = this.#deliveredInRound = 0;
      this.#roundMinimumRtt = Infinity;
      this.#roundMaximumRtt = 0;
    }
    this.latestRate = 0;
    if (++this.#extraRounds >= EXTRA_ROUNDS) {
      this.#extraRounds = 0;
      this.#extras = [this.#extras[1], 0];
      this.extraAcked = Math.max(this.#extras[0], this.#extras[1]);
    }
  }

  /** Whether the round that ends had a queue all the time, and a steady one. */
  get #isStanding(): boolean {
    const least = this.#roundMinimumRtt;
    if (least === Infinity || least <= this.minimumRtt * STANDING) return false;
    return this.#roundMaximumRtt - least <= STEADY * (least - this.minimumRtt);
  }

  #updateAggregation({ delivered, now }: AcknowledgementReport, bandwidth: number): void {
    const expected = bandwidth * (now - this.#extraSince);
    if (this.#extraDelivered <= expected) {
      this.#extraDelivered = 0;
      this.#extraSince = now;
    }
    this.#extraDelivered += delivered;
    const extra = this.#extraDelivered - bandwidth * (now - this.#extraSince);
    if (extra > this.#extras[1]) {
      this.#extras[1] = extra;
      this.extraAcked = Math.max(this.#extras[0], this.#extras[1]);
    }
  }
}
