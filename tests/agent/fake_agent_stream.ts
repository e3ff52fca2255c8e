/** A stream in memory, between two agents that are only pretended. */

import type { CloseReason } from "../../lib/core/stream/state.ts";
import type { Address } from "../../lib/wire/address.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { AgentStream } from "../../services/agent/api.ts";

/** Bytes in flight in one direction before `write` waits. */
const PIPE_SIZE = 256 * 1024;

/** Whom a stream belongs to. */
export interface FakeOwner {
  readonly streams: Map<number, FakeStream>;
}

/** One end of a stream; `peer` is the other. */
export class FakeStream implements AgentStream {
  readonly id: number;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
  readonly closed: Promise<CloseReason>;
  peer: FakeStream | undefined;
  /** Number of calls of `close`. */
  closes = 0;
  readonly #agent: FakeOwner;
  readonly #over = Promise.withResolvers<CloseReason>();
  readonly #chunks: Uint8Array[] = [];
  #buffered = 0;
  #sendEnded = false;
  #receiveEnded = false;
  #reset: CloseReason | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(
    agent: FakeOwner,
    ends: { id: number; localPort: number; remote: Address; remotePort: number },
  ) {
    this.#agent = agent;
    this.id = ends.id;
    this.localPort = ends.localPort;
    this.remote = ends.remote;
    this.remotePort = ends.remotePort;
    this.closed = this.#over.promise;
    agent.streams.set(this.id, this);
  }

  /** Bytes that this end has not read yet. */
  get buffered(): number {
    return this.#buffered;
  }

  /** A piece of any size arrives at this end. */
  inject(piece: Uint8Array): void {
    this.#chunks.push(piece);
    this.#buffered += piece.length;
    this.#change();
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#reset !== undefined) throw new PilotError("connection_failed", "connection reset");
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#buffered -= chunk.length;
        this.#change();
        return chunk;
      }
      if (this.#receiveEnded) return null;
      await this.#changed.promise;
    }
  }

  async readBatch(bytes: number): Promise<readonly Uint8Array[] | null> {
    const first = await this.read();
    if (first === null) return null;
    const pieces = [first];
    for (let total = first.length; total < bytes && this.#chunks.length > 0;) {
      const next = await this.read();
      if (next === null) break;
      pieces.push(next);
      total += next.length;
    }
    return pieces;
  }

  /** Ruins what is given back, so that whoever still needs it notices. */
  giveBack(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) piece.fill(0xee);
  }

  async write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += 4096) {
      const { peer } = this;
      while (
        !this.#sendEnded && this.#reset === undefined && peer !== undefined && peer.#buffered >= PIPE_SIZE
      ) {
        await peer.#changed.promise;
      }
      if (this.#sendEnded || this.#reset !== undefined) {
        throw new PilotError("connection_failed", "connection closed");
      }
      const chunk = data.slice(at, at + 4096);
      if (peer === undefined) continue;
      peer.#chunks.push(chunk);
      peer.#buffered += chunk.length;
      peer.#change();
    }
  }

  async close(): Promise<void> {
    this.closes++;
    this.#sendEnded = true;
    if (this.peer !== undefined) {
      this.peer.#receiveEnded = true;
      this.peer.#change();
      this.peer.#settle();
    }
    this.#settle();
    await this.closed;
  }

  abort(): void {
    this.end("aborted");
    this.peer?.end("reset");
  }

  /** Ends at once for this reason. */
  end(reason: CloseReason): void {
    this.#reset ??= reason;
    this.#finish(reason);
  }

  #settle(): void {
    if (this.#sendEnded && this.#receiveEnded) this.#finish("done");
  }

  #finish(reason: CloseReason): void {
    this.#over.resolve(reason);
    this.#agent.streams.delete(this.id);
    this.#change();
  }

  #change(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    changed.resolve();
  }
}
