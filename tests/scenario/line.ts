/**
 * A line in virtual time: a rate, a delay, a queue that drops what does not fit, and loss.
 */

import type { Instant } from "../../lib/core/machine.ts";
import type { Segment } from "../../lib/core/stream/segment.ts";
import { Deque } from "../../lib/core/stream/deque.ts";
import type { Random } from "../core/stream/pair.ts";

/** Bytes of a packet besides its payload. What tunnel and IP add is not counted as part of the line's load. */
const HEADER = 34;

/** Decides on each packet. */
export type LossModel = (random: Random) => boolean;

export function randomLoss(probability: number): LossModel {
  return (random) => random.chance(probability);
}

/** Loss in bursts (Gilbert-Elliott): a good state without loss, and a bad one that loses half of the packets. */
export function burstyLoss(options: { toBad: number; toGood: number }): LossModel {
  let isBad = false;
  return (random) => {
    isBad = random.chance(isBad ? 1 - options.toGood : options.toBad);
    return isBad && random.chance(0.5);
  };
}

export interface LineOptions {
  /** Bytes per millisecond. */
  readonly rate: number;
  /** Milliseconds. */
  readonly delay: number;
  /** Bytes that the queue holds. */
  readonly queue: number;
  readonly loss: LossModel;
  /** The line stands still now and then, as radio links do: chance for each packet, and milliseconds. */
  readonly pauses?: { readonly chance: number; readonly ms: number } | undefined;
}

interface Flying {
  readonly at: Instant;
  readonly flow: number;
  readonly segment: Segment;
}

/** One direction. */
export class Line {
  options: LineOptions;
  /** Nothing comes through. */
  isCut = false;
  dropped = 0;
  carried = 0;
  readonly #random: Random;
  readonly #flying = new Deque<Flying>();
  #busyUntil: Instant = 0;

  constructor(options: LineOptions, random: Random) {
    this.options = options;
    this.#random = random;
  }

  /** When the next packet arrives. */
  get nextAt(): Instant {
    return this.#flying.first?.at ?? Infinity;
  }

  /** Milliseconds that a packet would wait now. */
  waiting(now: Instant): number {
    return Math.max(0, this.#busyUntil - now);
  }

  send(flow: number, segment: Segment, now: Instant): void {
    const { rate, delay, queue, loss, pauses } = this.options;
    const size = HEADER + segment.payload.length;
    if (this.waiting(now) * rate + size > queue) {
      this.dropped++;
      return;
    }
    this.#busyUntil = Math.max(now, this.#busyUntil) + size / rate;
    this.carried += size;
    if (loss(this.#random) || this.isCut) return;
    // A line keeps the order, also when its delay changes.
    const pause = pauses !== undefined && this.#random.chance(pauses.chance) ? pauses.ms : 0;
    const at = Math.max(this.#flying.last?.at ?? 0, this.#busyUntil + delay + pause);
    this.#flying.push({ at, flow, segment });
  }

  receive(): Flying | undefined {
    return this.#flying.shift();
  }
}
