/**
 * Drives a state machine on a real UDP socket.
 *
 * One receive loop, one timer, and sends that are pulled from the machine only as fast as the kernel takes them: a
 * machine that makes its packets when asked (streams do) feels backpressure, and nothing queues here. One send is
 * awaited before the next begins, because the runtime completes concurrent sends in any order, often reversed; the
 * price is about a tenth of the throughput of pipelined ones.
 */

import type { Machine, Transmit } from "../core/machine.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { PilotError } from "../wire/error.ts";

/** Largest UDP payload (RFC 768: a 16-bit length). */
const MAX_DATAGRAM = 65_535;
/** Longest sleep of the timer in milliseconds: runtime timers stop during suspend, so the clock is read this often. */
const MAX_SLEEP_MS = 2000;
/** Pause after a failed receive in milliseconds, so that a broken socket cannot spin. */
const RECEIVE_RETRY_MS = 10;
/** Events and timers get a turn at least every so many sends. */
const SENDS_PER_PUMP = 64;

/** The part of a UDP socket that a driver uses; `Deno.listenDatagram` gives one. */
export interface DatagramSocket {
  readonly addr: Deno.Addr;
  receive(buffer?: Uint8Array): Promise<[Uint8Array, Deno.Addr]>;
  send(data: Uint8Array, to: Deno.Addr): Promise<number>;
  close(): void;
}

/** How to bind and what to do with events. */
export interface UdpDriverOptions<Event> {
  /** IP address to bind, default `0.0.0.0`. `::` serves IPv4 as well where the system allows it. */
  readonly host?: string;
  /** Port to bind; 0 (the default) lets the system choose. */
  readonly port?: number;
  /** Gives the machine its time. */
  readonly clock: { now(): number };
  /** Called for every event of the machine; may call the machine's API without `wake()`. */
  readonly onEvent?: (event: Event) => void;
  /** Replaces the socket, for tests. */
  readonly socket?: DatagramSocket;
}

/** Counters of one socket. Bytes are UDP payload. */
export interface UdpDriverStats {
  received: number;
  receivedBytes: number;
  sent: number;
  sentBytes: number;
  /** Datagrams the kernel refused (too long, no route, firewall). Dropped: UDP promises nothing. */
  sendErrors: number;
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
  readonly #mapped: boolean;
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
    this.#socket = options.socket ?? openSocket(options.host ?? "0.0.0.0", options.port ?? 0);
    this.endpoint = toEndpoint(this.#socket.addr);
    this.#mapped = this.endpoint.host === "::";
    this.finished = this.#settle.promise;
    this.#receiveAll();
    // Not at once: events must not come before the caller has the driver in hand.
    queueMicrotask(() => this.#pump());
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
    const buffer = new Uint8Array(MAX_DATAGRAM);
    while (!this.#closed) {
      try {
        const [view, from] = await this.#socket.receive(buffer);
        this.#receive(view, from);
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

  #receive(view: Uint8Array, from: Deno.Addr): void {
    if (this.#closed) return;
    this.stats.received++;
    this.stats.receivedBytes += view.length;
    // The machine may keep views, and the buffer is used again.
    const data = view.slice();
    this.#guard(() => this.#machine.handleDatagram(toEndpoint(from), data, this.#options.clock.now()));
    this.#pump();
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
  async #sendAll(): Promise<void> {
    this.#sending = true;
    let count = 0;
    let transmit = this.#nextTransmit();
    while (transmit !== undefined) {
      try {
        await this.#socket.send(transmit.data, this.#toAddr(transmit.to));
        this.stats.sent++;
        this.stats.sentBytes += transmit.data.length;
      } catch {
        this.stats.sendErrors++;
      }
      if (++count % SENDS_PER_PUMP === 0) this.#pump();
      transmit = this.#nextTransmit();
    }
    this.#sending = false;
    if (this.#closed) this.#settleWhenQuiet();
    else if (count > 0) this.#pump();
  }

  #nextTransmit(): Transmit | undefined {
    let transmit: Transmit | undefined;
    if (!this.#closed) this.#guard(() => transmit = this.#machine.pollTransmit(this.#options.clock.now()));
    return transmit;
  }

  #toAddr(to: Endpoint): Deno.NetAddr {
    const hostname = this.#mapped && !to.host.includes(":") ? `::ffff:${to.host}` : to.host;
    return { transport: "udp", hostname, port: to.port };
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
      this.#failure ??= { error };
      this.close();
    }
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

function openSocket(host: string, port: number): DatagramSocket {
  try {
    return Deno.listenDatagram({ transport: "udp", hostname: host, port });
  } catch (cause) {
    const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    if (cause instanceof Deno.errors.AddrInUse) {
      throw new PilotError("already_exists", `UDP port ${port} is already in use on ${host}`, {
        hint: "stop the program that uses it, or choose another port (0 lets the system choose)",
        cause,
      });
    }
    if (cause instanceof Deno.errors.AddrNotAvailable) {
      throw new PilotError("invalid_argument", `${host} is not an address of this computer`, {
        hint: "use 0.0.0.0 to listen on every IPv4 address",
        cause,
      });
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PilotError("connection_failed", `cannot open UDP socket ${where}: ${reason}`, { cause });
  }
}

function toEndpoint(addr: Deno.Addr): Endpoint {
  if (addr.transport !== "udp" && addr.transport !== "tcp") return { host: "0.0.0.0", port: 0 };
  const mapped = addr.hostname.startsWith("::ffff:") && addr.hostname.includes(".");
  return { host: mapped ? addr.hostname.slice(7) : addr.hostname, port: addr.port };
}
