/** Receives for a driver: waits for datagrams, takes all that are there, and says when the machine should be pumped. */

import { setImmediate } from "node:timers";
import type { Instant } from "../core/machine.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { type BatchSocket, type DatagramSocket, isBatchSocket, toEndpoint } from "./driver_socket.ts";

/** Largest UDP payload (RFC 768: a 16-bit length). */
const MAX_DATAGRAM = 65_535;
/** The machine gets a turn at least every so many datagrams: acknowledgements must not wait for a long batch. */
const DATAGRAMS_PER_PUMP = 64;
/** Steps that a receive of the runtime needs to complete when a datagram is there already. */
const READY_STEPS = 8;
/** From this many datagrams in one batch on, asking again beats waiting to be told. */
const BUSY_BATCH = 4;
/** Turns without a datagram after which a busy socket is quiet again; each takes two or three microseconds. */
const QUIET_TURNS = 16;

/** Pause after a failed receive in milliseconds, so that a broken socket cannot spin. */
const RETRY_MS = 10;

/** What a receiver works for. What it delivers is lent until `deliver` returns. */
export interface ReceiveHooks {
  now(): Instant;
  isClosed(): boolean;
  deliver(from: Endpoint, data: Uint8Array, now: Instant): void;
  pump(): void;
}

/** One socket and the one that listens to it. */
export class Receiver {
  readonly #socket: DatagramSocket;
  readonly #hooks: ReceiveHooks;
  readonly #buffer: Uint8Array;
  #unpumped = 0;
  /** The time of the batch: what waited in the socket has arrived before. */
  #now: Instant = 0;
  readonly #sink = (from: Endpoint, data: Uint8Array): void => {
    if (this.#hooks.isClosed()) return;
    this.#hooks.deliver(from, data, this.#now);
    if (++this.#unpumped >= DATAGRAMS_PER_PUMP) this.#pump();
  };

  /** Datagrams above `bufferSize` bytes are cut. */
  constructor(socket: DatagramSocket, hooks: ReceiveHooks, bufferSize = MAX_DATAGRAM) {
    this.#socket = socket;
    this.#hooks = hooks;
    this.#buffer = new Uint8Array(bufferSize);
  }

  /** Receives until the driver is closed. `failed` is told whenever the socket fails. */
  async run(failed: () => void): Promise<void> {
    while (!this.#hooks.isClosed()) {
      try {
        await (isBatchSocket(this.#socket) ? this.#runBatches(this.#socket) : this.#runSingle());
      } catch {
        // Windows reports the ICMP errors of earlier sends here; none of them says that the socket is unusable.
        if (this.#hooks.isClosed()) return;
        failed();
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Receives one by one; the machine is pumped when nothing more is there at once. */
  async #runSingle(): Promise<void> {
    while (!this.#hooks.isClosed()) {
      const next = this.#socket.receive(this.#buffer);
      if (this.#unpumped > 0 && !await isReady(next)) this.#pump();
      this.#take(await next);
    }
  }

  /** Waits by means of the runtime, takes what is behind the first datagram in batches. */
  async #runBatches(socket: BatchSocket): Promise<void> {
    while (!this.#hooks.isClosed()) {
      this.#take(await socket.receive(this.#buffer));
      const count = this.#drain(socket);
      this.#pump();
      if (count >= BUSY_BATCH) await this.#runBusy(socket);
    }
  }

  /** While datagrams are many: asks again and again, and lets the kernel join them meanwhile. */
  async #runBusy(socket: BatchSocket): Promise<void> {
    socket.startJoining();
    do {
      for (let quiet = 0; quiet < QUIET_TURNS && !this.#hooks.isClosed(); quiet++) {
        await turn();
        if (this.#drain(socket) === 0) continue;
        this.#pump();
        quiet = -1;
      }
    } while (!socket.stopJoining());
  }

  #drain(socket: BatchSocket): number {
    this.#now = this.#hooks.now();
    return socket.receiveBatch(this.#sink);
  }

  #take([view, from]: [Uint8Array, Deno.Addr]): void {
    this.#now = this.#hooks.now();
    this.#sink(toEndpoint(from), view);
  }

  #pump(): void {
    this.#unpumped = 0;
    this.#hooks.pump();
  }
}

/** Lets everything else in the process go on, without waiting. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whether a promise settles within a few steps, that is without waiting for the system. */
async function isReady(promise: Promise<unknown>): Promise<boolean> {
  let ready = false;
  const settle = () => {
    ready = true;
  };
  promise.then(settle, settle);
  for (let step = 0; step < READY_STEPS && !ready; step++) await undefined;
  return ready;
}
