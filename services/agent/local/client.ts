/** One program on the local socket: its requests, its streams, its listeners, and the cleaning up after it. */

import { Hello, INITIAL_CREDIT, readCredit, SEND_OVERHEAD } from "../../../lib/client/extensions.ts";
import { MessageReader } from "../../../lib/io/message_reader.ts";
import { MessageWriter } from "../../../lib/io/message_writer.ts";
import type { Log } from "../../../lib/io/log.ts";
import type { Address } from "../../../lib/wire/address.ts";
import { Command, decodeIpcRequest, type IpcRequest, MAX_IPC_MESSAGE } from "../../../lib/wire/ipc.ts";
import type { AgentApi } from "../api.ts";
import { call } from "./calls.ts";
import { type Failure } from "./failures.ts";
import type { LocalLimits } from "./limits.ts";
import { errorReply } from "./replies.ts";
import { type Outcome, ReplyQueue } from "./reply_queue.ts";
import { EventFeed } from "./events.ts";
import { ClientStreams, type StreamTable } from "./client_streams.ts";
import { sendDatagram } from "./datagrams.ts";

/** What clients share with the server. */
export interface ClientOptions {
  readonly api: AgentApi;
  readonly log: Pick<Log, "debug" | "info" | "warn">;
  readonly limits: LocalLimits;
  /** All streams that have a local owner. */
  readonly table: StreamTable;
}

/** Serves one connection until it ends. */
export class LocalClient {
  readonly writer: MessageWriter;
  readonly #conn: Deno.Conn;
  readonly #options: ClientOptions;
  readonly #reader: MessageReader;
  readonly #replies: ReplyQueue;
  readonly #streams: ClientStreams;
  readonly #abandoned = Promise.withResolvers<void>();
  #events: EventFeed | undefined;
  #extended = false;
  #wantsDatagrams = true;
  #sendBytes = 0;
  #reading = false;
  #lastRead = 0;
  #pausedSince = 0;
  #closed = false;

  constructor(conn: Deno.Conn, options: ClientOptions) {
    this.#conn = conn;
    this.#options = options;
    this.writer = new MessageWriter(conn, {
      limit: options.limits.queueBytes,
      onError: () => this.drop("cannot be written to"),
    });
    this.#reader = new MessageReader(conn, { maxLength: MAX_IPC_MESSAGE });
    this.#replies = new ReplyQueue((reply) => this.writer.push(reply));
    this.#streams = new ClientStreams(this, options);
  }

  /** Whether the client speaks our additions. */
  get extended(): boolean {
    return this.#extended;
  }

  /** Serves the client. Resolves when it is gone and everything it left behind is cleaned up. Never rejects. */
  async run(): Promise<void> {
    this.drop(await this.#serve());
    await Promise.race([this.#streams.release(this.#replies.idle()), this.#abandoned.promise]);
  }

  /** Pushes a datagram, unless the client is slow or wants none. */
  deliver(message: Uint8Array): void {
    if (this.#wantsDatagrams) this.writer.offer(message);
  }

  /** Looks for a client that neither reads nor finishes its message; `now` of `performance.now()`. */
  tick(now: number): void {
    const { stallMs, partialMs } = this.#options.limits;
    if (this.writer.full && this.writer.blockedFor(now) >= stallMs) this.drop("reads nothing");
    else if (this.#reading && this.#reader.inMessage && now - this.#lastRead >= partialMs) {
      this.drop("stopped in the middle of a message");
    } else if (!this.#reading && now - this.#pausedSince >= stallMs) {
      // While nothing is read, only writing can tell whether the client lives. Empty messages are ignored.
      this.#pausedSince = now;
      this.writer.offer();
    }
  }

  /** Closes the connection; `run` does the rest. */
  drop(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.stop();
    this.writer.close();
    this.#replies.wake();
    try {
      this.#conn.close();
    } catch {
      // Closed by the other side.
    }
    this.#options.log.debug("local client left", { reason });
  }

  /** Ends at once what the client owns; for the end of the agent. */
  abandon(): void {
    this.drop("agent stops");
    this.#streams.abandon();
    this.#abandoned.resolve();
  }

  /** Handles messages until there are no more; returns why. */
  async #serve(): Promise<string> {
    for (;;) {
      try {
        this.#reading = true;
        this.#lastRead = performance.now();
        const messages = await this.#reader.read();
        this.#reading = false;
        this.#pausedSince = performance.now();
        if (typeof messages === "string") return messages === "end" ? "closed" : `message ${messages}`;
        for (const message of messages) {
          this.#handle(message);
          while (this.#overloaded() && !this.#closed) await this.#replies.progress();
        }
      } catch {
        return "connection lost";
      }
    }
  }

  #overloaded(): boolean {
    const { requests, sendBytes } = this.#options.limits;
    // The Sends of extended clients are bounded by their credit already.
    const granted = this.#extended ? this.#streams.count * INITIAL_CREDIT : 0;
    return this.#replies.waiting >= requests || this.#sendBytes >= sendBytes + granted;
  }

  #handle(message: Uint8Array): void {
    if (message.length === 0 || this.#extension(message)) return;
    const request = decodeIpcRequest(message);
    switch (request.kind) {
      case "invalid":
        return this.#replies.addCall(() => Promise.resolve(this.failed({ text: request.text })));
      case "send":
        return this.#send(request.connection, request.data);
      case "close":
        return this.#answer(this.#streams.close(request.connection, message));
      case "dial":
        return this.#replies.addAfterCalls(this.#streams.dial(request.address, request.port));
      case "subscribe":
        return this.#replies.addCall(() => Promise.resolve(this.#subscribe()));
      case "cancel":
        return this.#streams.cancelDials();
      case "bind":
        return this.#replies.addCall(() => this.#streams.bind(request.port));
      case "unbind":
        return this.#replies.addCall(() => this.#streams.unbind(request.port));
      case "sendto":
      case "sendto_confirm":
        return this.#sendTo(request);
      default:
        return this.#replies.addCall(async () => {
          const result = await call(this.#options.api, request);
          return result instanceof Uint8Array ? { reply: result } : this.failed(result);
        });
    }
  }

  /** Takes note of what only our own clients send; `Health` is answered like any other all the same. */
  #extension(message: Uint8Array): boolean {
    const flags = message[1] ?? 0;
    if (message[0] === Command.HEALTH && (flags & Hello.EXTENDED) !== 0) {
      this.#extended = true;
      this.#wantsDatagrams = (flags & Hello.NO_DATAGRAMS) === 0;
      return false;
    }
    const credit = this.#extended ? readCredit(message) : undefined;
    if (credit === undefined) return false;
    this.#streams.grant(credit.connection, credit.bytes);
    this.#reader.giveBack(message);
    return true;
  }

  #subscribe(): Outcome {
    if (this.#closed) return {};
    this.#events ??= new EventFeed(this.#options.api, this.writer);
    return { reply: EventFeed.confirmation(), after: () => this.#events?.open() };
  }

  #send(connection: number, data: Uint8Array): void {
    const cost = data.length + SEND_OVERHEAD;
    this.#sendBytes += cost;
    this.#answer(
      this.#streams.send(connection, data).then((failure): Outcome => {
        this.#sendBytes -= cost;
        this.#reader.giveBack(data);
        return failure === undefined ? {} : this.failed(failure);
      }),
    );
  }

  /** Answers what names its stream: in its turn, or at once for those who need no order to understand it. */
  #answer(work: Promise<Outcome>): void {
    if (this.#extended) this.#replies.addUnordered(work);
    else this.#replies.add(work);
  }

  #sendTo(request: Extract<IpcRequest, { kind: "sendto" | "sendto_confirm" }>): void {
    const { address, port, data } = request;
    this.#sendBytes += data.length;
    const work = sendDatagram(this.#options.api, { address, port, data }).then((failure): Outcome => {
      this.#sendBytes -= data.length;
      if (failure !== undefined) return this.failed(failure);
      return request.kind === "sendto_confirm" ? { reply: Uint8Array.of(Command.SEND_TO_OK) } : {};
    });
    this.#replies.add(work);
  }

  /** The Error that tells of a failure. */
  failed(failure: Failure): Outcome {
    return { reply: errorReply(failure, this.#extended) };
  }

  /** The agent's address as extended clients see it behind DialOK and Accept. */
  localAddress(): Address | undefined {
    return this.#extended ? { network: 0, node: this.#options.api.nodeId() } : undefined;
  }
}
