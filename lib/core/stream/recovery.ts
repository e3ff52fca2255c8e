/**
 * Finds out what is lost and when a repair is complete, for one sender.
 *
 * With a peer that reports what it holds by RACK (RFC 8985), else by duplicate acknowledgements (RFC 5681, 6582).
 * A loss that turns out to be none is undone (as after RFC 3708 and RFC 5682).
 */

import type { Instant } from "../machine.ts";
import { isBefore } from "../seq.ts";
import type { CongestionController } from "./congestion.ts";
import { DeliveryRate } from "./delivery_rate.ts";
import { DUPLICATE_THRESHOLD, Rack } from "./rack.ts";
import { RoundTripTime } from "./rtt.ts";
import { type DeliveryObserver, Scoreboard, type SentSegment } from "./scoreboard.ts";

/** What an acknowledgement meant. */
export interface AckFacts {
  /** Whether it covers new data. */
  readonly isNew: boolean;
  /** Whether it counts as a duplicate. */
  readonly isDuplicate: boolean;
  /** Bytes in flight before. */
  readonly inFlight: number;
  /** The first byte that is not acknowledged. */
  readonly unacknowledged: number;
  /** The next new byte. */
  readonly next: number;
}

/** After so many expiries in a row the peer may have dropped what it reported (RFC 2018 section 8). */
const FORGET_AFTER = 3;

/** A loss probe that was sent and not yet acknowledged (RFC 8985 section 7). */
interface TailProbe {
  readonly end: number;
  readonly isRepetition: boolean;
}

/** Loss detection and the repair that is under way. */
export class Recovery implements DeliveryObserver {
  readonly board = new Scoreboard(this);
  readonly rack = new Rack();
  readonly rate = new DeliveryRate();
  readonly rtt = new RoundTripTime();
  /** The peer reports what it holds. */
  peerSacks = false;
  /** The next repetition does not wait for the window. */
  isUrgent = false;
  /** Duplicates without SACK that allow a new segment each (RFC 3042). */
  transmitAllowance = 0;
  /** Round-trip time measured by the last acknowledgement, -1 for none. */
  sample = -1;
  readonly #congestion: CongestionController;
  #current: { readonly kind: "loss" | "timeout"; readonly until: number } | undefined;
  #tailProbe: TailProbe | undefined;
  #duplicates = 0;
  /** Segments taken for lost in this repair, and those of them that were not. */
  #marked = 0;
  /** Expiries of the timer without a sign of the peer. */
  #expiries = 0;
  #unmarked = 0;
  #sampleSentAt: Instant = 0;
  #now: Instant = 0;
  #minimumRtt = 0;

  constructor(congestion: CongestionController) {
    this.#congestion = congestion;
  }

  /** What is being repaired. */
  get kind(): "loss" | "timeout" | undefined {
    return this.#current?.kind;
  }

  /** Whether a loss probe makes sense now (RFC 8985 section 7.2). */
  get mayProbe(): boolean {
    return this.#current === undefined && this.#tailProbe === undefined && this.board.sacked === 0 &&
      this.rtt.smoothed !== undefined;
  }

  /** An acknowledgement begins. */
  begin(now: Instant): void {
    this.#now = now;
    this.#minimumRtt = this.rtt.minimum ?? 0;
    this.sample = -1;
    this.rack.begin();
    this.rate.begin();
  }

  onDelivered(segment: SentSegment): void {
    const now = this.#now;
    this.rate.noteDelivered(segment, now);
    const rtt = this.rack.noteDelivered(segment, now, this.#minimumRtt);
    if (rtt === undefined || (this.sample >= 0 && segment.sentAt < this.#sampleSentAt)) return;
    this.sample = rtt;
    this.#sampleSentAt = segment.sentAt;
  }

  /** All that the acknowledgement covers was noted. */
  finish(facts: AckFacts): void {
    this.rate.finish(this.#minimumRtt);
    if (this.sample >= 0) this.rtt.sample(this.sample);
    if (facts.isNew) {
      this.#duplicates = 0;
      this.transmitAllowance = 0;
    }
    this.#undo();
    this.#leave(facts);
    if (facts.isNew) this.#judgeProbe(facts);
    if (facts.isDuplicate) this.#duplicates++;
    this.#detect(facts);
  }

  /** Time has passed: what is overdue by now? */
  handleTimeout(facts: AckFacts, now: Instant): void {
    if (this.rack.deadline === undefined || now < this.rack.deadline) return;
    this.#now = now;
    this.#minimumRtt = this.rtt.minimum ?? 0;
    this.#detect(facts);
  }

  /** The retransmission timer expired. */
  expire(facts: { readonly bytes: number; readonly next: number }, now: Instant): void {
    const first = this.kind !== "timeout";
    this.#expiries++;
    this.#congestion.onTimeout(facts.bytes, { first, now });
    this.#duplicates = 0;
    this.#tailProbe = undefined;
    const before = this.board.lostBytes;
    if (first && this.peerSacks) this.#markOverdue(now);
    else this.board.markAllLost(this.#expiries >= FORGET_AFTER);
    if (first) this.#marked = this.#unmarked = 0;
    if (this.board.lostBytes > before) this.#marked++;
    this.#current = { kind: "timeout", until: facts.next };
    this.rack.deadline = undefined;
    this.isUrgent = true;
    this.rtt.backOff();
  }

  /** The peer has received something. */
  noteProgress(): void {
    this.#expiries = 0;
    this.rtt.resetBackOff();
  }

  /** A loss probe leaves. */
  noteProbe(end: number, isRepetition: boolean): void {
    this.#tailProbe = { end, isRepetition };
  }

  /** The packets take another path from now on: what is in flight may be gone, and is sent again. */
  handlePathChange(next: number): void {
    this.rtt.reset();
    this.rack.reset();
    this.#tailProbe = undefined;
    if (this.board.count === 0) return;
    this.board.markAllLost(false);
    this.#current = { kind: "loss", until: next };
    this.#marked = this.board.count;
    this.#unmarked = this.#expiries = 0;
    this.isUrgent = true;
  }

  #markOverdue(now: Instant): void {
    const minimum = this.rtt.minimum ?? 0;
    this.board.markFirstLost();
    for (let segment = this.board.oldest; segment !== undefined;) {
      const later = segment.later;
      if (!this.rack.isOverdue(segment, now, minimum)) break;
      this.board.markLost(segment);
      segment = later;
    }
  }

  /** Everything that was taken for lost arrived, or after a timeout anything that was not sent again. */
  #undo(): void {
    if (this.#current === undefined || this.rack.spurious === 0) return;
    this.#unmarked += this.rack.spurious;
    if (this.#current.kind === "loss" && this.#unmarked < this.#marked) return;
    // An answer to the repetition covers what arrived before it, too: no proof that the rest is on its way.
    if (this.#current.kind === "timeout" && this.rack.repaired > 0) return;
    if (this.#current.kind === "timeout") this.board.unmarkLost(this.#now);
    this.#current = undefined;
    this.#congestion.onUndo(this.#now);
  }

  #leave({ unacknowledged }: AckFacts): void {
    if (this.#current === undefined || isBefore(unacknowledged, this.#current.until)) return;
    this.#current = undefined;
    this.rack.noteRecovered();
    this.#congestion.onRecovered(this.#now);
  }

  /** A probe whose repetition filled a hole tells of a loss (RFC 8985 section 7.4.2). */
  #judgeProbe({ unacknowledged, inFlight }: AckFacts): void {
    const probe = this.#tailProbe;
    if (probe === undefined || isBefore(unacknowledged, probe.end)) return;
    this.#tailProbe = undefined;
    if (!probe.isRepetition || this.rack.spurious > 0 || this.#current !== undefined) return;
    this.#congestion.onLoss(inFlight, this.#now);
    this.#congestion.onRecovered(this.#now);
  }

  #detect(facts: AckFacts): void {
    const lost = this.peerSacks ? this.#detectByTime() : this.#detectByCount(facts);
    if (lost === 0) return;
    this.#marked += lost;
    if (this.#current !== undefined) return;
    this.#marked = lost;
    this.#unmarked = 0;
    this.#tailProbe = undefined;
    this.#congestion.onLoss(facts.inFlight, this.#now);
    this.#current = { kind: "loss", until: facts.next };
    this.isUrgent = true;
  }

  #detectByTime(): number {
    return this.rack.detect(this.board, this.#now, {
      rtt: this.rtt.smoothed ?? 0,
      minimumRtt: this.rtt.minimum ?? 0,
      inRecovery: this.#current !== undefined,
    });
  }

  #detectByCount({ isNew, isDuplicate }: AckFacts): number {
    if (isDuplicate && this.#duplicates < DUPLICATE_THRESHOLD) this.transmitAllowance++;
    const isThird = isDuplicate && this.#duplicates === DUPLICATE_THRESHOLD;
    // An acknowledgement of a part shows the next hole.
    const isPartial = isNew && this.kind === "loss";
    if (!(isThird || isPartial) || !this.board.markFirstLost()) return 0;
    this.isUrgent = true;
    return 1;
  }
}
