/**
 * Outgoing streams: each has a socket of its own while it lasts. Who dials again and again finds one that is ready: that
 * of a stream which has ended in order, or one that was opened ahead.
 */

import { type Address, formatSocketAddress } from "../wire/address.ts";
import type { IpcReply } from "../wire/ipc.ts";
import type { MemoryTrimmer } from "../io/memory_trim.ts";
import type { WaitOptions } from "../io/waiting.ts";
import { PilotError } from "../wire/error.ts";
import { Channel } from "./channel.ts";
import { ClientStream } from "./stream.ts";

/** Where a stream goes. */
export interface DialTarget {
  readonly address: Address;
  readonly port: number;
}

/** Sockets kept ready. */
const MAX_READY = 4;

/** Opens the streams of one program. */
export class Dialler {
  readonly #path: string;
  readonly #memory: MemoryTrimmer;
  #dialled = 0;
  readonly #ready: Channel[] = [];
  #opening: Promise<void> | undefined;
  #closed = false;

  /** `path` is the agent's socket; `memory` hears what passes. */
  constructor(path: string, memory: MemoryTrimmer) {
    this.#path = path;
    this.#memory = memory;
  }

  /**
   * Opens a stream. Giving up also ends the attempt inside the agent.
   *
   * @throws PilotError `connection_failed`, `timeout`, `not_found`, `not_trusted`, `not_running`
   */
  async dial(target: DialTarget, options: WaitOptions): Promise<ClientStream> {
    const ready = this.#takeReady();
    const channel = ready ?? await this.#open(options);
    try {
      return await this.#openStream(channel, target, options);
    } catch (error) {
      if (ready === undefined || !(error instanceof PilotError) || error.code !== "not_running") throw error;
      return await this.#openStream(await this.#open(options), target, options);
    } finally {
      // Most programs dial once.
      if (++this.#dialled > 1) this.#prepare();
    }
  }

  /** Closes the sockets that are ready; streams have their own. Resolves when they are closed. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const channel of this.#ready.splice(0)) channel.close();
    await this.#opening;
  }

  /** Nobody notices that the agent of an idle socket is gone before the runtime has read from it. */
  #takeReady(): Channel | undefined {
    let channel = this.#ready.pop();
    while (channel?.lost !== undefined) channel = this.#ready.pop();
    return channel;
  }

  #keep(channel: Channel): void {
    if (this.#closed || this.#ready.length >= MAX_READY) channel.close();
    else if (channel.lost === undefined) this.#ready.push(channel);
  }

  #open(options: WaitOptions): Promise<Channel> {
    return Channel.open(this.#path, { ...options, memory: this.#memory });
  }

  #prepare(): void {
    if (this.#closed || this.#ready.length > 0) return;
    this.#opening ??= this.#open({}).then((channel) => {
      channel.greet();
      this.#keep(channel);
    }).catch(() => {
      // The next dial says what is wrong.
    }).finally(() => this.#opening = undefined);
  }

  async #openStream(channel: Channel, target: DialTarget, options: WaitOptions): Promise<ClientStream> {
    const { address, port } = target;
    try {
      return await channel.call({ kind: "dial", address, port }, {
        ...options,
        what: `dial ${formatSocketAddress(address, port)}`,
        // Made before the next message is read, so that no Recv is lost.
        reply: (reply) => reply.kind === "dial_ok" ? this.#begun(channel, reply, target) : undefined,
      });
    } catch (error) {
      // The agent gives up the attempt when its socket goes away.
      channel.close();
      throw error;
    }
  }

  #begun(
    channel: Channel,
    reply: Extract<IpcReply, { kind: "dial_ok" }>,
    { address, port }: DialTarget,
  ): ClientStream {
    const { connection, localPort, localAddress } = reply;
    return new ClientStream(channel, {
      id: connection,
      remote: address,
      remotePort: port,
      localPort,
      localAddress,
      release: (isDone) => {
        channel.detach(connection);
        // Others than ours may still say something that does not name the stream.
        if (isDone && channel.extended) this.#keep(channel);
        else channel.close();
      },
    });
  }
}
