/**
 * A machine on a port of a simulated host: what `lib/io/driver.ts` is to a real socket, on virtual time.
 */

import type { Machine, Transmit } from "../../lib/core/machine.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import type { World } from "./flight.ts";
import type { SimHost } from "./host.ts";

/** A machine that is busy for so many rounds without time passing never becomes quiet. */
const MAX_ROUNDS = 100_000;

/** Where a socket is, and who hears its events. */
export interface SimSocketOptions<Event> {
  readonly host: SimHost;
  readonly port: number;
  readonly world: World;
  /** Further places of the machine: the sockets 1, 2, ... of its transmits. Others are opened when they are used. */
  readonly places?: readonly Endpoint[];
  /** Absent: events are kept in `events`. May use the machine's API; no `touch` needed. */
  readonly onEvent?: (event: Event) => void;
  /** As of the real driver: takes a datagram off to somewhere else; whether it did. */
  readonly divert?: (transmit: Transmit) => boolean;
}

/** A machine at work. */
export class SimSocket<Event> {
  readonly port: number;
  /** Events nobody listened to, in order. */
  readonly events: Event[] = [];
  /** Datagrams and bytes of UDP payload. */
  readonly stats = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0 };
  readonly #machine: Machine<Event>;
  readonly #options: SimSocketOptions<Event>;
  /** Extra sockets by number. */
  readonly #extra = new Map<number, Endpoint>();
  #timerAt: number | undefined;
  #pumping = false;
  #closed = false;
  #rounds = 0;
  #roundsAt = -1;

  constructor(machine: Machine<Event>, options: SimSocketOptions<Event>) {
    this.#machine = machine;
    this.#options = options;
    this.port = options.port;
    options.places?.forEach((place, index) => this.#open(index + 1, place));
  }

  /** Its endpoint at the first address of its host. */
  get endpoint(): Endpoint {
    return { host: this.#options.host.ip, port: this.port };
  }

  /** Call after every use of the machine's own API. */
  touch(): void {
    if (this.#pumping || this.#closed || this.#options.host.asleep) return;
    this.#pumping = true;
    try {
      while (this.#feedTimer() || this.#drainEvents() || this.#drainTransmits()) this.#countRound();
    } finally {
      this.#pumping = false;
    }
    this.#setTimer();
  }

  /** Takes the machine off its port, as the end of a process does. Nothing is said to anyone. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.host.release(this.port);
    for (const via of [...this.#extra.keys()]) this.#release(via);
  }

  /** How many extra sockets are open. */
  get extraSockets(): number {
    return this.#extra.size;
  }

  /** A datagram arrived. The host calls this. */
  receive(from: Endpoint, data: Uint8Array, via = 0): void {
    if (this.#closed) return;
    this.stats.received++;
    this.stats.receivedBytes += data.length;
    const lent = data.slice();
    this.#machine.handleDatagram(from, lent, this.#options.world.now, via);
    // What the machine needs of it, it has copied: a driver uses the memory again.
    lent.fill(0xee);
    this.touch();
  }

  #feedTimer(): boolean {
    const due = this.#machine.pollTimeout();
    if (due === undefined || due > this.#options.world.now) return false;
    this.#machine.handleTimeout(this.#options.world.now);
    return true;
  }

  #drainEvents(): boolean {
    let any = false;
    for (let event = this.#machine.pollEvent(); event !== undefined; event = this.#machine.pollEvent()) {
      any = true;
      if (this.#options.onEvent === undefined) this.events.push(event);
      else this.#options.onEvent(event);
    }
    return any;
  }

  #drainTransmits(): boolean {
    let any = false;
    while (!this.#closed) {
      this.#machine.reuse?.();
      const lent = this.#machine.pollTransmit(this.#options.world.now);
      if (lent === undefined) break;
      const transmit = { ...lent, data: lent.data.slice() };
      any = true;
      if (this.#options.divert?.(transmit) === true) continue;
      this.stats.sent++;
      this.stats.sentBytes += transmit.data.length;
      const { via = 0, to, data } = transmit;
      const place = via === 0 ? undefined : this.#extra.get(via) ?? this.#openNew(via);
      this.#options.host.send(place?.port ?? this.port, to, data, place?.host);
      this.#countRound();
    }
    for (let via = this.#machine.pollClose?.(); via !== undefined; via = this.#machine.pollClose?.()) {
      this.#release(via);
    }
    return any;
  }

  #openNew(via: number): Endpoint {
    const opened = this.#open(via);
    this.#machine.handleOpened?.(via, opened.port);
    return opened;
  }

  /** Opens the extra socket `via`, at any address of the host when no place is given. */
  #open(via: number, place?: Endpoint): Endpoint {
    const receive = (from: Endpoint, data: Uint8Array) => this.receive(from, data, via);
    const opened = this.#options.host.openExtra(receive, place);
    this.#extra.set(via, opened);
    return opened;
  }

  #release(via: number): void {
    const place = this.#extra.get(via);
    this.#extra.delete(via);
    if (place !== undefined) this.#options.host.release(place.port, place.host);
  }

  #setTimer(): void {
    const due = this.#machine.pollTimeout();
    if (due === undefined || this.#closed) return;
    // As on a real socket, an earlier timer is left to fire and find nothing due.
    if (this.#timerAt !== undefined && this.#timerAt <= due) return;
    const { world } = this.#options;
    this.#timerAt = due;
    world.schedule(due - world.now, () => {
      if (this.#timerAt !== due) return;
      this.#timerAt = undefined;
      this.touch();
    });
  }

  #countRound(): void {
    const { now } = this.#options.world;
    this.#rounds = this.#roundsAt === now ? this.#rounds + 1 : 0;
    this.#roundsAt = now;
    if (this.#rounds > MAX_ROUNDS) {
      throw new Error(
        `the machine on port ${this.port} of ${this.#options.host.name} is never quiet at ${now} ms`,
      );
    }
  }
}
