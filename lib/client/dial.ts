/** Outgoing streams: each has a socket of its own. Who dials again and again finds one that is ready. */

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

/** Opens the streams of one program. */
export class Dialler {
  readonly #path: string;
  readonly #memory: MemoryTrimmer;
  #dialled = 0;
  #spare: Channel | undefined;
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
    const spare = this.#spare;
    this.#spare = undefined;
    // Nobody notices that the agent of an idle socket is gone before the runtime has read from it.
    const isReady = spare !== undefined && spare.lost === undefined;
    const channel = isReady ? spare : await this.#open(options);
    try {
      return await openStream(channel, target, options);
    } catch (error) {
      if (!isReady || !(error instanceof PilotError) || error.code !== "not_running") throw error;
      return await openStream(await this.#open(options), target, options);
    } finally {
      // Most programs dial once.
      if (++this.#dialled > 1) this.#prepare();
    }
  }

  /** Closes the socket that is ready; streams have their own. Resolves when it is closed. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#spare?.close();
    this.#spare = undefined;
    await this.#opening;
  }

  #open(options: WaitOptions): Promise<Channel> {
    return Channel.open(this.#path, { ...options, memory: this.#memory });
  }

  #prepare(): void {
    if (this.#closed || this.#spare !== undefined) return;
    this.#opening ??= this.#open({}).then((channel) => {
      if (this.#closed) return channel.close();
      channel.greet();
      this.#spare = channel;
    }).catch(() => {
      // The next dial says what is wrong.
    }).finally(() => this.#opening = undefined);
  }
}

async function openStream(
  channel: Channel,
  { address, port }: DialTarget,
  options: WaitOptions,
): Promise<ClientStream> {
  try {
    return await channel.call({ kind: "dial", address, port }, {
      ...options,
      what: `dial ${formatSocketAddress(address, port)}`,
      // Made before the next message is read, so that no Recv is lost.
      reply: (reply) => reply.kind === "dial_ok" ? dialled(channel, { reply, address, port }) : undefined,
    });
  } catch (error) {
    // The agent gives up the attempt when its socket goes away.
    channel.close();
    throw error;
  }
}

function dialled(
  channel: Channel,
  options: { reply: Extract<IpcReply, { kind: "dial_ok" }>; address: Address; port: number },
): ClientStream {
  const { reply, address, port } = options;
  return new ClientStream(channel, {
    id: reply.connection,
    remote: address,
    remotePort: port,
    localPort: reply.localPort,
    localAddress: reply.localAddress,
    release: () => channel.close(),
  });
}
