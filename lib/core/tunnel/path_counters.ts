/**
 * What a path has carried and how its probes fared: plain numbers for reports, of no influence on any decision.
 */

import type { Instant } from "../machine.ts";

/** Probes of a proven path whose fate makes up its loss. */
const LOSS_WINDOW = 32;
/** Weight of a new sample in the smoothed round-trip time (RFC 6298 section 2). */
const ALPHA = 1 / 8;

/** The numbers of one path. Bytes are UDP payload of sealed traffic; probes count apart. */
export class PathCounters {
  probesSent = 0;
  probesAnswered = 0;
  bytesSent = 0;
  packetsSent = 0;
  bytesReceived = 0;
  packetsReceived = 0;
  /** Times it was given up after it had been proven. */
  failures = 0;
  /** When a probe or traffic left on it last. */
  sentAt: Instant | undefined;
  /** Since when it has been proven. */
  provenAt: Instant | undefined;
  failedAt: Instant | undefined;
  /** The shortest round-trip time since it was proven, milliseconds. */
  minRtt: number | undefined;
  /** The latest round-trip time, milliseconds. */
  lastRtt: number | undefined;
  /** Smoothed round-trip time, milliseconds. */
  smoothedRtt: number | undefined;
  readonly #answered: boolean[] = [];
  #waiting = false;

  /** Share of the latest probes on the proven path that were not answered, 0 to 1; `undefined` before the first. */
  get loss(): number | undefined {
    if (this.#answered.length === 0) return undefined;
    return this.#answered.filter((answered) => !answered).length / this.#answered.length;
  }

  noteProbe(now: Instant, isProven: boolean): void {
    this.probesSent++;
    this.sentAt = now;
    if (this.#waiting) this.#settle(false);
    this.#waiting = isProven;
  }

  /** A probe was answered after `rtt` milliseconds. */
  noteAnswer(rtt: number, now: Instant): void {
    this.probesAnswered++;
    this.lastRtt = rtt;
    this.provenAt ??= now;
    this.minRtt = Math.min(this.minRtt ?? Infinity, rtt);
    this.smoothedRtt = this.smoothedRtt === undefined
      ? rtt
      : this.smoothedRtt + ALPHA * (rtt - this.smoothedRtt);
    if (this.#waiting) this.#settle(true);
    this.#waiting = false;
  }

  noteSent(bytes: number, now: Instant): void {
    this.bytesSent += bytes;
    this.packetsSent++;
    this.sentAt = now;
  }

  noteReceived(bytes: number): void {
    this.bytesReceived += bytes;
    this.packetsReceived++;
  }

  /** The path no longer counts as proven. */
  noteFailure(now: Instant): void {
    this.failures++;
    this.failedAt = now;
    this.provenAt = undefined;
    this.minRtt = undefined;
    this.smoothedRtt = undefined;
    this.#answered.length = 0;
    this.#waiting = false;
  }

  #settle(answered: boolean): void {
    this.#answered.push(answered);
    if (this.#answered.length > LOSS_WINDOW) this.#answered.shift();
  }
}
