/**
 * The simulated internet: hosts, links, NATs and a virtual clock. What happens depends on the seed alone.
 *
 * ```ts
 * const net = new SimNet({ seed: 1 });
 * const home = net.addNat("home", { ip: "198.51.100.1", ...NAT_CLASSES.portRestricted });
 * const a = net.addHost("a", { ip: "192.168.1.2", nat: home });
 * const server = net.addHost("server", { ip: "203.0.113.1" }).open(9001);
 * a.open(4000).send(server.endpoint);
 * net.runUntil(() => server.received.length > 0, 1000);
 * ```
 */

import { type Flight, Segment, type World } from "./flight.ts";
import { type HostOptions, SimHost } from "./host.ts";
import type { LinkOptions } from "./link.ts";
import { type NatOptions, SimNat } from "./nat.ts";
import { EventQueue } from "./queue.ts";
import { SeededRandom } from "./random.ts";
import { Trace } from "./trace.ts";

export { type Attachment, type Firewall, type HostOptions, SimHost } from "./host.ts";
export { type LinkOptions } from "./link.ts";
export { type Hairpin, NAT_CLASSES, type NatClass, type NatOptions, SimNat } from "./nat.ts";
export { type Heard, SimProbe } from "./probe.ts";
export { SeededRandom } from "./random.ts";
export { SimSocket } from "./socket.ts";

/** What a world starts from. */
export interface SimNetOptions {
  readonly seed: number;
  /** The access link of hosts that name none. Default: 5 ms each way, hence 20 ms from host to host and back. */
  readonly link?: LinkOptions;
  /** Keep a trace; default true. Switch off for bulk transfers. */
  readonly trace?: boolean;
}

/** Decides about a delivery: truthy forbids it. `from` and `to` are names of hosts. */
export type DropRule = (delivery: { from: string; to: string; flight: Flight }) => boolean;

const DEFAULT_LINK: LinkOptions = { delayMs: 5 };

/** A world. */
export class SimNet implements World {
  /** Randomness of links and NATs. Machines get their own by `random.fork()`. */
  readonly random: SeededRandom;
  readonly internet: Segment;
  readonly #link: LinkOptions;
  readonly #trace: Trace;
  readonly #queue = new EventQueue();
  readonly #rules = new Map<DropRule, string>();
  #now = 0;

  constructor(options: SimNetOptions) {
    this.random = new SeededRandom(options.seed);
    this.internet = new Segment(this);
    this.#link = options.link ?? DEFAULT_LINK;
    this.#trace = new Trace(options.trace ?? true);
  }

  /** Virtual milliseconds, from 0. */
  get now(): number {
    return this.#now;
  }

  /** One line per datagram, in order of arrival or loss: time, time on the way, sender, endpoints, fate, meaning. */
  get trace(): readonly string[] {
    return this.#trace.lines;
  }

  /** Equal for equal traces, bytes of the datagrams included. */
  get traceHash(): string {
    return this.#trace.hash;
  }

  addHost(name: string, options: HostOptions): SimHost {
    return new SimHost(this, name, { link: this.#link, ...options, internet: this.internet });
  }

  /** A NAT has no delay of its own unless `link` gives it one. */
  addNat(name: string, options: NatOptions): SimNat {
    return new SimNat(this, name, { ...options, outside: options.nat?.inside ?? this.internet });
  }

  /** Lets time pass. */
  run(ms: number): void {
    const end = this.#now + ms;
    while (this.#step(end));
    this.#now = end;
  }

  /** Lets time pass until `done` holds, which is asked after every event; false when `maxMs` passed before. */
  runUntil(done: () => boolean, maxMs: number): boolean {
    const end = this.#now + maxMs;
    while (!done()) {
      if (this.#step(end)) continue;
      this.#now = end;
      return done();
    }
    return true;
  }

  /** Runs something after `delayMs`, for what is not a datagram. */
  schedule(delayMs: number, run: () => void): void {
    this.#queue.push(this.#now + Math.max(0, delayMs), run);
  }

  /** Forbids the deliveries for which `rule` holds, until the function it returns is called. */
  forbid(rule: DropRule, reason = "forbidden"): () => void {
    this.#rules.set(rule, reason);
    return () => this.#rules.delete(rule);
  }

  /** Black hole between two hosts, also through NATs; paths over a third host stay. Returns the function that heals it. */
  cut(a: SimHost, b: SimHost, options: { oneWay?: boolean } = {}): () => void {
    const oneWay = options.oneWay ?? false;
    return this.forbid(
      ({ from, to }) => (from === a.name && to === b.name) || (!oneWay && from === b.name && to === a.name),
      "cut",
    );
  }

  /** For the parts of the world. */
  end(flight: Flight, fate: string): void {
    this.#trace.note(flight, this.#now, fate);
  }

  /** For the parts of the world. */
  forbids(flight: Flight, hostName: string): string | undefined {
    for (const [rule, reason] of this.#rules) {
      if (rule({ from: flight.origin, to: hostName, flight })) return reason;
    }
    return undefined;
  }

  #step(end: number): boolean {
    const at = this.#queue.nextAt();
    if (at === undefined || at > end) return false;
    this.#now = at;
    this.#queue.pop()?.run();
    return true;
  }
}
