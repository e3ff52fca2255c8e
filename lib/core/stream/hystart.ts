/**
 * Leaves slow start before the queue overflows: HyStart++ (RFC 9406).
 */

/** Bounds of the rise of the round-trip time that ends slow start, milliseconds (RFC 9406 section 4.3). */
const MIN_RTT_RISE_MS = 4;
const MAX_RTT_RISE_MS = 16;
const MIN_RTT_DIVISOR = 8;
/** Samples a round needs (RFC 9406 section 4.3). */
const SAMPLES = 8;
/** Growth in conservative slow start is divided by this; it lasts so many rounds (RFC 9406 section 4.3). */
const CONSERVATIVE_DIVISOR = 4;
const CONSERVATIVE_ROUNDS = 5;

/** Watches the round-trip times of slow start. */
export class HyStart {
  #lastRoundMinimum = Infinity;
  #roundMinimum = Infinity;
  #samples = 0;
  #baseline = Infinity;
  #conservativeRounds = 0;

  /** Whether slow start has become careful. */
  get isConservative(): boolean {
    return this.#baseline !== Infinity;
  }

  /** Bytes by which the window grows for `bytes` acknowledged. */
  growth(bytes: number): number {
    return this.isConservative ? bytes / CONSERVATIVE_DIVISOR : bytes;
  }

  /** Takes a round-trip time in, -1 for none. Returns whether slow start is over. */
  note(rtt: number, isRoundStart: boolean): boolean {
    if (isRoundStart && this.#startRound()) return true;
    if (rtt < 0) return false;
    this.#roundMinimum = Math.min(this.#roundMinimum, rtt);
    if (++this.#samples < SAMPLES || this.#roundMinimum === Infinity) return false;
    if (this.isConservative) {
      if (this.#roundMinimum < this.#baseline) {
        this.#baseline = Infinity;
        this.#conservativeRounds = 0;
      }
      return false;
    }
    const part = this.#lastRoundMinimum / MIN_RTT_DIVISOR;
    const rise = Math.max(MIN_RTT_RISE_MS, Math.min(part, MAX_RTT_RISE_MS));
    if (this.#roundMinimum >= this.#lastRoundMinimum + rise) this.#baseline = this.#roundMinimum;
    return false;
  }

  /** Slow start begins again. */
  reset(): void {
    this.#lastRoundMinimum = this.#roundMinimum = this.#baseline = Infinity;
    this.#samples = this.#conservativeRounds = 0;
  }

  #startRound(): boolean {
    this.#lastRoundMinimum = this.#roundMinimum;
    this.#roundMinimum = Infinity;
    this.#samples = 0;
    return this.isConservative && ++this.#conservativeRounds >= CONSERVATIVE_ROUNDS;
  }
}
