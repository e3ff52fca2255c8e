/** One socket to an agent: what is asked and answered, and what the agent pushes. */

import { connectLocal, type LocalConnection } from "../io/local_socket.ts";
import type { MemoryTrimmer } from "../io/memory_trim.ts";
import { MessageReader } from "../io/message_reader.ts";
import { MessageWriter } from "../io/message_writer.ts";
import { type WaitOptions, within } from "../io/waiting.ts";
import { Asked, type Call } from "./asked.ts";
import { PilotError } from "../wire/error.ts";
import {
  Command,
  decodeIpcReply,
  encodeIpcRequest,
  type IpcReply,
  type IpcRequest,
  MAX_IPC_MESSAGE,
} from "../wire/ipc.ts";
import { type AgentError, agentGone, readAgentError, toPilotError } from "./errors.ts";
import { Hello, readCredit } from "./extensions.ts";

/** Bytes waiting for the agent before `sendData` waits. */
const QUEUE_BYTES = 512 * 1024;

/** Smaller pieces are copied and collected, larger ones go out as they are. */
const COLLECT_BELOW = 8192;

/** What the runtime holds for a socket, about, bytes. */
const SOCKET_BYTES = 8_192;

/** Receives what the agent pushes about one stream. */
export interface StreamSink {
  received(data: Uint8Array): void;
  /** So much more may be sent. */
  credit(bytes: number): void;
  /** A CloseOK; `reason` is its extra byte. */
  closeOk(reason: number | undefined): void;
  sendFailed(error: PilotError): void;
  /** The socket is gone. */
  lost(error: PilotError): void;
}

/** Receives the other pushes. */
export interface ChannelEvents {
  readonly accepted?: (accept: Extract<IpcReply, { kind: "accept" }>) => void;
  readonly datagram?: (datagram: Extract<IpcReply, { kind: "recv_from" }>) => void;
  /** An event of the agent, as JSON. */
  readonly event?: (json: string) => void;
  readonly lost?: (error: PilotError) => void;
}

/** How to open a channel. */
export interface ChannelOptions extends WaitOptions {
  /** Datagrams are wanted on this socket. */
  readonly datagrams?: boolean;
  readonly events?: ChannelEvents;
  /** Hears what passes through the channel. */
  readonly memory?: MemoryTrimmer;
}

/** A request that is answered. */
export interface CallOptions<T> extends WaitOptions {
  /** The reply's value, `undefined` for a message that is not the reply. Called before the next message is read. */
  readonly reply: (reply: IpcReply) => T | undefined;
  /** Named in errors. */
  readonly what?: string | undefined;
}

/** A connection to an agent. */
export class Channel {
  readonly #conn: LocalConnection;
  readonly #writer: MessageWriter;
  readonly #events: ChannelEvents;
  readonly #memory: MemoryTrimmer | undefined;
  readonly #streams = new Map<number, StreamSink>();
  readonly #asked = new Asked();
  #extended = false;
  #lost: PilotError | undefined;

  private constructor(conn: LocalConnection, options: ChannelOptions) {
    this.#conn = conn;
    this.#events = options.events ?? {};
    this.#memory = options.memory;
    this.#writer = new MessageWriter(conn, { limit: QUEUE_BYTES, onError: (error) => this.#fail(error) });
  }

  /**
   * Connects, and tells the agent that we speak the additions.
   *
   * @throws PilotError `not_running` when nobody listens at `path`, `connection_failed` when it may not be used
   */
  static async open(path: string, options: ChannelOptions = {}): Promise<Channel> {
    const connecting = connectLocal(path);
    let conn: LocalConnection;
    try {
      conn = await within(connecting, "connect", options);
    } catch (error) {
      connecting.then((late) => late.close(), () => {});
      throw error;
    }
    const channel = new Channel(conn, options);
    void channel.#read();
    // The greeting goes out together with what is asked first; who wants datagrams need not ask for anything.
    if (options.datagrams !== true) channel.#writer.cork();
    channel.#hello(options.datagrams === true);
    return channel;
  }

  /** Sends the greeting now, and not with what is asked first. */
  greet(): void {
    this.#writer.uncork();
  }

  /** Whether the agent speaks the additions; known once anything has been answered. */
  get extended(): boolean {
    return this.#extended;
  }

  /** Why the channel is of no use any more. */
  get lost(): PilotError | undefined {
    return this.#lost;
  }

  /**
   * Asks and waits for the answer.
   *
   * @throws PilotError with the agent's error, `timeout`, or `not_running` when the agent goes away
   */
  call<T>(request: IpcRequest, options: CallOptions<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let value: T | undefined;
    this.#enqueueCall(encodeIpcRequest(request), {
      datagram: request.kind === "sendto_confirm",
      expects: (reply) => (value = options.reply(reply)) !== undefined,
      settle: (outcome) => {
        if (!("kind" in outcome)) reject(toPilotError(outcome, options.what));
        else if (value !== undefined) resolve(value);
      },
      lost: reject,
    });
    this.#writer.uncork();
    return within(promise, options.what ?? request.kind.replaceAll("_", " "), options);
  }

  /** Sends a request that is not answered. */
  postRequest(request: IpcRequest): void {
    this.#writer.post(encodeIpcRequest(request));
  }

  /** Sends a message that is not answered. */
  post(message: Uint8Array): void {
    this.#writer.post(message);
  }

  /** Sends a small piece of a stream, which may be reused at once; `false` when it is not small or has to wait. */
  offerData(connection: number, data: Uint8Array): boolean {
    if (data.length >= COLLECT_BELOW || this.#writer.full) return false;
    if (!this.#writer.offer(sendHeader(connection, data))) return false;
    if (!this.#extended) this.#asked.addSend(connection);
    return true;
  }

  /** Sends a piece of a stream. Resolves when `data` may be reused and more may be sent; `false` when lost. */
  sendData(connection: number, data: Uint8Array): Promise<boolean> {
    this.#memory?.add(data.length);
    if (!this.#extended) this.#asked.addSend(connection);
    return data.length < COLLECT_BELOW
      ? this.#writer.push(sendHeader(connection, data))
      : this.#writer.write(sendHeader(connection), data);
  }

  /** Directs pushes about a stream to `sink`. */
  attach(connection: number, sink: StreamSink): void {
    this.#streams.set(connection, sink);
  }

  /** Ignores further pushes about a stream. */
  detach(connection: number): void {
    this.#streams.delete(connection);
  }

  /** Closes the socket; what waits for an answer fails. */
  close(): void {
    this.#fail(new PilotError("invalid_state", "closed"));
  }

  #hello(datagrams: boolean): void {
    const flags = Hello.EXTENDED | (datagrams ? 0 : Hello.NO_DATAGRAMS);
    this.#enqueueCall(Uint8Array.of(Command.HEALTH, flags), {
      datagram: false,
      expects: (reply) => reply.kind === "json" && reply.command === Command.HEALTH_OK,
      settle: (outcome) => {
        if ("kind" in outcome && outcome.kind === "json") {
          this.#extended = /"extensions":\s*[1-9]/.test(outcome.text);
        }
      },
      lost: () => {},
    });
  }

  #enqueueCall(message: Uint8Array, call: Call): void {
    if (this.#lost !== undefined) return call.lost(this.#lost);
    if (message.length > MAX_IPC_MESSAGE) {
      return call.lost(new PilotError("too_large", `request of ${message.length} bytes`));
    }
    this.#asked.add(call);
    this.#writer.post(message);
  }

  async #read(): Promise<void> {
    const reader = new MessageReader(this.#conn, { maxLength: MAX_IPC_MESSAGE });
    try {
      for (;;) {
        const messages = await reader.read();
        if (typeof messages === "string") return this.#fail(agentGone(messages));
        for (const message of messages) this.#handle(message);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #handle(message: Uint8Array): void {
    this.#memory?.add(message.length);
    // A message that makes no sense is dropped: agents may push what this version does not know.
    const reply = decodeIpcReply(message);
    if (typeof reply === "string") {
      const credit = readCredit(message);
      if (credit !== undefined) this.#streams.get(credit.connection)?.credit(credit.bytes);
      if (message[0] === Command.ERROR) this.#error(readAgentError(1, "daemon error"));
      return;
    }
    switch (reply.kind) {
      case "recv":
        return this.#streams.get(reply.connection)?.received(reply.data);
      case "recv_from":
        return this.#events.datagram?.(reply);
      case "accept":
        return this.#events.accepted?.(reply);
      case "json":
        if (reply.command === Command.EVENT) this.#events.event?.(reply.text);
        return this.#asked.answer(reply)?.settle(reply);
      case "error":
        return this.#error(readAgentError(reply.code, reply.text));
      case "close_ok":
        this.#streams.get(reply.connection)?.closeOk(reply.reason);
        return this.#asked.answer(reply)?.settle(reply);
      default:
        return this.#asked.answer(reply)?.settle(reply);
    }
  }

  #error(error: AgentError): void {
    const { connection, call } = this.#asked.fail(error);
    if (connection !== undefined) this.#streams.get(connection)?.sendFailed(toPilotError(error));
    call?.settle(error);
  }

  #fail(cause: unknown): void {
    if (this.#lost !== undefined) return;
    const error = cause instanceof PilotError ? cause : agentGone(cause);
    this.#lost = error;
    this.#memory?.add(SOCKET_BYTES);
    this.#writer.close();
    this.#conn.close();
    for (const call of this.#asked.clear()) call.lost(error);
    for (const stream of [...this.#streams.values()]) stream.lost(error);
    this.#events.lost?.(error);
  }
}

/** The beginning of a Send, with its data behind it. */
function sendHeader(connection: number, data?: Uint8Array): Uint8Array {
  const header = new Uint8Array(5 + (data?.length ?? 0));
  header[0] = Command.SEND;
  new DataView(header.buffer).setUint32(1, connection);
  if (data !== undefined) header.set(data, 5);
  return header;
}
