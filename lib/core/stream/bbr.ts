/**
 * BBR (draft-ietf-ccwg-bbr, version 3): window and pace follow a model of the path, not every loss.
 *
 * One difference to the draft: the share of loss that a path shows without a queue is taken for its own, and only loss beyond it
 * counts as congestion. The paths of agents cross radio links and relays. Another one: where a queue stays, streams
 * yield to each other, so that two of them soon have the same share.
 */

import type { Instant } from "../machine.ts";
import { PathModel } from "./bbr_model.ts";
import {
  type AcknowledgementReport,
  type CongestionController,
  type CongestionOptions,
  INITIAL_SEGMENTS,
} from "./congestion.ts";

/** Pace and window relative to the model, per phase (draft section 5.6.1 and 5.6.4). */
const GAINS = {
  startup: { pace: 2.77, window: 2 },
  drain: { pace: 0.5, window: 2 },
  down: { pace: 0.9, window: 2 },
  cruise: { pace: 1, window: 2 },
  refill: { pace: 1, window: 2 },
  up: { pace: 1.25, window: 2.25 },
  probe_rtt: { pace: 1, window: 0.5 },
} as const;

type Phase = keyof typeof GAINS;

/** The pace stays below the estimate by this (PacingMarginPercent). */
const PACE_MARGIN = 0.99;
/** Startup ends when the bandwidth grows by less than this in so many rounds (draft section 5.3.1.2). */
const FULL_GROWTH = 1.25;
const FULL_ROUNDS = 3;
/** Answer to too much loss, and the part of a known bound that is left free for others (Beta, Headroom). */
const BETA = 0.7;
const HEADROOM = 0.15;
/** The round-trip time is measured without a queue when it was not seen for so long, for so long, milliseconds. */
const PROBE_RTT_INTERVAL_MS = 5_000;
const PROBE_RTT_MS = 200;
/** The same after so many rounds with a queue that does not go away. */
const DOUBTFUL_ROUNDS = 16;
const DOUBTFUL_MS = 1_500;
/** Least window (MinPipeCwnd), segments. */
const LEAST_SEGMENTS = 4;
/** Time between probes for bandwidth, milliseconds, and their limit in rounds: half of draft section 5.3.3.8. */
const PROBE_WAIT_MS = 1_000;
const PROBE_WAIT_RANDOM_MS = 1_000;
const PROBE_WAIT_ROUNDS = 32;
/** Segments in a queue that does not go away, and the part of the bandwidth that is not given up to others. */
const YIELD_SEGMENTS = 10;
const YIELD_LEAST = 0.75;
/** Below this round-trip time timers are too coarse to pace, and waits too short to tell of a queue, milliseconds. */
const SHORT_RTT_MS = 2;

/** Makes a BBR controller. */
export function bbr(options: CongestionOptions): CongestionController {
  return new Bbr(options);
}

/** The controller of one stream. */
export class Bbr implements CongestionController {
  readonly name = "bbr";
  readonly #segment: number;
  #model: PathModel;
  #random: number;
  #phase: Phase = "startup";
  #window: number;
  #rate = Infinity;
  #isFull = false;
  #fullBandwidth = 0;
  #fullCount = 0;
  /** Short- and long-term bounds learnt from loss. */
  #lowRate = Infinity;
  #lowFlight = Infinity;
  #highFlight = Infinity;
  #phaseAt: Instant = 0;
  #phaseRound = 0;
  #cycleAt: Instant = 0;
  #cycleRound = 0;
  #wait = 0;
  #growth = 0;
  #probeRttDone: Instant | undefined;
  #probeRttRound = 0;
  #measuredRtt = Infinity;
  #savedWindow: number | undefined;
  #idleSince: Instant | undefined;

  constructor({ segmentSize, seed }: CongestionOptions) {
    this.#segment = segmentSize;
    this.#random = seed >>> 0;
    this.#window = INITIAL_SEGMENTS * segmentSize;
    this.#model = new PathModel(segmentSize);
  }

  get window(): number {
    return this.#window;
  }

  get threshold(): number {
    return Number.isFinite(this.#highFlight) ? this.#highFlight : Number.MAX_SAFE_INTEGER;
  }

  get pacingRate(): number {
    return this.#rate;
  }

  /** What it does at present. */
  get phase(): Phase {
    return this.#phase;
  }

  onSent(_bytes: number, { wasIdle, now }: { wasIdle: boolean; now: Instant }): void {
    if (wasIdle && this.#phase !== "probe_rtt") this.#idleSince = now;
  }

  onAcknowledged(report: AcknowledgementReport): void {
    const model = this.#model;
    if (this.#savedWindow !== undefined) {
      this.#window = Math.max(this.#window, this.#savedWindow);
      this.#savedWindow = undefined;
    }
    model.update(report, this.#bandwidth);
    if (model.isRoundStart) this.#judgeRound(report);
    this.#advance(report);
    this.#setRate(report);
    this.#setWindow(report);
  }

  onLoss(): void {
    // Loss counts per round, see the model.
  }

  onRecovered(): void {}

  onTimeout(inFlight: number, { first }: { first: boolean; now: Instant }): void {
    if (first) this.#savedWindow = Math.max(this.#window, inFlight);
    this.#window = this.#segment;
  }

  onUndo(): void {
    if (this.#savedWindow !== undefined) this.#window = Math.max(this.#window, this.#savedWindow);
    this.#savedWindow = undefined;
    this.#lowRate = this.#lowFlight = Infinity;
  }

  onPathChange(now: Instant): void {
    this.#model = new PathModel(this.#segment);
    this.#window = INITIAL_SEGMENTS * this.#segment;
    this.#rate = Infinity;
    this.#lowRate = this.#lowFlight = this.#highFlight = Infinity;
    this.#isFull = false;
    this.#fullBandwidth = this.#fullCount = 0;
    this.#savedWindow = undefined;
    this.#enter("startup", now);
  }

  get #bandwidth(): number {
    return Math.min(this.#model.bandwidth, this.#lowRate);
  }

  /** What waits on a path that short waits for a turn of the hosts, not in the queue of a link. */
  get #isShort(): boolean {
    return this.#model.minimumRtt < SHORT_RTT_MS;
  }

  /** Bytes that should be in flight for `gain` times the product. */
  #target(gain: number): number {
    const product = this.#model.product(gain, this.#bandwidth);
    if (product === 0) return INITIAL_SEGMENTS * this.#segment;
    const burst = Math.max(2 * this.#segment, Math.min(this.#rate, this.#bandwidth * 2));
    return Math.max(LEAST_SEGMENTS * this.#segment, product + 2 * burst);
  }

  /** A round trip has passed: full yet, too much loss? */
  #judgeRound(report: AcknowledgementReport): void {
    const model = this.#model;
    if (!this.#isFull && !report.isAppLimited) {
      if (model.bandwidth >= this.#fullBandwidth * FULL_GROWTH) {
        this.#fullBandwidth = model.bandwidth;
        this.#fullCount = 0;
      } else if (++this.#fullCount >= FULL_ROUNDS) this.#isFull = true;
    }
    const isSteady = this.#phase === "cruise" || this.#phase === "down";
    if (model.standingRounds > 0 && isSteady && !this.#isShort) this.#yield();
    // What was lost in the first round of a phase was sent in the one before.
    if (!model.isLossHigh || model.rounds <= this.#phaseRound + 1) return;
    if (this.#phase === "startup") {
      this.#isFull = true;
      this.#highFlight = Math.max(model.product(1, model.bandwidth), report.sentInFlight * BETA);
    } else if (this.#phase === "up") {
      this.#highFlight = Math.max(report.sentInFlight, this.#target(1) * BETA);
      this.#enterDown(report.now);
    } else if (this.#phase !== "probe_rtt") {
      const rate = this.#lowRate === Infinity ? model.bandwidth : this.#lowRate;
      this.#lowRate = Math.max(report.rate, rate * BETA);
      const flight = this.#lowFlight === Infinity ? this.#window : this.#lowFlight;
      this.#lowFlight = Math.max(report.inFlight, flight * BETA);
    }
  }

  /**
   * With a standing queue, and only until the next probe, each stream aims at the same few segments in that queue.
   * Those with more bandwidth then have to give way to those with less, as in FAST TCP. Bounded, so that streams which
   * fill every queue do not take it all.
   */
  #yield(): void {
    const model = this.#model;
    const least = YIELD_LEAST * model.bandwidth;
    this.#lowRate = Math.min(this.#lowRate, Math.max(least, model.roundRate));
    const flight = model.product(1, this.#lowRate) + YIELD_SEGMENTS * this.#segment;
    this.#lowFlight = Math.min(this.#lowFlight, flight);
  }

  #advance(report: AcknowledgementReport): void {
    const { now, inFlight } = report;
    const model = this.#model;
    switch (this.#phase) {
      case "startup":
        if (this.#isFull) this.#enter("drain", now);
        break;
      case "drain":
        if (inFlight <= this.#target(1)) this.#enterDown(now);
        break;
      case "down":
        if (this.#isTimeToProbe(now)) this.#enterRefill(now);
        else if (inFlight <= Math.min(this.#withHeadroom, this.#target(1))) this.#enter("cruise", now);
        break;
      case "cruise":
        if (this.#isTimeToProbe(now)) this.#enterRefill(now);
        break;
      case "refill":
        if (model.isRoundStart && model.rounds > this.#phaseRound) {
          this.#enter("up", now);
          this.#growth = 1;
        }
        break;
      case "up":
        this.#raiseBound(report);
        if (now - this.#phaseAt > model.minimumRtt && report.priorInFlight >= this.#target(1.25)) {
          this.#enterDown(now);
        }
        break;
      case "probe_rtt":
        return this.#finishProbeRtt(report);
    }
    // A queue that stays although everybody yields is none: the path has become longer.
    const isDoubtful = model.standingRounds >= DOUBTFUL_ROUNDS;
    const isOld = model.isRttOlderThan(isDoubtful ? DOUBTFUL_MS : PROBE_RTT_INTERVAL_MS, now);
    if (isOld && this.#idleSince === undefined) this.#enter("probe_rtt", now);
    this.#idleSince = undefined;
  }

  #finishProbeRtt({ now, inFlight, rtt }: AcknowledgementReport): void {
    if (rtt >= 0 && this.#probeRttDone !== undefined) this.#measuredRtt = Math.min(this.#measuredRtt, rtt);
    if (this.#probeRttDone === undefined) {
      if (inFlight > this.#probeRttWindow) return;
      this.#probeRttDone = now + PROBE_RTT_MS;
      this.#probeRttRound = this.#model.rounds;
      this.#measuredRtt = Infinity;
    } else if (now >= this.#probeRttDone && this.#model.rounds > this.#probeRttRound) {
      this.#model.confirmRtt(this.#measuredRtt, now);
      this.#probeRttDone = undefined;
      this.#lowRate = this.#lowFlight = Infinity;
      if (!this.#isFull) return this.#enter("startup", now);
      this.#enterDown(now);
      this.#enter("cruise", now);
    }
  }

  #enter(phase: Phase, now: Instant): void {
    this.#phase = phase;
    this.#phaseAt = now;
    this.#phaseRound = this.#model.rounds;
  }

  #enterDown(now: Instant): void {
    if (this.#phase === "up") this.#model.advance();
    this.#lowRate = this.#lowFlight = Infinity;
    this.#enter("down", now);
    this.#cycleAt = now;
    this.#cycleRound = this.#model.rounds;
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    this.#wait = PROBE_WAIT_MS + PROBE_WAIT_RANDOM_MS * this.#random / 2 ** 32;
  }

  #enterRefill(now: Instant): void {
    this.#lowRate = this.#lowFlight = Infinity;
    this.#enter("refill", now);
  }

  /** After a while, or as soon as Reno would have regained its window, to live with such senders. */
  #isTimeToProbe(now: Instant): boolean {
    const rounds = Math.min(PROBE_WAIT_ROUNDS, this.#target(1) / this.#segment);
    return now - this.#cycleAt >= this.#wait || this.#model.rounds - this.#cycleRound >= rounds;
  }

  get #withHeadroom(): number {
    if (this.#highFlight === Infinity) return Infinity;
    return Math.max(LEAST_SEGMENTS * this.#segment, this.#highFlight * (1 - HEADROOM));
  }

  /** While probing without loss the bound grows, twice as fast with every round. */
  #raiseBound({ priorInFlight, acknowledged }: AcknowledgementReport): void {
    if (this.#highFlight === Infinity) return;
    if (this.#model.isRoundStart) this.#growth = Math.min(2 * this.#growth, 2 ** 20);
    if (priorInFlight + 2 * this.#segment < this.#highFlight) return;
    this.#highFlight += this.#segment * this.#growth * acknowledged / Math.max(this.#window, 1);
  }

  get #probeRttWindow(): number {
    const { window } = GAINS.probe_rtt;
    return Math.max(LEAST_SEGMENTS * this.#segment, this.#model.product(window, this.#bandwidth));
  }

  #setRate({ smoothedRtt }: AcknowledgementReport): void {
    const { pace } = GAINS[this.#phase];
    if (this.#isShort) {
      this.#rate = Infinity;
      return;
    }
    // A few words in a round trip say nothing of the path. Until it has been full, the pace is at least that of the
    // initial window (BBRInitPacingRate).
    const least = this.#isFull ? 0 : INITIAL_SEGMENTS * this.#segment / Math.max(1, smoothedRtt);
    const rate = pace * Math.max(this.#bandwidth, least) * PACE_MARGIN;
    if (this.#isFull || this.#rate === Infinity || rate > this.#rate) this.#rate = rate;
  }

  #setWindow(report: AcknowledgementReport): void {
    const { window: gain } = GAINS[this.#phase];
    const model = this.#model;
    const wanted = this.#target(gain) + (this.#isFull ? Math.min(model.extraAcked, this.#target(1)) : 0);
    let window = this.#window + report.delivered;
    if (this.#isFull) window = Math.min(window, wanted);
    else if (window > wanted && report.totalDelivered >= INITIAL_SEGMENTS * this.#segment) {
      window = Math.max(this.#window, wanted);
    }
    if (this.#phase === "probe_rtt") window = Math.min(window, this.#probeRttWindow);
    const isProbing = this.#phase === "up" || this.#phase === "refill" || this.#phase === "startup";
    const bound = Math.min(isProbing ? this.#highFlight : this.#withHeadroom, this.#lowFlight);
    this.#window = Math.max(LEAST_SEGMENTS * this.#segment, Math.min(window, bound));
  }
}
