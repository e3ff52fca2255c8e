/**
 * Delivery rate samples: how fast data reached the peer (draft-ietf-ccwg-bbr section 4.1).
 */

import type { Instant } from "../machine.ts";
import type { SentSegment } from "./sent.ts";

/** Measures one stream. After an acknowledgement was taken in, the fields tell its sample. */
export class DeliveryRate {
  /** Bytes delivered so far. */
  delivered = 0;
  /** Bytes per millisecond of the last sample, 0 when there is none. */
  rate = 0;
  /** Bytes that had been delivered when the newest segment of the sample was sent. */
  priorDelivered = 0;
  /** Whether the sender had too little to send, so that the path may be faster. */
  isAppLimited = false;
  /** Bytes in flight when the newest segment of the sample was sent. */
  inFlight = 0;
  #deliveredAt: Instant = 0;
  #firstSentAt: Instant = 0;
  #appLimitedUntil = 0;
  #newest = -1;
  #sendElapsed = 0;
  #priorAt: Instant = 0;

  /** `segment` leaves. `isFirst` when nothing else is in flight. */
  noteSent(segment: SentSegment, isFirst: boolean, now: Instant): void {
    if (isFirst) this.#firstSentAt = this.#deliveredAt = now;
    segment.firstSentAt = this.#firstSentAt;
    segment.deliveredAt = this.#deliveredAt;
    segment.delivered = this.delivered;
    segment.isAppLimited = this.#appLimitedUntil !== 0;
  }

  /** The sender has nothing more to send while the window has room. */
  noteAppLimited(inFlight: number): void {
    this.#appLimitedUntil = this.delivered + inFlight || 1;
  }

  /** An acknowledgement begins. */
  begin(): void {
    this.#newest = -1;
    this.rate = 0;
  }

  /** `segment` reached the peer. */
  noteDelivered(segment: SentSegment, now: Instant): void {
    this.delivered += segment.payload.length;
    this.#deliveredAt = now;
    if (segment.order <= this.#newest) return;
    this.#newest = segment.order;
    this.priorDelivered = segment.delivered;
    this.#priorAt = segment.deliveredAt;
    this.isAppLimited = segment.isAppLimited;
    this.inFlight = segment.inFlight;
    this.#sendElapsed = segment.sentAt - segment.firstSentAt;
    this.#firstSentAt = segment.sentAt;
  }

  /**
   * The acknowledgement is complete. Intervals below the smallest round-trip time are noise: what arrived in a lump
   * was not sent as one.
   */
  finish(minimumRtt: number): void {
    if (this.#appLimitedUntil !== 0 && this.delivered > this.#appLimitedUntil) this.#appLimitedUntil = 0;
    if (this.#newest < 0) return;
    const interval = Math.max(this.#sendElapsed, this.#deliveredAt - this.#priorAt);
    if (interval <= 0 || interval < minimumRtt) return;
    this.rate = (this.delivered - this.priorDelivered) / interval;
  }
}
