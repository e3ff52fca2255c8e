/**
 * Two ends of a stream in virtual time, with a link between them that delays, loses, repeats and reorders.
 */

import { Flag } from "../../../lib/wire/packet.ts";
import type { Instant, RandomSource } from "../../../lib/core/machine.ts";
import { ReceivePool } from "../../../lib/core/stream/recv_memory.ts";
import {
  type Segment,
  Stream,
  type StreamEvent,
  type StreamOptions,
} from "../../../lib/core/stream/stream.ts";

/** A small seeded generator (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 up to but excluding 1. */
  float(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** 0 up to but excluding `bound`. */
  int(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  readonly source: RandomSource = (target) => {
    for (let i = 0; i < target.length; i++) target[i] = this.int(256);
    return target;
  };

  bytes(length: number): Uint8Array {
    return this.source(new Uint8Array(length));
  }
}

/** A source of initial sequence numbers: always `number`. */
export function fixedSequence(number: number): RandomSource {
  return (target) => {
    for (let i = 0; i < target.length; i++) target[i] = (number >>> (8 * (3 - (i % 4)))) & 0xff;
    return target;
  };
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** What the link does to a segment; probabilities per segment and direction. */
export interface Link {
  readonly delay: number;
  /** Added at random, which reorders. */
  readonly jitter: number;
  readonly loss: number;
  readonly duplicate: number;
}

export const PERFECT: Link = { delay: 10, jitter: 0, loss: 0, duplicate: 0 };
export const TERRIBLE: Link = { delay: 20, jitter: 30, loss: 0.2, duplicate: 0.2 };

/** What the pair needs of either end: our stream, or an imitation of another implementation. */
export type Endpoint = Omit<
  Stream,
  | "state"
  | "isOpenedBy"
  | "isOver"
  | "isAnnouncedClosed"
  | "stats"
  | "close"
  | "abort"
  | "setProfile"
  | "setSegmentSize"
  | "handlePathChange"
>;

/** One side with an application that writes what it is given and reads at will. */
export class End {
  machine: Endpoint | undefined;
  readonly pool = new ReceivePool();
  readonly events: StreamEvent[] = [];
  readonly received: Uint8Array[] = [];
  readonly sent: Segment[] = [];
  /** Whether data is read as soon as it arrives. */
  reads = true;
  /** Whether the end follows when all is written. */
  ends = false;
  receivedBytes = 0;
  #outgoing: Uint8Array = new Uint8Array(0);
  #hasEnded = false;

  /** Our stream at this end. */
  get stream(): Stream {
    if (!(this.machine instanceof Stream)) throw new Error("no stream of ours here");
    return this.machine;
  }

  give(data: Uint8Array): void {
    this.#outgoing = concat([this.#outgoing, data]);
  }

  /** Bytes the stream has not taken. */
  get pending(): number {
    return this.#outgoing.length;
  }

  get closed(): string | undefined {
    const last = this.events.at(-1);
    return last?.type === "closed" ? last.reason : undefined;
  }

  has(type: StreamEvent["type"]): boolean {
    return this.events.some((event) => event.type === type);
  }

  /** Lets the application act, and collects what the stream tells. */
  step(now: Instant): void {
    const stream = this.machine;
    if (stream === undefined) return;
    this.#collect(stream);
    if (this.#outgoing.length > 0) {
      this.#outgoing = this.#outgoing.subarray(stream.write(this.#outgoing, now));
    }
    if (this.ends && !this.#hasEnded && this.#outgoing.length === 0) {
      this.#hasEnded = true;
      stream.shutdown(now);
    }
    if (this.reads) this.readAll(now);
    this.#collect(stream);
  }

  readAll(now: Instant): void {
    for (let chunk = this.readOne(now); chunk !== undefined; chunk = this.readOne(now));
  }

  readOne(now: Instant): Uint8Array | undefined {
    const chunk = this.machine?.read(now);
    if (chunk === undefined) return undefined;
    const own = chunk.slice();
    this.received.push(own);
    this.receivedBytes += own.length;
    this.pool.giveBack(chunk);
    return own;
  }

  #collect(stream: Endpoint): void {
    for (let event = stream.pollEvent(); event !== undefined; event = stream.pollEvent()) {
      this.events.push(event);
    }
  }
}

interface Delivery {
  readonly at: Instant;
  readonly to: End;
  readonly segment: Segment;
}

/** Two ends and the link. `a` connects, `b` accepts the first SYN that arrives. */
export class Pair {
  readonly a = new End();
  readonly b = new End();
  now: Instant = 1_000;
  link: Link;
  /** Sees every segment that is sent; returning false loses it. */
  filter: (segment: Segment, from: End) => boolean = () => true;
  steps = 0;
  readonly #random: Random;
  readonly #accept: (syn: Segment, now: Instant) => Endpoint;
  readonly #wire: Delivery[] = [];

  constructor(
    options: {
      seed?: number;
      link?: Link;
      a?: Partial<StreamOptions>;
      b?: Partial<StreamOptions>;
      connect?: (now: Instant) => Endpoint;
      accept?: (syn: Segment, now: Instant) => Endpoint;
    } = {},
  ) {
    this.#random = new Random(options.seed ?? 1);
    this.link = options.link ?? PERFECT;
    const random = new Random(this.#random.int(2 ** 32)).source;
    this.#accept = options.accept ??
      ((syn, now) => Stream.accept({ random, pool: this.b.pool, ...options.b }, syn, now));
    this.a.machine = options.connect?.(this.now) ??
      Stream.connect({ random, pool: this.a.pool, ...options.a }, this.now);
    this.#drain(this.a);
  }

  /** Both ends know that the connection is open. */
  static open(options: ConstructorParameters<typeof Pair>[0] = {}): Pair {
    const pair = new Pair(options);
    pair.run(() => pair.a.has("connected") && pair.b.has("connected"), 60_000);
    return pair;
  }

  /** Runs until `isDone` holds, at most for `limit` virtual milliseconds. Returns whether it held. */
  run(isDone: () => boolean, limit: number): boolean {
    const end = this.now + limit;
    this.#drain(this.a);
    this.#drain(this.b);
    while (!isDone()) {
      const at = this.#nextAt();
      if (at === undefined || at > end) {
        this.now = end;
        return isDone();
      }
      this.#step(Math.max(at, this.now));
    }
    return true;
  }

  /** Lets time pass. */
  wait(milliseconds: number): void {
    this.run(() => false, milliseconds);
  }

  /** Takes over what an end wants to send, after it was touched from outside. */
  flush(): void {
    this.#drain(this.a);
    this.#drain(this.b);
  }

  #nextAt(): Instant | undefined {
    let at = this.#wire[0]?.at;
    for (const end of [this.a, this.b]) {
      const deadline = end.machine?.pollTimeout();
      if (deadline !== undefined && (at === undefined || deadline < at)) at = deadline;
    }
    return at;
  }

  #step(at: Instant): void {
    if (at === this.now && ++this.steps > 100_000) throw new Error("time does not advance");
    if (at > this.now) this.steps = 0;
    this.now = at;
    for (const end of [this.a, this.b]) {
      const deadline = end.machine?.pollTimeout();
      if (deadline === undefined || deadline > at) continue;
      end.machine?.handleTimeout(at);
      this.#drain(end);
    }
    for (let next = this.#wire[0]; next !== undefined && next.at <= at; next = this.#wire[0]) {
      this.#wire.shift();
      this.#deliver(next);
    }
  }

  #deliver({ to, segment }: Delivery): void {
    if (to.machine !== undefined) to.machine.handleSegment(segment, this.now);
    else if (segment.flags === Flag.SYN) to.machine = this.#accept(segment, this.now);
    // What the stream needs of it, it has copied.
    segment.payload.fill(0xee);
    this.#drain(to);
  }

  #drain(end: End): void {
    end.step(this.now);
    const other = end === this.a ? this.b : this.a;
    for (let round = 0;; round++) {
      const segment = end.machine?.pollTransmit(this.now);
      if (segment === undefined) break;
      if (round > 50_000) throw new Error("endless transmission");
      end.sent.push(segment);
      if (this.filter(segment, end)) this.#transmit(segment, other);
    }
    end.step(this.now);
  }

  #transmit(segment: Segment, to: End): void {
    if (this.#random.chance(this.link.loss)) return;
    const copies = this.#random.chance(this.link.duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const at = this.now + this.link.delay + this.#random.float() * this.link.jitter;
      let index = this.#wire.length;
      while (index > 0 && (this.#wire[index - 1]?.at ?? 0) > at) index--;
      this.#wire.splice(index, 0, { at, to, segment: { ...segment, payload: segment.payload.slice() } });
    }
  }
}
