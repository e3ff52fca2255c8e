/**
 * The sockets of a driver beside its main one: those it was told to bind, and those that the machine opens by sending
 * from them (`Transmit.via`).
 */

import type { Instant, Transmit } from "../core/machine.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { Receiver } from "./driver_receive.ts";
import { type DatagramSocket, openSocket, toEndpoint } from "./driver_socket.ts";

/** Datagrams that may wait in one socket before the machine is asked for no more. */
const BACKLOG = 64;
/** Sockets that a machine may have opened at a time. */
const MAX_OPENED = 1_024;
/** Largest datagram that an opened socket receives, bytes: they are many, and carry one path each. */
const OPENED_BUFFER = 2_048;

/** What the extra sockets work for. */
export interface ExtraHooks {
  now(): Instant;
  deliver(from: Endpoint, data: Uint8Array, now: Instant, via: number): void;
  pump(): void;
  /** The machine's socket `via` was opened, on this port. */
  opened(via: number, port: number): void;
  /** How one datagram ended: its bytes, or `undefined` when the kernel refused it. */
  sent(bytes: number | undefined): void;
  /** A socket failed to receive. */
  failed(): void;
}

interface Extra {
  readonly socket: DatagramSocket;
  readonly queue: Transmit[];
  sending: boolean;
  closed: boolean;
}

/** Extra sockets by the number that the machine knows them by. */
export class ExtraSockets {
  readonly #host: string;
  readonly #hooks: ExtraHooks;
  readonly #sockets = new Map<number, Extra>();
  #closed = false;

  /**
   * Binds `places` as the sockets 1, 2, ... at once, or takes those that are bound already; others are opened on
   * `host` when they are used.
   *
   * @throws {PilotError} as `openSocket`, after closing those already bound
   */
  constructor(
    options: {
      readonly host: string;
      readonly places: readonly (Endpoint | DatagramSocket)[];
      readonly hooks: ExtraHooks;
    },
  ) {
    this.#host = options.host;
    this.#hooks = options.hooks;
    try {
      options.places.forEach((place, index) =>
        this.#add(index + 1, "receive" in place ? place : openSocket(place))
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether some socket has as much to send as it should. */
  get isFull(): boolean {
    for (const { queue } of this.#sockets.values()) if (queue.length >= BACKLOG) return true;
    return false;
  }

  /** Sends from the socket `via`, in order with what it was given before; lost when no socket can be had. */
  send(via: number, transmit: Transmit): void {
    const extra = this.#sockets.get(via) ?? this.#open(via);
    if (extra === undefined) return this.#hooks.sent(undefined);
    // It may wait here until after the machine uses its memory again.
    extra.queue.push({ ...transmit, data: transmit.data.slice() });
    if (!extra.sending) this.#drain(extra);
  }

  /** Closes one socket. */
  release(via: number): void {
    const extra = this.#sockets.get(via);
    if (extra === undefined) return;
    this.#sockets.delete(via);
    extra.closed = true;
    extra.queue.length = 0;
    extra.socket.close();
  }

  close(): void {
    this.#closed = true;
    for (const via of [...this.#sockets.keys()]) this.release(via);
  }

  #open(via: number): Extra | undefined {
    if (this.#closed || this.#sockets.size >= MAX_OPENED) return undefined;
    try {
      // One path each: batches would not pay.
      const extra = this.#add(via, openSocket({ host: this.#host, port: 0, udp: "deno" }), OPENED_BUFFER);
      this.#hooks.opened(via, toEndpoint(extra.socket.addr).port);
      return extra;
    } catch {
      return undefined;
    }
  }

  #add(via: number, socket: DatagramSocket, bufferSize?: number): Extra {
    const extra: Extra = { socket, queue: [], sending: false, closed: false };
    this.#sockets.set(via, extra);
    const receiver = new Receiver(socket, {
      now: () => this.#hooks.now(),
      isClosed: () => extra.closed,
      deliver: (from, data, now) => this.#hooks.deliver(from, data, now, via),
      pump: () => this.#hooks.pump(),
    }, bufferSize);
    receiver.run(this.#hooks.failed);
    return extra;
  }

  async #drain(extra: Extra): Promise<void> {
    extra.sending = true;
    const isDualStack = toEndpoint(extra.socket.addr).host === "::";
    for (let next = extra.queue.shift(); next !== undefined; next = extra.queue.shift()) {
      const { host, port } = next.to;
      const hostname = isDualStack && !host.includes(":") ? `::ffff:${host}` : host;
      try {
        await extra.socket.send(next.data, { transport: "udp", hostname, port });
        this.#hooks.sent(next.data.length);
      } catch {
        this.#hooks.sent(undefined);
      }
    }
    extra.sending = false;
    if (!extra.closed) this.#hooks.pump();
  }
}
