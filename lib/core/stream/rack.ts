/**
 * Loss detection by time: RACK (RFC 8985).
 *
 * A segment is lost when one sent sufficiently later has arrived. How much later follows from the reordering seen.
 * Instead of duplicate selective acknowledgements (RFC 2883), which the wire has not, an arrival that is too early
 * for the retransmission tells that the original came through.
 */

import type { Instant } from "../machine.ts";
import { isAfter } from "../seq.ts";
import type { Scoreboard } from "./scoreboard.ts";
import type { SentSegment } from "./sent.ts";

/** Segments held by the peer that make a loss certain where no reordering was ever seen (RFC 8985 section 4). */
export const DUPLICATE_THRESHOLD = 3;
/** The reordering window is this part of the smallest round-trip time, times a multiplier (RFC 8985 section 6.2). */
const WINDOW_FRACTION = 4;
const MAX_MULTIPLIER = 16;
/** Recoveries without a false alarm after which the multiplier is reset (RFC 8985 section 6.2). */
const PERSIST_RECOVERIES = 16;

/** What was heard of the peer, and what follows from it for the rest. */
export class Rack {
  /** When the next segment will count as lost if nothing is heard of it. */
  deadline: Instant | undefined;
  /** Segments of the last acknowledgement that had been taken for lost without reason. */
  spurious = 0;
  /** Segments of it that arrived because they were sent again, as far as one can tell. */
  repaired = 0;
  #order = -1;
  #rtt = 0;
  #highest: number | undefined;
  #isReordering = false;
  #multiplier = 1;
  #persist = 0;
  #raisedBefore = -1;

  /** An acknowledgement begins. */
  begin(): void {
    this.spurious = this.repaired = 0;
  }

  /**
   * `segment` reached the peer. Returns the round-trip time of its last transmission in milliseconds, `undefined` when
   * the peer may have answered an earlier one.
   */
  noteDelivered(segment: SentSegment, now: Instant, minimumRtt: number): number | undefined {
    const elapsed = now - segment.sentAt;
    const isEarlierOne = segment.transmissions > 1 && elapsed < minimumRtt;
    if (segment.lost || isEarlierOne) this.#noteSpurious(segment);
    if (isEarlierOne) return undefined;
    if (segment.transmissions > 1 && !segment.lost) this.repaired++;
    if (segment.order > this.#order) {
      this.#order = segment.order;
      this.#rtt = elapsed;
    }
    if (this.#highest === undefined || isAfter(segment.end, this.#highest)) this.#highest = segment.end;
    else if (segment.transmissions === 1) this.#isReordering = true;
    // What was overdue may have arrived long ago, and only the report of it was lost.
    return segment.transmissions === 1 && !segment.lost ? elapsed : undefined;
  }

  /** Marks what must be lost by now. Returns the number of segments. */
  detect(
    board: Scoreboard,
    now: Instant,
    options: { rtt: number; minimumRtt: number; inRecovery: boolean },
  ): number {
    this.deadline = undefined;
    const limit = this.#rtt + this.#window(board, options);
    let count = 0;
    for (let segment = board.oldest; segment !== undefined && segment.order < this.#order;) {
      const later = segment.later;
      const at = segment.sentAt + limit;
      if (at > now) {
        this.deadline = at;
        break;
      }
      if (board.markLost(segment)) count++;
      segment = later;
    }
    return count;
  }

  /** Whether a segment sent at this time is overdue by all that is known (RFC 8985 section 6.3). */
  isOverdue(segment: SentSegment, now: Instant, minimumRtt: number): boolean {
    return segment.sentAt + this.#rtt + this.#multiplier * minimumRtt / WINDOW_FRACTION <= now;
  }

  /** A recovery is over. */
  noteRecovered(): void {
    if (this.#persist > 0 && --this.#persist === 0) this.#multiplier = 1;
  }

  /** The path is another one: what was seen of the old says nothing. */
  reset(): void {
    this.#isReordering = false;
    this.#multiplier = 1;
    this.#persist = 0;
    this.deadline = undefined;
  }

  #window(board: Scoreboard, options: { rtt: number; minimumRtt: number; inRecovery: boolean }): number {
    if (!this.#isReordering && (options.inRecovery || board.sacked >= DUPLICATE_THRESHOLD)) return 0;
    return Math.min(this.#multiplier * options.minimumRtt / WINDOW_FRACTION, options.rtt);
  }

  #noteSpurious(segment: SentSegment): void {
    this.spurious++;
    this.#isReordering = true;
    this.#persist = PERSIST_RECOVERIES;
    // Once per flight: what was sent before the last raise tells nothing new.
    if (segment.order <= this.#raisedBefore) return;
    this.#raisedBefore = Math.max(this.#order, segment.order);
    this.#multiplier = Math.min(MAX_MULTIPLIER, this.#multiplier + 1);
  }
}
