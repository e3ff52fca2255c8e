/**
 * Keep-alive and idle timeout.
 *
 * When nothing was heard for a while we send an empty ACK with window 0, which nodes like ours answer. Others do not;
 * they are asked with a byte that they acknowledged long ago, which draws an ACK from every implementation
 * (RFC 9293 section 3.8.4).
 */

import type { Instant } from "../machine.ts";

/** Silence after which a stream is given up, milliseconds (Pilot Protocol). */
export const IDLE_TIMEOUT_MS = 120_000;
/** Answers to keep-alives: at most one per this time, milliseconds. */
export const ANSWER_GAP_MS = 5_000;

/** What is due after which silence. Later than the 30 s of old nodes, so that these come first and are answered. */
const SCHEDULE: readonly { readonly after: number; readonly action: LivenessAction }[] = [
  { after: 50_000, action: "keepalive" },
  { after: 75_000, action: "probe" },
  { after: 95_000, action: "probe" },
  { after: 110_000, action: "probe" },
  { after: IDLE_TIMEOUT_MS, action: "idle" },
];

/** Least time between two steps, so that a computer that wakes up asks before it gives up, milliseconds. */
const STEP_GAP_MS = 10_000;

/** What to do about a silent peer. */
export type LivenessAction = "keepalive" | "probe" | "idle";

/** Watches the silence of one peer. */
export class Liveness {
  #heardAt: Instant;
  #stage = 0;
  #steppedAt = -Infinity;
  #answeredAt: Instant | undefined;

  constructor(now: Instant) {
    this.#heardAt = now;
  }

  /** A packet of the peer arrived. */
  noteHeard(now: Instant): void {
    this.#heardAt = now;
    this.#stage = 0;
  }

  get deadline(): Instant | undefined {
    const step = SCHEDULE[this.#stage];
    if (step === undefined) return undefined;
    return Math.max(this.#heardAt + step.after, this.#steppedAt + STEP_GAP_MS);
  }

  /** The action that is due. */
  handleTimeout(now: Instant): LivenessAction | undefined {
    const { deadline } = this;
    if (deadline === undefined || now < deadline) return undefined;
    this.#steppedAt = now;
    return SCHEDULE[this.#stage++]?.action;
  }

  /** Whether a keep-alive may be answered now; true at most once per {@linkcode ANSWER_GAP_MS}. */
  takeAnswer(now: Instant): boolean {
    if (this.#answeredAt !== undefined && now - this.#answeredAt < ANSWER_GAP_MS) return false;
    this.#answeredAt = now;
    return true;
  }
}
