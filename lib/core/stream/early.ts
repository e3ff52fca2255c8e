/**
 * What arrived ahead of missing bytes: runs of segments without a gap inside, sorted.
 *
 * A segment finds its run in O(log n) of the number of gaps. No byte is kept twice.
 */

import { isAfter, isBefore, sequenceAdd, sequenceDifference } from "../seq.ts";
import type { SackBlock } from "../../wire/sack.ts";

interface Piece {
  readonly payload: Uint8Array;
  next: Piece | undefined;
}

/** Bytes `left` up to but excluding `right`. */
interface Run {
  left: number;
  right: number;
  first: Piece;
  last: Piece;
  /** Still one of the runs: neither joined with another nor taken. */
  isAlive: boolean;
}

/** Runs remembered as young. */
const RECENT = 8;

/** The pieces held out of order. The owner bounds their number. */
export class EarlySegments {
  readonly #runs: Run[] = [];
  #count = 0;
  #bytes = 0;
  /** The runs that grew last, youngest first. */
  readonly #recent: Run[] = [];

  /** Pieces held. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Runs held; there is a gap before each. */
  get gaps(): number {
    return this.#runs.length;
  }

  /** The first byte held, `undefined` when empty. */
  get left(): number | undefined {
    return this.#runs[0]?.left;
  }

  /** Whether all of these bytes are here. */
  has(left: number, right: number): boolean {
    const run = this.#runs[this.#find(left)];
    return run !== undefined && !isAfter(right, run.right);
  }

  /** Keeps what is new of a payload. Returns whether anything was. */
  add(start: number, payload: Uint8Array): boolean {
    const end = sequenceAdd(start, payload.length);
    const before = this.#count;
    let left = start;
    for (let index = this.#find(left); isBefore(left, end); index++) {
      const run = this.#runs[index];
      if (run !== undefined && isBefore(left, run.right)) {
        left = run.right;
        this.#touch(run);
      }
      const next = this.#runs[index + 1];
      const right = next !== undefined && isBefore(next.left, end) ? next.left : end;
      if (isBefore(left, right)) {
        const from = sequenceDifference(left, start);
        const part = left === start && right === end
          ? payload
          : payload.subarray(from, sequenceDifference(right, start));
        if (this.#insert(index, left, { part, right })) index--;
      }
      left = right;
    }
    return this.#count > before;
  }

  /** Takes the payload that begins at or before `next`, and tells where it began. */
  shift(next: number): Uint8Array | undefined {
    const run = this.#runs[0];
    if (run === undefined || isAfter(run.left, next)) return undefined;
    const { payload } = run.first;
    run.left = sequenceAdd(run.left, payload.length);
    if (run.first.next === undefined) this.#dropFirst(run);
    else run.first = run.first.next;
    this.#count--;
    this.#bytes -= payload.length;
    return payload;
  }

  clear(): void {
    this.#runs.length = this.#recent.length = 0;
    this.#count = this.#bytes = 0;
  }

  /**
   * At most `most` runs, ascending: the `lowest` first ones, then those that grew last, so that each report is
   * repeated although acknowledgements may be lost (RFC 2018 section 4).
   */
  blocks(lowest: number, most: number): SackBlock[] {
    const runs = this.#runs;
    const chosen = runs.slice(0, runs.length <= most ? most : lowest);
    for (const run of this.#recent) {
      if (chosen.length >= most) break;
      if (run.isAlive && !chosen.includes(run)) chosen.push(run);
    }
    chosen.sort((a, b) => sequenceDifference(a.left, b.left));
    return chosen.map(({ left, right }) => ({ left, right }));
  }

  #touch(run: Run): void {
    const recent = this.#recent;
    if (recent[0] === run) return;
    const index = recent.indexOf(run);
    if (index >= 0) recent.splice(index, 1);
    else if (recent.length >= RECENT) recent.pop();
    recent.unshift(run);
  }

  #dropFirst(run: Run): void {
    run.isAlive = false;
    this.#runs.shift();
  }

  /** Index of the last run that begins at or before `sequence`, -1 when there is none. */
  #find(sequence: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const run = this.#runs[middle];
      if (run !== undefined && !isAfter(run.left, sequence)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Puts a piece behind run `index`. Returns whether the run behind it was joined with it. */
  #insert(index: number, left: number, { part, right }: { part: Uint8Array; right: number }): boolean {
    const piece: Piece = { payload: part, next: undefined };
    const before = this.#runs[index];
    const after = this.#runs[index + 1];
    this.#count++;
    this.#bytes += part.length;
    if (before !== undefined && before.right === left) {
      before.last.next = piece;
      before.last = piece;
      before.right = right;
      this.#touch(before);
      if (after === undefined || after.left !== right) return false;
      piece.next = after.first;
      before.last = after.last;
      before.right = after.right;
      after.isAlive = false;
      this.#runs.splice(index + 1, 1);
      return true;
    }
    if (after !== undefined && after.left === right) {
      piece.next = after.first;
      after.first = piece;
      after.left = left;
      this.#touch(after);
      return false;
    }
    const run: Run = { left, right, first: piece, last: piece, isAlive: true };
    this.#runs.splice(index + 1, 0, run);
    this.#touch(run);
    return false;
  }
}
