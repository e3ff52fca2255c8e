/**
 * Round-trip time and retransmission timeout after RFC 6298, in milliseconds.
 */

/** Timeout before the first sample (RFC 6298 section 2.1). */
export const INITIAL_TIMEOUT_MS = 1_000;
/**
 * The timeout is at least this above the smoothed round-trip time: the second of RFC 6298 section 2.4 is far too long
 * for a local network, and losses are found sooner by other means.
 */
export const MIN_VARIATION_MS = 200;
/** Upper bound of the timeout (Pilot Protocol). */
export const MAX_TIMEOUT_MS = 10_000;
/** Doubling goes no further than this: after an outage a stream must not sleep on. */
export const MAX_BACKED_OFF_MS = 5_000;
/** On a path that is known the first expiries double no further than this: an outage of seconds must cost no more. */
export const OUTAGE_BACKED_OFF_MS = 500;
const OUTAGE_EXPIRIES = 16;

/** Smoothed round-trip time, and the timeout that follows from it. */
export class RoundTripTime {
  #smoothed: number | undefined;
  #variation = 0;
  #minimum: number | undefined;
  #timeout = INITIAL_TIMEOUT_MS;
  #backoffs = 0;
  #expiries = 0;

  /** Takes a measurement of a segment that was transmitted once (Karn's algorithm). */
  sample(milliseconds: number): void {
    const rtt = Math.max(0, milliseconds);
    this.#minimum = Math.min(this.#minimum ?? rtt, rtt);
    if (this.#smoothed === undefined) {
      this.#smoothed = rtt;
      this.#variation = rtt / 2;
    } else {
      this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - rtt);
      this.#smoothed = 0.875 * this.#smoothed + 0.125 * rtt;
    }
    const timeout = this.#smoothed + Math.max(MIN_VARIATION_MS, 4 * this.#variation);
    this.#timeout = Math.min(MAX_TIMEOUT_MS, timeout);
  }

  /** Doubles the timeout: the timer expired (RFC 6298 section 5.5). */
  backOff(): void {
    if (this.#smoothed !== undefined && ++this.#expiries <= OUTAGE_EXPIRIES) {
      if (this.#timeout * 2 ** this.#backoffs < OUTAGE_BACKED_OFF_MS) this.#backoffs++;
    } else if (this.#timeout * 2 ** this.#backoffs < MAX_BACKED_OFF_MS) this.#backoffs++;
  }

  /** Ends the doubling: the peer acknowledged something new. */
  resetBackOff(): void {
    this.#backoffs = this.#expiries = 0;
  }

  /** Forgets all measurements: the path is another one. */
  reset(): void {
    this.#smoothed = this.#minimum = undefined;
    this.#variation = 0;
    this.#timeout = INITIAL_TIMEOUT_MS;
    this.resetBackOff();
  }

  /** The retransmission timeout with back-off. */
  get timeout(): number {
    const isOutage = this.#smoothed !== undefined && this.#expiries <= OUTAGE_EXPIRIES;
    const most = isOutage ? OUTAGE_BACKED_OFF_MS : MAX_BACKED_OFF_MS;
    return Math.max(this.#timeout, Math.min(most, this.#timeout * 2 ** this.#backoffs));
  }

  /** `undefined` before the first sample. */
  get smoothed(): number | undefined {
    return this.#smoothed;
  }

  get variation(): number {
    return this.#variation;
  }

  /** The smallest sample ever, `undefined` before the first. */
  get minimum(): number | undefined {
    return this.#minimum;
  }
}
