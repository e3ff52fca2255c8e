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

export type { BatchSocket, DatagramSocket, UdpMode };

/** Longest sleep of the timer in milliseconds: runtime timers stop during suspend, so the clock is read this often. */
const MAX_SLEEP_MS = 2000;
/** Pause after a failed receive in milliseconds, so that a broken socket cannot spin. */
const RECEIVE_RETRY_MS = 10;

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
  /** Gives the machine its time. */
  readonly clock: { now(): number };
  /** Called for every event of the machine; may call the machine's API without `wake()`. */
  readonly onEvent?: (event: Event) => void;
  /** Replaces the socket, for tests. */
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
  readonly #settle = Promise.withResolvers<void>();
  #timer: { readonly id: ReturnType<typeof setTimeout>; readonly due: number } | undefined;
  #cutPause: (() => void) | undefined;
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
    this.finished = this.#settle.promise;
    this.#receiveAll();
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

  /** Releases the socket and the timer at once. What the machine still wanted to send is not sent. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#clearTimer();
    this.#cutPause?.();
    this.#socket.close();
    this.#settleWhenQuiet();
  }

  async #receiveAll(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#receiver.run();
      } catch {
        // Windows reports the ICMP errors of earlier sends here; none of them says that the socket is unusable.
        if (this.#closed) break;
        this.stats.receiveErrors++;
        await this.#pause(RECEIVE_RETRY_MS);
      }
    }
    this.#receiving = false;
    this.#settleWhenQuiet();
  }

  #deliver(from: Endpoint, data: Uint8Array, now: number): void {
    this.stats.received++;
    this.stats.receivedBytes += data.length;
    try {
      this.#machine.handleDatagram(from, data, now);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Feeds a due timer, drains events, starts sending unless it is under way, and sets the timer. */
  #pump(): void {
    if (this.#closed || this.#pumping) return;
    this.#pumping = true;
    this.#guard(() => {
      this.#feedTimer();
      this.#drainEvents();
    });
    this.#pumping = false;
    if (!this.#closed && !this.#sending) this.#sendAll();
    if (!this.#closed) this.#guard(() => this.#setTimer());
  }

  #feedTimer(): void {
    const due = this.#machine.pollTimeout();
    if (due === undefined) return;
    const now = this.#options.clock.now();
    if (due <= now) this.#machine.handleTimeout(now);
  }

  #drainEvents(): void {
    while (!this.#closed) {
      const event = this.#machine.pollEvent();
      if (event === undefined) return;
      this.#options.onEvent?.(event);
    }
  }

  /** Sends until the machine has nothing more. Making packets may bring events and deadlines, hence the pumps. */
  #sendAll(): void {
    this.#sending = true;
    const outcome = this.#sender.run();
    if (typeof outcome === "boolean") this.#endSending(outcome);
    else outcome.then((sent) => this.#endSending(sent));
  }

  #endSending(sent: boolean): void {
    this.#sending = false;
    if (this.#closed) this.#settleWhenQuiet();
    else if (sent) this.#pump();
  }

  #fill(batch: Transmit[], size: number): void {
    try {
      const now = this.#options.clock.now();
      while (batch.length < size && !this.#closed) {
        const transmit = this.#machine.pollTransmit(now);
        if (transmit === undefined) return;
        batch.push(transmit);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #setTimer(): void {
    const due = this.#machine.pollTimeout();
    if (due === undefined) return this.#clearTimer();
    // A timer that fires early costs less than setting it anew for every datagram.
    if (this.#timer !== undefined && this.#timer.due <= due) return;
    this.#clearTimer();
    const now = this.#options.clock.now();
    const sleep = Math.min(MAX_SLEEP_MS, Math.max(1, Math.ceil(due - now)));
    const id = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, sleep);
    this.#timer = { id, due: now + sleep };
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer.id);
    this.#timer = undefined;
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

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const id = setTimeout(resolve, ms);
    this.#cutPause = () => {
      clearTimeout(id);
      resolve();
    };
    await promise;
    this.#cutPause = undefined;
  }
}
