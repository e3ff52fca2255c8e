/** Sends for a driver: pulls datagrams from the machine as fast as the kernel takes them, in order. */

import type { Transmit } from "../core/machine.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { turn } from "./driver_receive.ts";
import { type BatchSocket, type DatagramSocket, isBatchSocket } from "./driver_socket.ts";

/** Datagrams taken from the machine at once for a socket that sends batches. */
const BATCH = 64;
/** Events and timers of the machine get a turn at least every so many datagrams. */
const DATAGRAMS_PER_PUMP = 64;
/** Everything else in the process gets a turn at least every so many datagrams. */
const DATAGRAMS_PER_TURN = 512;

/** What a sender works for. */
export interface SendHooks {
  /** Adds what the machine wants to send now to `batch`, until that has `size` entries. */
  fill(batch: Transmit[], size: number): void;
  isClosed(): boolean;
  pump(): void;
}

/** Counters of what was sent. Bytes are UDP payload. */
export interface SendStats {
  sent: number;
  sentBytes: number;
  /** Datagrams the kernel refused (too long, no route, firewall). Dropped: UDP promises nothing. */
  sendErrors: number;
}

/** One socket and the one that fills it. */
export class Sender {
  readonly #socket: DatagramSocket;
  readonly #batchSocket: BatchSocket | undefined;
  readonly #isDualStack: boolean;
  readonly #hooks: SendHooks;
  readonly #stats: SendStats;
  readonly #batch: Transmit[] = [];
  #unpumped = 0;
  #sinceTurn = 0;

  constructor(
    socket: DatagramSocket,
    options: { readonly isDualStack: boolean; readonly hooks: SendHooks; readonly stats: SendStats },
  ) {
    this.#socket = socket;
    this.#batchSocket = isBatchSocket(socket) ? socket : undefined;
    this.#isDualStack = options.isDualStack;
    this.#hooks = options.hooks;
    this.#stats = options.stats;
  }

  /**
   * Sends until the machine has nothing more; at once where the kernel takes it, else the promise waits. Returns
   * whether anything was sent since the machine was pumped last.
   */
  run(): boolean | Promise<boolean> {
    while (this.#fill()) {
      const done = this.#sendNow(0);
      if (done < this.#batch.length) return this.#goOn(done);
      this.#count(this.#batch.length);
      if (this.#sinceTurn >= DATAGRAMS_PER_TURN) return this.#goOn(this.#batch.length);
    }
    return this.#finish();
  }

  /** As `run`, beginning in the middle of a batch, and waiting where necessary. */
  async #goOn(start: number): Promise<boolean> {
    let done = start;
    let counted = start === this.#batch.length;
    do {
      // Waiting for room, or for what is wrong with the first of the rest.
      while (done < this.#batch.length && !this.#hooks.isClosed()) {
        await this.#sendOne(this.#batch[done]);
        done++;
        done += this.#sendNow(done);
      }
      if (!counted) this.#count(this.#batch.length);
      counted = false;
      if (this.#sinceTurn >= DATAGRAMS_PER_TURN) {
        this.#sinceTurn = 0;
        // A runtime's send gives way by itself.
        if (this.#batchSocket !== undefined) await turn();
      }
      const more = this.#fill();
      if (!more) break;
      done = this.#sendNow(0);
    } while (!this.#hooks.isClosed());
    return this.#finish();
  }

  #finish(): boolean {
    const sent = this.#unpumped > 0;
    this.#unpumped = 0;
    this.#batch.length = 0;
    return sent;
  }

  #fill(): boolean {
    this.#batch.length = 0;
    this.#hooks.fill(this.#batch, this.#batchSocket === undefined ? 1 : BATCH);
    return this.#batch.length > 0;
  }

  /** Making packets may bring events and deadlines, hence the pump. */
  #count(datagrams: number): void {
    this.#unpumped += datagrams;
    this.#sinceTurn += datagrams;
    if (this.#unpumped < DATAGRAMS_PER_PUMP) return;
    this.#unpumped = 0;
    this.#hooks.pump();
  }

  /** Sends from index `start` on what goes without waiting, and returns how many datagrams that were. */
  #sendNow(start: number): number {
    const batch = this.#batch;
    if (this.#batchSocket === undefined || start >= batch.length) return 0;
    const count = this.#batchSocket.sendBatch(batch, start);
    this.#stats.sent += count;
    for (let i = start; i < start + count; i++) this.#stats.sentBytes += batch[i]?.data.length ?? 0;
    return count;
  }

  async #sendOne(transmit: Transmit | undefined): Promise<void> {
    if (transmit === undefined) return;
    try {
      await this.#socket.send(transmit.data, this.#toAddr(transmit.to));
      this.#stats.sent++;
      this.#stats.sentBytes += transmit.data.length;
    } catch {
      this.#stats.sendErrors++;
    }
  }

  #toAddr(to: Endpoint): Deno.NetAddr {
    const hostname = this.#isDualStack && !to.host.includes(":") ? `::ffff:${to.host}` : to.host;
    return { transport: "udp", hostname, port: to.port };
  }
}
