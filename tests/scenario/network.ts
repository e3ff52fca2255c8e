/**
 * Streams that share one line each way, in virtual time.
 */

import type { Instant } from "../../lib/core/machine.ts";
import { Stream, type StreamOptions } from "../../lib/core/stream/stream.ts";
import { OWN_PROFILE } from "../../lib/core/stream/profile.ts";
import { Random } from "../core/stream/pair.ts";
import { Line, type LineOptions } from "./line.ts";

const CHUNK = new Uint8Array(65_536);

/** One stream, whose sender has data without end and whose receiver reads at once. */
export class Flow {
  readonly sender: Stream;
  receiver: Stream | undefined;
  received = 0;
  /** Whether the sender still writes. */
  isGiving = true;
  closed = false;
  readonly #random: Random;
  readonly #options: Partial<StreamOptions>;

  constructor(options: Partial<StreamOptions>, random: Random, now: Instant) {
    this.#random = random;
    this.#options = { profile: OWN_PROFILE, ...options };
    this.sender = Stream.connect({ random: random.source, ...this.#options }, now);
  }

  accept(syn: Parameters<Stream["handleSegment"]>[0], now: Instant): Stream {
    return this.receiver = Stream.accept({ random: this.#random.source, ...this.#options }, syn, now);
  }

  get nextAt(): Instant {
    return Math.min(this.sender.pollTimeout() ?? Infinity, this.receiver?.pollTimeout() ?? Infinity);
  }

  /** What the applications do. */
  act(now: Instant): void {
    while (this.isGiving && this.sender.write(CHUNK, now) === CHUNK.length);
    for (let event = this.sender.pollEvent(); event !== undefined; event = this.sender.pollEvent()) {
      if (event.type === "closed") this.closed = true;
    }
    const { receiver } = this;
    if (receiver === undefined) return;
    for (let chunk = receiver.read(now); chunk !== undefined; chunk = receiver.read(now)) {
      this.received += chunk.length;
    }
    for (let event = receiver.pollEvent(); event !== undefined; event = receiver.pollEvent()) {
      if (event.type === "finished") receiver.shutdown(now);
    }
  }
}

/** The lines and the flows on them. */
export class Network {
  now: Instant = 0;
  readonly there: Line;
  readonly back: Line;
  readonly flows: Flow[] = [];
  readonly #random: Random;

  constructor(options: { there: LineOptions; back: LineOptions; seed: number }) {
    this.#random = new Random(options.seed);
    this.there = new Line(options.there, this.#random);
    this.back = new Line(options.back, this.#random);
  }

  /** A stream begins. */
  add(options: Partial<StreamOptions> = {}): Flow {
    const flow = new Flow(options, new Random(this.#random.int(2 ** 32)), this.now);
    this.flows.push(flow);
    this.#drain(flow);
    return flow;
  }

  /** Runs until `time`, or until `isDone` holds after a step; whether it did. */
  run(time: Instant, isDone: () => boolean = () => false): boolean {
    for (;;) {
      let at = Math.min(this.there.nextAt, this.back.nextAt);
      for (const flow of this.flows) at = Math.min(at, flow.nextAt);
      if (at > time) {
        this.now = time;
        return isDone();
      }
      this.now = Math.max(this.now, at);
      this.#step();
      if (isDone()) return true;
    }
  }

  #step(): void {
    const { now } = this;
    if (this.there.nextAt <= now) this.#arrive(this.there);
    else if (this.back.nextAt <= now) this.#arrive(this.back);
    else {
      for (const flow of this.flows) {
        if (flow.nextAt > now) continue;
        flow.sender.handleTimeout(now);
        flow.receiver?.handleTimeout(now);
        this.#drain(flow);
      }
    }
  }

  #arrive(line: Line): void {
    const { now } = this;
    const packet = line.receive();
    const flow = packet === undefined ? undefined : this.flows[packet.flow];
    if (packet === undefined || flow === undefined) return;
    if (line === this.back) flow.sender.handleSegment(packet.segment, now);
    else if (flow.receiver === undefined) flow.accept(packet.segment, now);
    else flow.receiver.handleSegment(packet.segment, now);
    this.#drain(flow);
  }

  #drain(flow: Flow): void {
    const { now } = this;
    const index = this.flows.indexOf(flow);
    flow.act(now);
    for (let next = flow.sender.pollTransmit(now); next !== undefined; next = flow.sender.pollTransmit(now)) {
      this.there.send(index, next, now);
    }
    const { receiver } = flow;
    if (receiver === undefined) return;
    for (let next = receiver.pollTransmit(now); next !== undefined; next = receiver.pollTransmit(now)) {
      this.back.send(index, next, now);
    }
  }
}
