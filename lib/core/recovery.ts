/**
 * When a node starts over with its network: at once after something has really changed, seldom on mere suspicion.
 */

import type { Instant } from "./machine.ts";
import { earlier } from "./timers.ts";

/**
 * Why a node starts over: the computer has slept, its address is another one, a beacon sees it elsewhere, the beacons
 * answer again after none did, or nothing arrives any more.
 */
export type RecoveryReason = "resumed" | "network" | "endpoint" | "beacon" | "silence";

/** Distance of two recoveries when something has really changed, milliseconds. */
const REAL_GAP_MS = 1_000;
/** The same on suspicion; doubles each time as long as nothing has really changed. */
const FIRST_GAP_MS = 10_000;
const MAX_GAP_MS = 120_000;

/** The heartbeat by which sleep is noticed, milliseconds. */
const TICK_MS = 5_000;
/** A heartbeat that is late by this many intervals: the computer has slept. */
const LATE_TICKS = 4;

/** Decides when a node recovers. */
export class Recovery {
  #lastAt: Instant = -Infinity;
  #gap = FIRST_GAP_MS;
  #pending: RecoveryReason | undefined;
  #tickedAt: Instant | undefined;
  #awakeAt: Instant = 0;

  /** When the computer was awake for certain before the recovery that is due now. */
  get awakeAt(): Instant {
    return this.#awakeAt;
  }

  /** Asks for a recovery. One that may not be yet is made up for later. */
  request(reason: RecoveryReason): void {
    if (this.#pending === undefined || this.#pending === "silence") this.#pending = reason;
  }

  pollTimeout(): Instant | undefined {
    const tick = this.#tickedAt === undefined ? -Infinity : this.#tickedAt + TICK_MS;
    return earlier(this.#pending === undefined ? undefined : this.#dueAt(this.#pending), tick);
  }

  /** Time passes. Why to recover now, `undefined` for not at all. */
  poll(now: Instant): RecoveryReason | undefined {
    const awakeAt = this.#tickedAt ?? now;
    if (now - awakeAt >= LATE_TICKS * TICK_MS) {
      this.#pending = "resumed";
      this.#awakeAt = awakeAt;
    }
    if (this.#tickedAt === undefined || now - awakeAt >= TICK_MS) this.#tickedAt = now;
    const reason = this.#pending;
    if (reason === undefined || now < this.#dueAt(reason)) return undefined;
    if (reason !== "resumed") this.#awakeAt = now;
    this.#pending = undefined;
    this.#lastAt = now;
    this.#gap = reason === "silence" ? Math.min(2 * this.#gap, MAX_GAP_MS) : FIRST_GAP_MS;
    return reason;
  }

  #dueAt(reason: RecoveryReason): Instant {
    return this.#lastAt + (reason === "silence" ? this.#gap : REAL_GAP_MS);
  }
}
