/** A node with its transport on a real socket, whose UDP can be blocked as by a firewall. */

import { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import { generateIdentity } from "../../lib/crypto/identity.ts";
import { chooseAead } from "../../lib/io/aead_choice.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { type DatagramSocket, UdpDriver } from "../../lib/io/driver.ts";
import { Log } from "../../lib/io/log.ts";
import { ProxySource } from "../../lib/io/proxy_source.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { concatBytes } from "../../lib/wire/bytes.ts";
import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";
import { Transport } from "../../services/agent/transport.ts";

/** A UDP socket that loses everything while it is blocked. */
export class BlockableSocket implements DatagramSocket {
  isBlocked = false;
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });

  get addr(): Deno.Addr {
    return this.#socket.addr;
  }

  async receive(buffer?: Uint8Array): Promise<[Uint8Array, Deno.Addr]> {
    for (;;) {
      const received = await this.#socket.receive(buffer);
      if (!this.isBlocked) return received;
    }
  }

  send(data: Uint8Array, to: Deno.Addr): Promise<number> {
    return this.isBlocked ? Promise.resolve(data.length) : this.#socket.send(data, to);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Who a node is. */
export const person = (node: number) => ({ node, identity: generateIdentity(systemRandom) });

/** How to make one. */
export interface BlockableOptions {
  readonly who: ReturnType<typeof person>;
  /** The one peer, trusted from the start. */
  readonly peer: ReturnType<typeof person>;
  readonly beacon: number;
  readonly relay: number;
  /** Answers in place of a registry. */
  readonly registry: (request: RegistryRequest) => RegistryReply | undefined;
}

/** One node. */
export class BlockableNode {
  readonly socket = new BlockableSocket();
  readonly node: Node;
  readonly transport: Transport;
  /** How often the registry was to be told of a change. */
  changes = 0;
  /** Bytes received, by stream. */
  readonly received = new Map<number, Uint8Array[]>();
  readonly events: NodeEvent[] = [];
  readonly #clock = new SystemClock();
  readonly #driver: UdpDriver<NodeEvent>;
  readonly #registry: BlockableOptions["registry"];

  constructor({ who, peer, beacon, relay, registry }: BlockableOptions) {
    this.#registry = registry;
    const { publicKey } = peer.identity;
    const trusted = { node: peer.node, publicKey, approvedAt: 0, mutual: true, network: 0 };
    this.node = new Node({
      identity: who.identity,
      aead: chooseAead(),
      random: systemRandom,
      unixTime: () => this.#clock.unixMs(),
      trust: { trusted: [trusted], pending: [], outgoing: [], denied: [] },
    });
    this.#driver = UdpDriver.bind(this.node, {
      socket: this.socket,
      clock: this.#clock,
      divert: (transmit) => this.transport.divert(transmit),
      onEvent: (event) => this.#handle(event),
    });
    this.transport = new Transport({
      settings: {
        transport: "auto",
        compatUrl: new URL(`ws://127.0.0.1:${relay}/v1/compat`),
        proxies: new ProxySource({ proxy: "off", env: () => undefined }),
        authorities: undefined,
      },
      identity: who.identity,
      access: { node: this.node, act: (step) => this.act(step) },
      inject: (from, data) => this.#driver.inject(from, data),
      changed: () => this.changes++,
      log: Log.silent,
    });
    this.transport.start();
    this.act((node, now) => {
      node.setBeacons([{ host: "127.0.0.1", port: beacon }], now);
      node.handleRegistered(who.node, now);
    });
    this.transport.handleRegistered(who.node);
  }

  /** Where its socket is. */
  get endpoint(): string {
    return `${this.#driver.endpoint.host}:${this.#driver.endpoint.port}`;
  }

  /** Runs a step on the node and takes its consequences. */
  act<Result>(step: (node: Node, now: number) => Result): Result {
    const now = this.#clock.now();
    const result = this.node.act(now, () => step(this.node, now));
    this.#driver.wake();
    return result;
  }

  /** Everything received on a stream. */
  bytes(stream: number): Uint8Array {
    return concatBytes(...this.received.get(stream) ?? []);
  }

  /** The way that frames to the peer take. */
  path(peer: number): string | undefined {
    return this.node.tunnels.peer(peer)?.paths.describe(true).path;
  }

  async close(): Promise<void> {
    await this.transport.close();
    this.#driver.close();
    await this.#driver.finished;
  }

  #handle(event: NodeEvent): void {
    this.events.push(event);
    if (event.type === "beacon") this.transport.handleBeacon(event.reachable);
    else if (event.type === "registry") {
      const reply = this.#registry(event.request);
      queueMicrotask(() => this.act((node, now) => node.handleRegistryReply(event.tag, reply, now)));
    } else if (event.type === "stream" && event.event.type === "readable") {
      const { id } = event.event;
      queueMicrotask(() => this.#read(id));
    }
  }

  #read(id: number): void {
    const chunks = this.received.get(id) ?? [];
    this.received.set(id, chunks);
    this.act((node, now) => {
      for (let chunk = node.ports.read(id, now); chunk !== undefined; chunk = node.ports.read(id, now)) {
        chunks.push(chunk.slice());
        node.ports.giveBack(chunk);
      }
    });
  }
}
