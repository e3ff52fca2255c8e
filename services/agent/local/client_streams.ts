/** The streams and listeners of one local client. */

import { HALF_CLOSE } from "../../../lib/client/extensions.ts";
import type { MessageWriter } from "../../../lib/io/message_writer.ts";
import type { Address } from "../../../lib/wire/address.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import { encodeIpcReply } from "../../../lib/wire/ipc.ts";
import type { AgentApi, AgentListener, AgentStream } from "../api.ts";
import { callFailure, dialFailure, type Failure } from "./failures.ts";
import type { LocalLimits } from "./limits.ts";
import { OwnedStream } from "./owned_stream.ts";
import { acceptPush, closeReply, dialReply } from "./replies.ts";
import type { Outcome } from "./reply_queue.ts";

/** All streams that belong to some client, by number. */
export type StreamTable = Map<number, OwnedStream>;

/** What the streams need of their client. */
export interface StreamsClient {
  readonly writer: MessageWriter;
  readonly extended: boolean;
  localAddress(): Address | undefined;
  failed(failure: Failure): Outcome;
}

/** What the streams need of the agent. */
export interface StreamsOptions {
  readonly api: AgentApi;
  readonly limits: LocalLimits;
  readonly table: StreamTable;
}

/** Owns what one client dialled, accepted and bound. */
export class ClientStreams {
  readonly #client: StreamsClient;
  readonly #options: StreamsOptions;
  readonly #streams = new Map<number, OwnedStream>();
  readonly #listeners = new Map<number, AgentListener>();
  readonly #dials = new Set<AbortController>();
  #drain: ReturnType<typeof setTimeout> | undefined;
  #gone = false;

  constructor(client: StreamsClient, options: StreamsOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Number of streams that are not over. */
  get count(): number {
    return this.#streams.size;
  }

  /** Prepares a Dial that can be cancelled from now on, also before it begins. */
  dial(address: Address, port: number): () => Promise<Outcome> {
    const cancel = new AbortController();
    this.#dials.add(cancel);
    return async () => {
      try {
        if (this.#crowded()) return this.#tooMany("dial");
        return await this.#dial(address, port, cancel.signal);
      } finally {
        this.#dials.delete(cancel);
      }
    };
  }

  /** Gives up all Dials that are not answered yet. */
  cancelDials(): void {
    for (const cancel of this.#dials) cancel.abort();
  }

  /** Listens on a port; every inbound stream is announced after the reply. */
  bind(port: number): Promise<Outcome> {
    try {
      if (this.#gone) return Promise.resolve({});
      if (this.#crowded()) return Promise.resolve(this.#tooMany("bind"));
      const listener = this.#options.api.listen(port);
      this.#listeners.set(port, listener);
      return Promise.resolve({
        reply: encodeIpcReply({ kind: "bind_ok", port }),
        after: () => {
          void this.#accept(listener);
        },
      });
    } catch (error) {
      const failure = callFailure("bind", error);
      const conflict = error instanceof PilotError && error.code === "already_exists";
      return Promise.resolve(
        this.#client.failed(conflict ? { ...failure, text: `port ${port} already bound` } : failure),
      );
    }
  }

  /** Stops listening on a port that this client has bound. Its streams go on. */
  unbind(port: number): Promise<Outcome> {
    const listener = this.#listeners.get(port);
    if (listener === undefined) {
      return Promise.resolve(
        this.#client.failed({ text: `unbind: port ${port} not bound`, code: "not_found" }),
      );
    }
    this.#listeners.delete(port);
    listener.close();
    return Promise.resolve({ reply: encodeIpcReply({ kind: "unbind_ok", port }) });
  }

  /** Hands data to a stream of this client. Resolves with what went wrong, if anything. */
  send(id: number, data: Uint8Array): Promise<Failure | undefined> {
    const owned = this.#streams.get(id);
    if (owned !== undefined) return owned.send(data);
    return Promise.resolve({ text: `connection ${id} not found`, code: "not_found", connection: id });
  }

  /** Closes any stream, whoever owns it; only the owner can end just its sending side. */
  async close(id: number, message: Uint8Array): Promise<Outcome> {
    const own = this.#streams.get(id);
    if (own === undefined) {
      const foreign = this.#options.table.get(id);
      foreign?.closeNow();
      await foreign?.notice("aborted");
      if (foreign === undefined) void this.#options.api.stream(id)?.close().catch(() => {});
      return { reply: closeReply(id, false) };
    }
    if (message.length > 5 && message[5] === HALF_CLOSE) {
      await own.endSending();
      return { reply: closeReply(id, true) };
    }
    await own.close();
    return { reply: closeReply(id, false), after: () => own.notice("done") };
  }

  /** More bytes of a stream may be pushed. */
  grant(id: number, bytes: number): void {
    this.#streams.get(id)?.grant(bytes);
  }

  /**
   * Cleans up after a client that left: no more Dials and Accepts; its streams are closed in order once `pending`,
   * its earlier requests, is done. Resolves when that has happened or has taken too long.
   */
  async release(pending: Promise<void>): Promise<void> {
    if (this.#gone) return;
    this.#gone = true;
    this.cancelDials();
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
    for (const owned of this.#streams.values()) owned.discard();
    if (this.#streams.size > 0) {
      this.#drain = setTimeout(() => this.#abortAll(), this.#options.limits.drainMs);
    }
    await pending;
    await Promise.all([...this.#streams.values()].map((owned) => owned.close()));
    clearTimeout(this.#drain);
  }

  /** Closes everything at once, with what the transport has taken so far. */
  abandon(): void {
    this.#gone = true;
    this.cancelDials();
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
    for (const owned of this.#streams.values()) owned.closeNow();
    clearTimeout(this.#drain);
  }

  #abortAll(): void {
    for (const owned of this.#streams.values()) owned.stream.abort();
  }

  /** A stream is over. */
  #forget(id: number): void {
    this.#streams.delete(id);
    this.#options.table.delete(id);
  }

  async #dial(address: Address, port: number, signal: AbortSignal): Promise<Outcome> {
    const cancelled: Failure = { text: "dial cancelled", code: "unavailable" };
    if (signal.aborted) return this.#client.failed(cancelled);
    let stream: AgentStream;
    try {
      stream = await this.#options.api.dial(address, port, { signal });
    } catch (error) {
      return this.#client.failed(signal.aborted ? cancelled : dialFailure(error, address.node));
    }
    if (signal.aborted) {
      stream.abort();
      return this.#client.failed(cancelled);
    }
    const owned = this.#own(stream);
    return { reply: dialReply(stream, this.#client.localAddress()), after: () => owned.start() };
  }

  async #accept(listener: AgentListener): Promise<void> {
    for (;;) {
      const stream = await listener.accept().catch(() => null);
      if (stream === null) return;
      if (this.#gone || this.#crowded()) {
        stream.abort();
        continue;
      }
      const owned = this.#own(stream);
      await this.#client.writer.push(acceptPush(stream, listener.port, this.#client.localAddress()));
      owned.start();
    }
  }

  #own(stream: AgentStream): OwnedStream {
    const owned = new OwnedStream(stream, {
      writer: this.#client.writer,
      extended: this.#client.extended,
      forget: (id) => this.#forget(id),
    });
    this.#streams.set(stream.id, owned);
    this.#options.table.set(stream.id, owned);
    if (this.#gone) {
      owned.discard();
      void owned.close();
    }
    return owned;
  }

  #crowded(): boolean {
    return this.#streams.size + this.#listeners.size >= this.#options.limits.connections;
  }

  #tooMany(command: string): Outcome {
    return this.#client.failed({
      text: `${command}: too many connections (${this.#options.limits.connections})`,
      code: "unavailable",
    });
  }
}
