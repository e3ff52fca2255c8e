/**
 * One stream of the node as an object to read from and write to.
 */

import type { Node } from "../../lib/core/node.ts";
import type { PortsEvent } from "../../lib/core/stream/ports.ts";
import type { CloseReason } from "../../lib/core/stream/state.ts";
import type { Address } from "../../lib/wire/address.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { AgentStream } from "./api.ts";
import type { NodeAccess } from "./node_access.ts";

/** How long an orderly end may take before the stream is given up, milliseconds. */
const CLOSE_WAIT_MS = 5_000;

/** A stream from its dial or accept to its end. */
export class OpenStream implements AgentStream {
  readonly id: number;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
  readonly closed: Promise<CloseReason>;
  readonly #access: NodeAccess;
  readonly #settleClosed: (reason: CloseReason) => void;
  #reason: CloseReason | undefined;
  #finished = false;
  #ended = false;
  /** Counts events: a wait begins only when none came since the look that found nothing. */
  #news = 0;
  /** How many there were when a look had taken everything: until the next one there is nothing to look for. */
  #emptyAt = -1;
  #readers: (() => void)[] = [];
  #writers: (() => void)[] = [];
  #writes = 0;
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(
    access: NodeAccess,
    stream: Pick<AgentStream, "id" | "localPort" | "remote" | "remotePort">,
  ) {
    this.#access = access;
    this.id = stream.id;
    this.localPort = stream.localPort;
    this.remote = stream.remote;
    this.remotePort = stream.remotePort;
    const { promise, resolve } = Promise.withResolvers<CloseReason>();
    this.closed = promise;
    this.#settleClosed = resolve;
  }

  read(): Promise<Uint8Array | null> {
    return this.#take((node, now) => node.ports.read(this.id, now));
  }

  readBatch(bytes: number): Promise<readonly Uint8Array[] | null> {
    return this.#take((node, now) => {
      const first = node.ports.read(this.id, now);
      if (first === undefined) return undefined;
      const pieces = [first];
      for (let total = first.length; total < bytes;) {
        const next = node.ports.read(this.id, now);
        if (next === undefined) {
          this.#emptyAt = this.#news;
          break;
        }
        pieces.push(next);
        total += next.length;
      }
      return pieces;
    });
  }

  giveBack(pieces: readonly Uint8Array[]): void {
    const { ports } = this.#access.node;
    for (const piece of pieces) ports.giveBack(piece);
  }

  write(data: Uint8Array): Promise<void> {
    // One write after the other: the bytes of two callers must not mix.
    const write = this.#writes === 0
      ? this.#writeAll(data)
      : this.#lastWrite.then(() => this.#writeAll(data));
    this.#writes++;
    const settled = () => void this.#writes--;
    this.#lastWrite = write.then(settled, settled);
    return write;
  }

  async close(): Promise<void> {
    await this.#lastWrite;
    if (this.#reason !== undefined) return;
    this.#ended = true;
    this.#access.act((node, now) => node.ports.shutdown(this.id, now));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_WAIT_MS));
    await Promise.race([this.closed, patience]);
    clearTimeout(timer);
  }

  abort(): void {
    if (this.#reason !== undefined) return;
    this.#access.act((node, now) => node.ports.abort(this.id, now));
  }

  handle(event: PortsEvent): void {
    if (event.type === "finished") this.#finished = true;
    if (event.type === "closed") {
      this.#reason = event.reason;
      this.#settleClosed(event.reason);
    }
    this.#news++;
    if (event.type !== "writable") wakeAll(this.#readers);
    if (event.type === "writable" || event.type === "closed") wakeAll(this.#writers);
  }

  /** What `look` finds in the stream, once it finds something; `null` at the end. */
  async #take<T>(look: (node: Node, now: number) => T | undefined): Promise<T | null> {
    for (;;) {
      const news = this.#news;
      if (this.#emptyAt !== news) {
        const found = this.#access.act(look);
        if (found !== undefined) return found;
        if (news !== this.#news) continue;
      }
      if (this.#finished || this.#reason === "done") return null;
      if (this.#reason !== undefined) throw closedError(this.#reason);
      await new Promise<void>((resolve) => this.#readers.push(resolve));
    }
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length;) {
      if (this.#reason !== undefined) throw closedError(this.#reason);
      if (this.#ended) throw new PilotError("invalid_state", "send: connection closed");
      const news = this.#news;
      const rest = offset === 0 ? data : data.subarray(offset);
      offset += this.#access.act((node, now) => node.ports.write(this.id, rest, now));
      if (offset < data.length && news === this.#news) {
        await new Promise<void>((resolve) => this.#writers.push(resolve));
      }
    }
  }
}

function wakeAll(waiting: (() => void)[]): void {
  for (const wake of waiting.splice(0)) wake();
}

function closedError(reason: CloseReason): PilotError {
  return reason === "done"
    ? new PilotError("invalid_state", "send: connection closed")
    : new PilotError("connection_failed", `connection ${WORDS[reason]}`);
}

const WORDS: Record<CloseReason, string> = {
  done: "closed",
  refused: "refused",
  reset: "reset by the peer",
  timeout: "timed out",
  unreachable: "lost: the peer no longer answers",
  idle: "closed after a long silence",
  aborted: "aborted",
};
