/** Inbound streams of one virtual port, as a program sees them. */

import type { IpcReply } from "../wire/ipc.ts";
import { encodeIpcRequest } from "../wire/ipc.ts";
import { AsyncQueue } from "./async_queue.ts";
import { Channel, type ChannelOptions } from "./channel.ts";
import { ClientStream } from "./stream.ts";
import { limited, type WaitOptions } from "../io/waiting.ts";

/** Streams that wait for `accept`; more are closed again. */
const MAX_WAITING = 64;

/** Listens on one port, over a socket of its own that its streams share. */
export class ClientListener implements AsyncDisposable {
  /** The virtual port. */
  readonly port: number;
  readonly #channel: Channel;
  readonly #waiting = new AsyncQueue<ClientStream>();
  #streams = 0;
  #closed = false;

  private constructor(port: number, channel: Channel) {
    this.port = port;
    this.#channel = channel;
  }

  /** Binds the port. Programs call `AgentClient.listen`. @throws PilotError `already_exists` */
  static async open(
    path: string,
    port: number,
    options: Omit<ChannelOptions, "events" | "datagrams">,
  ): Promise<ClientListener> {
    let listener: ClientListener | undefined;
    const channel = await Channel.open(path, {
      ...options,
      events: {
        accepted: (accept) => {
          if (listener !== undefined) listener.#accepted(accept);
        },
        lost: (error) => {
          if (listener !== undefined) listener.#waiting.end(error);
        },
      },
    });
    try {
      return await channel.call({ kind: "bind", port }, {
        ...options,
        what: `listen on port ${port}`,
        // Made before the next message is read, so that no Accept is lost.
        reply: (reply) => reply.kind === "bind_ok" ? listener = new ClientListener(port, channel) : undefined,
      });
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  /**
   * The next inbound stream; `null` once the listener is closed.
   *
   * @throws PilotError `not_running` when the agent is gone, `timeout`
   */
  accept(options: WaitOptions = {}): Promise<ClientStream | null> {
    return limited("accept", options, (signal) => this.#waiting.next(signal));
  }

  /** The inbound streams until the listener is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ClientStream> {
    for (let stream = await this.accept(); stream !== null; stream = await this.accept()) yield stream;
  }

  /**
   * Stops listening. Accepted streams go on; those that nobody accepted are closed. Agents that cannot give a port
   * back keep it until the last of the streams has ended.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const unwanted = this.#waiting.clear();
    this.#waiting.end();
    const closing = unwanted.map((stream) => stream.close({ timeoutMs: 1000 }));
    if (this.#streams > unwanted.length) {
      const reply = (reply: IpcReply) => reply.kind === "unbind_ok" ? true : undefined;
      await this.#channel.call({ kind: "unbind", port: this.port }, { reply, timeoutMs: 5000 }).catch(
        () => {},
      );
    }
    await Promise.all(closing);
    this.#closeIfIdle();
  }

  /** Stops listening at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accepted(accept: Extract<IpcReply, { kind: "accept" }>): void {
    if (this.#closed || this.#waiting.weight >= MAX_WAITING) {
      return this.#channel.post(encodeIpcRequest({ kind: "close", connection: accept.connection }));
    }
    this.#streams++;
    const stream = new ClientStream(this.#channel, {
      id: accept.connection,
      remote: accept.remote,
      remotePort: accept.remotePort,
      localPort: accept.port,
      localAddress: accept.localAddress,
      release: () => {
        this.#streams--;
        this.#channel.detach(accept.connection);
        this.#closeIfIdle();
      },
    });
    this.#waiting.push(stream);
  }

  #closeIfIdle(): void {
    if (this.#closed && this.#streams === 0) this.#channel.close();
  }
}
