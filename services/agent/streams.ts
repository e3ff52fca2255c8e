/**
 * Streams of the node as objects to read from and write to.
 */

import type { CloseReason } from "../../lib/core/stream/state.ts";
import type { PortsEvent } from "../../lib/core/stream/ports.ts";
import type { Node } from "../../lib/core/node.ts";
import { pause } from "../../lib/io/pause.ts";
import type { Address } from "../../lib/wire/address.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { AgentListener, AgentStream } from "./api.ts";

/** Access to the node: `act` runs a step with the present time, takes its consequences and sends what follows. */
export interface NodeAccess {
  readonly node: Node;
  act<Result>(step: (node: Node, now: number) => Result): Result;
}

/** Inbound streams that may wait for their listener to take them; a further one is reset. */
const BACKLOG = 64;
/** How long an orderly end may take before the stream is given up, milliseconds. */
const CLOSE_WAIT_MS = 5_000;
/** The same when the whole agent stops. */
const STOP_WAIT_MS = 1_000;

class OpenStream implements AgentStream {
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

class Listener implements AgentListener {
  readonly port: number;
  readonly #release: () => void;
  readonly #waiting: AgentStream[] = [];
  #takers: ((stream: AgentStream | null) => void)[] = [];
  #isClosed = false;

  constructor(port: number, release: () => void) {
    this.port = port;
    this.#release = release;
  }

  accept(): Promise<AgentStream | null> {
    const stream = this.#waiting.shift();
    if (stream !== undefined) return Promise.resolve(stream);
    if (this.#isClosed) return Promise.resolve(null);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
    for (const stream of this.#waiting.splice(0)) stream.abort();
    for (const taker of this.#takers.splice(0)) taker(null);
  }

  offer(stream: AgentStream): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) taker(stream);
    else if (this.#isClosed || this.#waiting.length >= BACKLOG) stream.abort();
    else this.#waiting.push(stream);
  }
}

interface Dial {
  readonly settle: (outcome: AgentStream | PilotError) => void;
}

/** All streams and listeners of an agent. */
export class Streams {
  readonly #access: NodeAccess;
  readonly #streams = new Map<number, OpenStream>();
  readonly #listeners = new Map<number, Listener>();
  readonly #dials = new Map<number, Dial>();

  constructor(access: NodeAccess) {
    this.#access = access;
  }

  /** Number of streams that are open or being opened. */
  get count(): number {
    return this.#streams.size;
  }

  get(id: number): AgentStream | undefined {
    return this.#streams.get(id);
  }

  /** @throws PilotError as `AgentApi.dial` says */
  async dial(remote: Address, port: number, options: { readonly signal: AbortSignal }): Promise<AgentStream> {
    const { signal } = options;
    if (signal.aborted) throw aborted();
    const { promise, resolve } = Promise.withResolvers<AgentStream | PilotError>();
    // The number is only known after `connect`, but events may come within it.
    const id = this.#access.act((node, now) => {
      const id = node.connect(remote, port, now);
      this.#dials.set(id, { settle: resolve });
      return id;
    });
    const localPort = this.#access.node.ports.get(id)?.local_port ?? 0;
    this.#streams.set(id, new OpenStream(this.#access, { id, localPort, remote, remotePort: port }));
    const cancel = () => {
      resolve(aborted());
      this.#access.act((node, now) => node.ports.abort(id, now));
    };
    signal.addEventListener("abort", cancel);
    const outcome = await promise;
    signal.removeEventListener("abort", cancel);
    this.#dials.delete(id);
    if (!(outcome instanceof PilotError)) return outcome;
    this.#streams.delete(id);
    throw outcome;
  }

  /** @throws PilotError `already_exists` */
  listen(port: number): AgentListener {
    if (!this.#access.act((node) => node.ports.listen(port))) {
      throw new PilotError("already_exists", `port ${port} already bound`, {
        hint: "another program or a built-in service listens there",
      });
    }
    const listener = new Listener(port, () => {
      this.#listeners.delete(port);
      this.#access.act((node) => node.ports.unlisten(port));
    });
    this.#listeners.set(port, listener);
    return listener;
  }

  /** A dial came to nothing before its stream had an answer. */
  failDial(id: number, error: PilotError): void {
    this.#dials.get(id)?.settle(error);
  }

  handle(event: PortsEvent): void {
    if (event.type === "accepted") return this.#accept(event);
    const stream = this.#streams.get(event.id);
    stream?.handle(event);
    const dial = this.#dials.get(event.id);
    if (dial !== undefined && event.type === "connected" && stream !== undefined) dial.settle(stream);
    if (event.type !== "closed") return;
    dial?.settle(dialError(event.reason));
    this.#streams.delete(event.id);
  }

  /** Ends everything: listeners close, streams end in order within a bounded time, and else at once. */
  async close(): Promise<void> {
    for (const listener of [...this.#listeners.values()]) listener.close();
    for (const dial of [...this.#dials.values()]) dial.settle(aborted());
    const streams = [...this.#streams.values()];
    const patience = new AbortController();
    const ended = Promise.all(streams.map((stream) => stream.close())).then(() => patience.abort());
    await pause(STOP_WAIT_MS, patience.signal);
    for (const stream of streams) stream.abort();
    await ended;
  }

  #accept(event: Extract<PortsEvent, { type: "accepted" }>): void {
    const stream = new OpenStream(this.#access, {
      id: event.id,
      localPort: event.port,
      remote: event.remote,
      remotePort: event.remotePort,
    });
    const listener = this.#listeners.get(event.port);
    if (listener === undefined) return this.#access.act((node, now) => node.ports.abort(event.id, now));
    this.#streams.set(event.id, stream);
    this.#access.act((node) => node.ports.take(event.id));
    listener.offer(stream);
  }
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

function dialError(reason: CloseReason): PilotError {
  if (reason === "timeout" || reason === "unreachable" || reason === "idle") {
    return new PilotError("timeout", "dial timeout", {
      hint: "the peer is offline, out of reach, or does not trust this agent",
    });
  }
  return new PilotError("connection_failed", reason === "aborted" ? "dial cancelled" : "connection refused", {
    hint: "nothing listens on that port of the peer",
  });
}

function aborted(): PilotError {
  return new PilotError("connection_failed", "dial cancelled");
}
