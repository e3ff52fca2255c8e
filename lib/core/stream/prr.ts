/**
 * How much may leave while a loss is repaired: proportional rate reduction (RFC 6937) with its slow start bound.
 */

/** One recovery. Sizes are bytes. */
export class ProportionalRateReduction {
  readonly #segment: number;
  #flight = 0;
  #target = 0;
  #delivered = 0;
  #sent = 0;

  constructor(segment: number) {
    this.#segment = segment;
  }

  /** A recovery begins with `flight` bytes outstanding and is to end with `target`. */
  begin(flight: number, target: number): void {
    this.#flight = Math.max(flight, 1);
    this.#target = target;
    this.#delivered = this.#sent = 0;
  }

  /** A segment leaves. */
  noteSent(bytes: number): void {
    this.#sent += bytes;
  }

  /** The window after `delivered` bytes arrived, with `inFlight` in flight (RFC 6937 section 3). */
  window(delivered: number, inFlight: number): number {
    this.#delivered += delivered;
    let allowed: number;
    if (inFlight > this.#target) {
      allowed = Math.ceil(this.#delivered * this.#target / this.#flight) - this.#sent;
    } else {
      const limit = Math.max(this.#delivered - this.#sent, delivered) + this.#segment;
      allowed = Math.min(this.#target - inFlight, limit);
    }
    return inFlight + Math.max(0, allowed);
  }
}
