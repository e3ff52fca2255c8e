/** One reliable stream to a peer, as a program sees it. */

import type { Address } from "../wire/address.ts";
import { PilotError } from "../wire/error.ts";
import { encodeIpcRequest } from "../wire/ipc.ts";
import { AsyncQueue } from "./async_queue.ts";
import type { Channel, StreamSink } from "./channel.ts";
import {
  creditMessage,
  END_REASONS,
  type EndReason,
  HALF_CLOSE,
  HALF_CLOSED,
  INITIAL_CREDIT,
  SEND_OVERHEAD,
} from "./extensions.ts";
import { limited, type WaitOptions, within } from "../io/waiting.ts";

/** Bytes of one Send to an agent of our kind, and to any. */
const MAX_SEND = 128 * 1024;
const MAX_PLAIN_SEND = 64 * 1024;

/** Bytes kept for a program that does not read, when the agent cannot be told to pause. */
const MAX_UNREAD = 16 * 1024 * 1024;

/** Milliseconds that `close` waits for what was written to be on its way. */
const CLOSE_MS = 60_000;

/** What a stream is made from. */
export interface StreamParts {
  readonly id: number;
  readonly remote: Address;
  readonly remotePort: number;
  /** `undefined` when the agent does not tell. */
  readonly localPort: number | undefined;
  readonly localAddress: Address | undefined;
  /** Called once when the stream needs its channel no more; `isDone` when the agent is done with the stream, too. */
  readonly release: (isDone: boolean) => void;
}

/**
 * A stream of bytes in both directions. Reads and writes are independent; several writes at a time are carried out
 * one after the other.
 */
export class ClientStream implements AsyncDisposable {
  /** The agent's number of this stream. */
  readonly id: number;
  /** Address of the peer. */
  readonly remote: Address;
  readonly remotePort: number;
  /** Own virtual port, `undefined` when the agent does not tell. */
  readonly localPort: number | undefined;
  /** Own address, `undefined` when the agent does not tell. */
  readonly localAddress: Address | undefined;
  readonly #channel: Channel;
  readonly #release: (isDone: boolean) => void;
  readonly #buffer = new AsyncQueue<Uint8Array>((chunk) => chunk.length);
  #answered = Promise.withResolvers<void>();
  #lane: Promise<unknown> = Promise.resolve();
  /** Writes under way. */
  #steps = 0;
  #consumed = 0;
  #sendCredit: number;
  #creditChanged: (() => void) | undefined;
  #sendError: PilotError | undefined;
  #writeEnded = false;
  #closing: Promise<void> | undefined;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  /** Programs get streams from `AgentClient.dial` and `ClientListener.accept`. */
  constructor(channel: Channel, parts: StreamParts) {
    this.#channel = channel;
    this.id = parts.id;
    this.remote = parts.remote;
    this.remotePort = parts.remotePort;
    this.localPort = parts.localPort;
    this.localAddress = parts.localAddress;
    this.#release = parts.release;
    this.#sendCredit = channel.extended ? INITIAL_CREDIT : Infinity;
    channel.attach(parts.id, this.#sink());
  }

  /**
   * The next bytes, at least one, in order; `null` after the peer's end or after `close`.
   *
   * @throws PilotError `connection_failed` when the stream was reset, `timeout`, `not_running`
   */
  async read(options: WaitOptions = {}): Promise<Uint8Array | null> {
    const { signal, timeoutMs } = options;
    let chunk = signal?.aborted ? undefined : this.#buffer.take();
    if (chunk === undefined) {
      chunk = signal === undefined && timeoutMs === undefined
        ? await this.#buffer.next()
        : await limited("read", options, (limit) => this.#buffer.next(limit));
    }
    if (chunk !== null) this.#grant(chunk.length);
    return chunk;
  }

  /**
   * Sends all of `data`. Resolves when the agent has room for more (backpressure), not when the peer has it; `data`
   * may be reused then.
   *
   * @throws PilotError when the stream is closed or an earlier write failed; `timeout` leaves open how much was sent
   */
  write(data: Uint8Array, options: WaitOptions = {}): Promise<void> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#writeEnded) {
      return Promise.reject(this.#sendError ?? new PilotError("invalid_state", "the stream is closed"));
    }
    if (this.#writeNow(data)) return Promise.resolve();
    const work = this.#lane.then(() => this.#write(data, options.signal));
    this.#steps++;
    const settled = () => void this.#steps--;
    this.#lane = work.then(settled, settled);
    return within(work, "write", options);
  }

  /**
   * Ends the sending side after everything written; what the peer sends can still be read. With agents that know no
   * half-closed streams the peer learns of the end at `close`.
   */
  async closeWrite(): Promise<void> {
    if (this.#writeEnded) return;
    this.#writeEnded = true;
    await this.#lane;
    if (this.#closing !== undefined) return;
    if (this.#buffer.ended) return await this.#finish(CLOSE_MS);
    if (this.#channel.extended) this.#postClose(HALF_CLOSE);
  }

  /**
   * Ends the stream: everything written is on its way, nothing more is read. Waiting reads give `null`. Resolves when
   * the agent has taken everything, at the latest after a minute or `timeoutMs`; a second call waits for the first.
   */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#buffer.clear();
    this.#buffer.end();
    return this.#finish(options.timeoutMs ?? CLOSE_MS);
  }

  /** Closes the stream at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The incoming bytes chunk by chunk, until the peer's end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.read(); chunk !== null; chunk = await this.read()) yield chunk;
  }

  /** The incoming bytes as a web stream: read only as fast as it is read. Cancelling closes the stream. */
  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const chunk = await this.read();
        if (chunk === null) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
  }

  /** The outgoing bytes as a web stream with backpressure. Closing it ends the sending side only. */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream<Uint8Array>({
      write: (chunk) => this.write(chunk),
      close: () => this.closeWrite(),
      abort: () => this.close(),
    });
  }

  #sink(): StreamSink {
    return {
      received: (data) => {
        if (this.#closing !== undefined) return;
        this.#buffer.push(data);
        if (this.#channel.extended || this.#buffer.weight <= MAX_UNREAD) return;
        this.#buffer.end(
          new PilotError("too_large", `more than ${MAX_UNREAD} bytes came in and were not read`),
        );
        void this.close();
      },
      closeOk: (reason) => {
        if (reason === HALF_CLOSED) return;
        this.#buffer.end(endError(reason));
        this.#answered.resolve();
        // The peer has ended and so have we: nothing is left to do.
        if (this.#writeEnded) void this.#finish(CLOSE_MS);
      },
      credit: (bytes) => {
        this.#sendCredit += bytes;
        this.#wakeWriter();
      },
      sendFailed: (error) => this.#failSends(error),
      lost: (error) => {
        this.#failSends(error);
        this.#buffer.end(error);
        this.#answered.resolve();
      },
    };
  }

  /** Sends a small piece at once when nothing stands in the way. */
  #writeNow(data: Uint8Array): boolean {
    if (this.#steps > 0 || this.#sendCredit <= 0 || this.#sendError !== undefined) return false;
    if (!this.#channel.offerData(this.id, data)) return false;
    this.#sendCredit -= data.length + SEND_OVERHEAD;
    return true;
  }

  async #write(data: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const size = this.#channel.extended ? MAX_SEND : MAX_PLAIN_SEND;
    for (let at = 0; at < data.length; at += size) {
      while (this.#sendCredit <= 0 && this.#sendError === undefined) {
        await new Promise<void>((resolve) => this.#creditChanged = resolve);
      }
      if (this.#sendError !== undefined) throw this.#sendError;
      if (signal?.aborted) throw signal.reason;
      const part = data.length <= size ? data : data.subarray(at, at + size);
      this.#sendCredit -= part.length + SEND_OVERHEAD;
      await this.#channel.sendData(this.id, part);
    }
    if (this.#sendError !== undefined) throw this.#sendError;
  }

  #failSends(error: PilotError): void {
    this.#sendError ??= error;
    this.#wakeWriter();
  }

  #wakeWriter(): void {
    const changed = this.#creditChanged;
    this.#creditChanged = undefined;
    changed?.();
  }

  /** Closes both directions, keeping what was not read yet. */
  #finish(timeoutMs: number): Promise<void> {
    return this.#closing ??= this.#close(timeoutMs);
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#writeEnded = true;
    // An end notice may have come long ago; the answer to this Close is still to come.
    this.#answered = Promise.withResolvers<void>();
    const orderly = this.#lane.then(async () => {
      if (this.#channel.lost !== undefined) return false;
      this.#postClose();
      await this.#answered.promise;
      return true;
    });
    // Whatever has not been sent after that time is given up with the socket.
    const isDone = await within(orderly, "close", { timeoutMs }).catch(() => false);
    this.#failSends(new PilotError("invalid_state", "the stream is closed"));
    this.#release(isDone);
  }

  #postClose(extra?: number): void {
    const message = encodeIpcRequest({ kind: "close", connection: this.id });
    this.#channel.post(extra === undefined ? message : Uint8Array.of(...message, extra));
  }

  /** Lets the agent send more once a good part of the credit is used. */
  #grant(bytes: number): void {
    if (!this.#channel.extended) return;
    this.#consumed += bytes;
    if (this.#consumed < INITIAL_CREDIT / 4 || this.#buffer.ended) return;
    this.#channel.post(creditMessage(this.id, this.#consumed));
    this.#consumed = 0;
  }
}

const END_TEXTS: Readonly<Partial<Record<EndReason, string>>> = {
  reset: "the peer reset the stream",
  idle: "the stream was idle for too long",
  unreachable: "the peer stopped answering",
  timeout: "the peer stopped answering",
  aborted: "the stream was closed by this agent",
  refused: "connection refused",
};

function endError(reason: number | undefined): PilotError | undefined {
  const text = reason === undefined ? undefined : END_TEXTS[END_REASONS[reason] ?? "done"];
  return text === undefined ? undefined : new PilotError("connection_failed", text);
}
