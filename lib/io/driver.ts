/**
 * Drives a state machine on a real UDP socket.
 *
 * One receive loop, one timer, and sends that are pulled from the machine only as fast as the kernel takes them: a
 * machine that makes its packets when asked (streams do) feels backpressure, and at most one batch queues here.
 * Everything that waits in the socket is fed before the machine is asked for events, packets and its deadline.
 *
 * With the runtime's own socket one send is awaited before the next begins, because the runtime completes concurrent
 * sends in any order, often reversed; the price is about a tenth of the throughput of pipelined ones.
 */

import type { Machine, Transmit } from "../core/machine.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { ExtraSockets } from "./driver_extra.ts";
import { Receiver } from "./driver_receive.ts";
import { Sender, type SendStats } from "./driver_send.ts";
import {
  type BatchSocket,
  type DatagramSocket,
  isBatchSocket,
  openSocket,
  toEndpoint,
  type UdpMode,
} from "./driver_socket.ts";
import { DriverTimer } from "./driver_timer.ts";
import { MemoryTrimmer } from "./memory_trim.ts";

export type { BatchSocket, DatagramSocket, UdpMode };

/** How to bind and what to do with events. */
export interface UdpDriverOptions<Event> {
  /** IP address to bind, default `0.0.0.0`. `::` serves IPv4 as well where the system allows it. */
  readonly host?: string;
  /** Port to bind; 0 (the default) lets the system choose. */
  readonly port?: number;
  /** How to talk to the kernel, default `PILOT_UDP` of the environment, else `auto`. */
  readonly udp?: UdpMode;
  /** Whether datagrams too long for the path are lost instead of fragmented, where the socket can; default no. */
  readonly dontFragment?: boolean;
  /** Further addresses to bind, or sockets to use: the sockets 1, 2, ... of the machine's transmits. */
  readonly places?: readonly (Endpoint | DatagramSocket)[];
  /** Takes a datagram off to somewhere else than the socket; whether it did. What it keeps of it, it copies. */
  readonly divert?: (transmit: Transmit) => boolean;
  /** Gives the machine its time. */
  readonly clock: { now(): number };
  /** Called for every event of the machine; may call the machine's API without `wake()`. */
  readonly onEvent?: (event: Event) => void;
  /** A socket that is bound already, instead of `host` and `port`. The driver closes it. */
  readonly socket?: DatagramSocket;
}

/** Counters of one socket. Bytes are UDP payload. */
export interface UdpDriverStats extends SendStats {
  received: number;
  receivedBytes: number;
  receiveErrors: number;
}

/** A machine attached to a UDP socket, from `bind` to `close`. */
export class UdpDriver<Event> {
  /** The address really bound. */
  readonly endpoint: Endpoint;
  /** Resolves after `close()`; rejects with the error when the machine threw, which is a defect of the machine. */
  readonly finished: Promise<void>;
  readonly stats: UdpDriverStats = {
    received: 0,
    receivedBytes: 0,
    sent: 0,
    sentBytes: 0,
    sendErrors: 0,
    receiveErrors: 0,
  };

  readonly #machine: Machine<Event>;
  readonly #options: UdpDriverOptions<Event>;
  readonly #socket: DatagramSocket;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #extra: ExtraSockets;
  readonly #timer: DriverTimer;
  readonly #trimmer = new MemoryTrimmer();
  readonly #settle = Promise.withResolvers<void>();
  #pumping = false;
  #sending = false;
  #closed = false;
  #receiving = true;
  #failure: { readonly error: unknown } | undefined;

  /**
   * Binds a socket and starts driving `machine`.
   *
   * @throws {PilotError} `already_exists` when the port is taken, `invalid_argument` when the address is not one of
   * this computer, `connection_failed` otherwise.
   */
  static bind<Event>(machine: Machine<Event>, options: UdpDriverOptions<Event>): UdpDriver<Event> {
    return new UdpDriver(machine, options);
  }

  private constructor(machine: Machine<Event>, options: UdpDriverOptions<Event>) {
    this.#machine = machine;
    this.#options = options;
    this.#socket = options.socket ?? openSocket({
      host: options.host ?? "0.0.0.0",
      port: options.port ?? 0,
      ...(options.udp === undefined ? {} : { udp: options.udp }),
      ...(options.dontFragment === undefined ? {} : { dontFragment: options.dontFragment }),
    });
    this.endpoint = toEndpoint(this.#socket.addr);
    const isClosed = () => this.#closed;
    const pump = () => this.#pump();
    this.#extra = this.#openExtra();
    this.#receiver = new Receiver(this.#socket, {
      isClosed,
      pump,
      now: () => options.clock.now(),
      deliver: (from, data, now) => this.#deliver(from, data, now),
    });
    this.#sender = new Sender(this.#socket, {
      isDualStack: this.endpoint.host === "::",
      stats: this.stats,
      hooks: { isClosed, pump, fill: (batch, size) => this.#fill(batch, size) },
    });
    this.#timer = new DriverTimer(options.clock, () => this.#expire());
    this.finished = this.#settle.promise;
    this.#receiver.run(() => this.stats.receiveErrors++).then(() => {
      this.#receiving = false;
      this.#settleWhenQuiet();
    });
    // Not at once: events must not come before the caller has the driver in hand.
    queueMicrotask(() => this.#pump());
  }

  /** Whether this socket moves batches through native code. */
  get udp(): "deno" | "ffi" {
    return isBatchSocket(this.#socket) ? "ffi" : "deno";
  }

  /** Whether datagrams too long for the path are lost instead of fragmented, as asked for and possible. */
  get dontFragment(): boolean {
    return isBatchSocket(this.#socket) && this.#socket.dontFragment;
  }

  /** Call after every use of the machine's own API: sends what it wants to send and sets its timer. */
  wake(): void {
    this.#pump();
  }

  /** Gives the machine a datagram that came by another way than the socket. */
  inject(from: Endpoint, data: Uint8Array): void {
    if (this.#closed) return;
    this.#deliver(from, data, this.#options.clock.now());
    this.#pump();
  }

  /** Releases the socket and the timer at once. What the machine still wanted to send is not sent. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer.clear();
    this.#trimmer.stop();
    this.#socket.close();
    this.#extra.close();
    this.#settleWhenQuiet();
  }

  #openExtra(): ExtraSockets {
    const { host = "0.0.0.0", places = [], clock } = this.#options;
    try {
      return new ExtraSockets({
        host,
        places,
        hooks: {
          now: () => clock.now(),
          deliver: (from, data, now, via) => this.#deliver(from, data, now, via),
          pump: () => this.#pump(),
          opened: (via, port) => this.#machine.handleOpened?.(via, port),
          sent: (bytes) => this.#countExtra(bytes),
          failed: () => this.stats.receiveErrors++,
        },
      });
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  #countExtra(bytes: number | undefined): void {
    if (bytes === undefined) this.stats.sendErrors++;
    else {
      this.stats.sent++;
      this.stats.sentBytes += bytes;
    }
  }

  #deliver(from: Endpoint, data: Uint8Array, now: number, via = 0): void {
    if (this.#closed) return;
    this.stats.received++;
    this.stats.receivedBytes += data.length;
    try {
      this.#machine.handleDatagram(from, data, now, via);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Hands out events, sends unless that is under way, feeds a deadline that has passed, and sets the timer. */
  #pump(): void {
    if (this.#closed || this.#pumping) return;
    this.#flush();
    let due = this.#nextDue();
    if (due !== undefined && due <= this.#options.clock.now()) {
      this.#feed();
      this.#flush();
      due = this.#nextDue();
    }
    if (this.#closed) return;
    this.#timer.set(due);
    this.#trimmer.note(this.stats.sentBytes + this.stats.receivedBytes);
  }

  /** What is handed out and what is sent may bring more of both. */
  #flush(): void {
    this.#drainEvents();
    while (!this.#closed && !this.#sending && this.#sendAll() && this.#drainEvents());
  }

  /** As `#pump`, when most likely a deadline is what there is to do. */
  #expire(): void {
    const due = this.#nextDue();
    if (due !== undefined && due <= this.#options.clock.now()) this.#feed();
    this.#pump();
  }

  #nextDue(): number | undefined {
    let due: number | undefined;
    this.#guard(() => due = this.#machine.pollTimeout());
    return due;
  }

  #feed(): void {
    if (this.#closed) return;
    this.#pumping = true;
    this.#guard(() => this.#machine.handleTimeout(this.#options.clock.now()));
    this.#pumping = false;
  }

  /** Returns whether there were any. */
  #drainEvents(): boolean {
    let any = false;
    this.#pumping = true;
    this.#guard(() => {
      for (let event = this.#nextEvent(); event !== undefined; event = this.#nextEvent()) {
        any = true;
        this.#options.onEvent?.(event);
      }
    });
    this.#pumping = false;
    return any;
  }

  #nextEvent(): Event | undefined {
    return this.#closed ? undefined : this.#machine.pollEvent();
  }

  /** Sends until the machine has nothing more. Returns whether anything was sent, as far as that is known at once. */
  #sendAll(): boolean {
    this.#sending = true;
    const outcome = this.#sender.run();
    if (typeof outcome === "boolean") {
      this.#endSending();
      return outcome;
    }
    outcome.then((sent) => {
      this.#endSending();
      if (sent) this.#pump();
    });
    return false;
  }

  #endSending(): void {
    this.#sending = false;
    if (this.#closed) this.#settleWhenQuiet();
  }

  #fill(batch: Transmit[], size: number): void {
    try {
      // The sender asks for more when the kernel has all that it asked for before.
      this.#machine.reuse?.();
      const now = this.#options.clock.now();
      while (batch.length < size && !this.#closed && !this.#extra.isFull) {
        const transmit = this.#machine.pollTransmit(now);
        if (transmit === undefined) break;
        if (this.#options.divert?.(transmit) === true) continue;
        if (transmit.via === undefined || transmit.via === 0) batch.push(transmit);
        else this.#extra.send(transmit.via, transmit);
      }
      this.#releaseExtra();
    } catch (error) {
      this.#fail(error);
    }
  }

  #releaseExtra(): void {
    const { pollClose } = this.#machine;
    if (pollClose === undefined) return;
    for (let via = pollClose.call(this.#machine); via !== undefined; via = pollClose.call(this.#machine)) {
      this.#extra.release(via);
    }
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.close();
  }

  #settleWhenQuiet(): void {
    if (this.#receiving || this.#sending) return;
    if (this.#failure === undefined) this.#settle.resolve();
    else this.#settle.reject(this.#failure.error);
  }
}
