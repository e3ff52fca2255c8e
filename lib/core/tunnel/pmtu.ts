/**
 * The largest datagram that one direct path carries (RFC 8899, packetization layer path MTU discovery).
 *
 * Probes are padded pings: their answers are small, so they prove the way there and nothing else. Sizes are bytes of
 * UDP payload. Between the base, which every path of the Pilot Protocol carries, and the ceiling, common sizes are
 * tried in ascending order, then the gap above the last success is halved.
 *
 * A black hole (RFC 8899 section 4.3) shows when probes of the size in use stay unanswered while a small one sent
 * after them is answered. Doubt comes with silence under large datagrams, and anyway every few seconds of traffic.
 */

import type { Instant } from "../machine.ts";

/** A sealed frame around a segment of 1,152 bytes; with the relay's wrapper it stays below IPv6's minimum MTU. */
export const BASE_DATAGRAM = 1_222;

/**
 * Sizes worth trying before the ceiling: a WireGuard tunnel inside Ethernet, Ethernet with IPv6 and with IPv4,
 * then jumbo frames.
 */
const LADDER: readonly number[] = [1_392, 1_452, 1_472, 4_052, 8_952];
/** The search ends when success and failure are this close. */
const GRAIN = 16;
/** Unanswered probes of one size that mean it does not pass (RFC 8899 section 5.1.2, MAX_PROBES). */
const MAX_PROBES = 3;
/** An unanswered search probe is given up after this time at least (RFC 8899 section 5.1.1, PROBE_TIMER), milliseconds. */
const PROBE_TIMER_MS = 1_000;
/** A finished search begins again after this time (RFC 8899 section 5.1.1, PMTU_RAISE_TIMER), milliseconds. */
const RAISE_MS = 600_000;
/** While large datagrams go out their size is confirmed at this distance, milliseconds. */
const CONFIRM_MS = 5_000;
/** Bounds of the distance of confirming probes, milliseconds; between them it is three round trips. */
const CONFIRM_GAP_MS = { min: 100, max: 1_000 } as const;

/** What a probe is for. */
interface Attempt {
  readonly purpose: "search" | "confirm";
  readonly size: number;
  tries: number;
  /** When the next probe, or the verdict, is due. */
  due: Instant;
}

/** A probe to send: padded to `size` bytes of UDP payload, or as small as it is. */
export interface PmtuProbe {
  readonly size: number | undefined;
}

/** The path MTU of one path. */
export class Pmtu {
  readonly #base: number;
  #ceiling: number;
  #limit: number;
  /** The smallest size known not to pass. */
  #failed = Infinity;
  #attempt: Attempt | undefined;
  /** Probes on the way, by token: their size, `undefined` for small ones. */
  readonly #tokens = new Map<number, number | undefined>();
  #smallAnswered = false;
  #confirmedAt: Instant = -Infinity;
  #raiseAt: Instant = Infinity;
  #rtt = 0;

  constructor(options: { readonly base?: number; readonly ceiling?: number } = {}) {
    this.#ceiling = options.ceiling ?? BASE_DATAGRAM;
    this.#base = Math.min(options.base ?? BASE_DATAGRAM, this.#ceiling);
    this.#limit = this.#base;
  }

  /** The largest datagram known to pass. */
  get limit(): number {
    return this.#limit;
  }

  /** Another bound on what is tried; a search begins when there is more to find. */
  setCeiling(ceiling: number, now: Instant): void {
    if (ceiling === this.#ceiling) return;
    this.#ceiling = Math.max(ceiling, this.#base);
    this.#limit = Math.min(this.#limit, this.#ceiling);
    this.#stop();
    this.#search(now);
  }

  /** The path was proven: looks for its size. `rtt` is its round-trip time, milliseconds. */
  start(rtt: number, now: Instant): void {
    this.#rtt = rtt;
    if (this.#attempt === undefined && this.#raiseAt === Infinity) this.#search(now);
  }

  /** The path is no longer proven, and what was known of it may be wrong. */
  reset(): void {
    this.#limit = this.#base;
    this.#failed = Infinity;
    this.#raiseAt = Infinity;
    this.#stop();
  }

  /** A datagram of `size` bytes goes out. True when `nextTimeout` has changed. */
  noteSent(size: number, now: Instant): boolean {
    if (this.#attempt !== undefined) return false;
    if (now >= this.#raiseAt) {
      this.#failed = Infinity;
      return this.#search(now);
    }
    return size > this.#base && now - this.#confirmedAt >= CONFIRM_MS && this.doubt(now);
  }

  /** Nothing comes back although datagrams go out. True when `nextTimeout` has changed. */
  doubt(now: Instant): boolean {
    if (this.#limit <= this.#base || this.#attempt?.purpose === "confirm") return false;
    this.#stop();
    this.#attempt = { purpose: "confirm", size: this.#limit, tries: 0, due: now };
    return true;
  }

  nextTimeout(): Instant | undefined {
    return this.#attempt?.due;
  }

  /** The probes to send now, each with `noteProbe`. */
  dueProbes(now: Instant): PmtuProbe[] {
    const attempt = this.#attempt;
    if (attempt === undefined || now < attempt.due) return [];
    if (attempt.tries >= MAX_PROBES) return this.#judge(attempt, now);
    attempt.tries++;
    const isLast = attempt.tries === MAX_PROBES;
    if (attempt.purpose === "search") {
      attempt.due = now + Math.max(PROBE_TIMER_MS, 4 * this.#rtt);
      return [{ size: attempt.size }];
    }
    attempt.due = now + Math.min(Math.max(3 * this.#rtt, CONFIRM_GAP_MS.min), CONFIRM_GAP_MS.max);
    return isLast ? [{ size: attempt.size }, { size: undefined }] : [{ size: attempt.size }];
  }

  /** A probe left under `token`. */
  noteProbe(token: number, probe: PmtuProbe): void {
    this.#tokens.set(token, probe.size);
  }

  /** The answer to a probe; false when the token is none of ours. */
  handleAnswer(token: number, now: Instant): boolean {
    if (!this.#tokens.has(token)) return false;
    const size = this.#tokens.get(token);
    this.#tokens.delete(token);
    const attempt = this.#attempt;
    if (size === undefined) this.#smallAnswered = true;
    else if (attempt?.size === size) {
      this.#stop();
      this.#confirmedAt = now;
      this.#limit = Math.max(this.#limit, size);
      // A confirmation does not begin a search that has ended, but one that it had interrupted.
      if (attempt.purpose === "search" || this.#raiseAt === Infinity) this.#search(now);
    }
    return true;
  }

  /** All probes of one size went unanswered. */
  #judge(attempt: Attempt, now: Instant): PmtuProbe[] {
    const smallPasses = this.#smallAnswered;
    this.#stop();
    if (attempt.purpose === "search") this.#failed = attempt.size;
    else if (smallPasses) {
      this.#failed = attempt.size;
      this.#limit = this.#base;
    } else {
      // Nothing passes: that is for the path to judge.
      this.#confirmedAt = now;
      return [];
    }
    this.#search(now);
    return this.dueProbes(now);
  }

  /** Begins with the next size worth trying; false when there is none. */
  #search(now: Instant): boolean {
    const size = this.#nextSize();
    if (size === undefined) {
      this.#raiseAt = now + RAISE_MS;
      return false;
    }
    this.#raiseAt = Infinity;
    this.#attempt = { purpose: "search", size, tries: 0, due: now };
    return true;
  }

  #nextSize(): number | undefined {
    const step = LADDER.find((size) => size > this.#limit && size < this.#ceiling) ?? this.#ceiling;
    if (step > this.#limit && step < this.#failed) return step;
    if (this.#failed > this.#ceiling || this.#failed - this.#limit <= GRAIN) return undefined;
    return (this.#limit + this.#failed) >> 1;
  }

  #stop(): void {
    this.#attempt = undefined;
    this.#tokens.clear();
    this.#smallAnswered = false;
  }
}
