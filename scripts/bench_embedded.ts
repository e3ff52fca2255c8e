/** A program that embeds a node: the library without agent and local socket. */

import { Node } from "../lib/core/node.ts";
import type { NodeEvent } from "../lib/core/node_event.ts";
import type { PortsEvent } from "../lib/core/stream/ports.ts";
import type { Identity } from "../lib/crypto/identity.ts";
import { chooseAead } from "../lib/io/aead_choice.ts";
import { SystemClock } from "../lib/io/clock.ts";
import { UdpDriver } from "../lib/io/driver.ts";
import { systemRandom } from "../lib/io/random.ts";
import type { Endpoint } from "../lib/wire/endpoint.ts";
import type { Transport, Wire } from "./bench_wire.ts";

/** Room for ten thousand streams, opened as fast as they can be. */
const LIMITS = {
  perPort: 20_000,
  total: 20_000,
  embryonic: 20_000,
  backlog: 20_000,
  perSource: { perSecond: 1e6, burst: 1e6 },
  allSources: { perSecond: 1e6, burst: 1e6 },
};

/** How a node is made. */
export interface EmbeddedOptions {
  readonly identity: Identity;
  readonly node: number;
  /** The one peer, trusted from the start. */
  readonly peer: { readonly node: number; readonly publicKey: Uint8Array };
  /** Longest datagram, bytes of UDP payload; `undefined` to find out what the path carries. */
  readonly maxDatagram: number | undefined;
}

/** A node on a socket of this process. */
export class EmbeddedNode implements Transport {
  readonly node: Node;
  readonly #clock = new SystemClock();
  readonly #driver: UdpDriver<NodeEvent>;
  readonly #wires = new Map<number, EmbeddedWire>();
  readonly #servers = new Map<number, (wire: Wire) => Promise<void>>();

  constructor(options: EmbeddedOptions) {
    const { maxDatagram } = options;
    const trusted = { ...options.peer, approvedAt: 0, mutual: true, network: 0 };
    this.node = new Node({
      identity: options.identity,
      node: options.node,
      aead: chooseAead(),
      random: systemRandom,
      unixTime: () => this.#clock.unixMs(),
      trust: { trusted: [trusted], pending: [], outgoing: [], denied: [] },
      limits: LIMITS,
      ...(maxDatagram === undefined ? {} : { maxDatagram }),
    });
    this.#driver = UdpDriver.bind(this.node, {
      host: "127.0.0.1",
      clock: this.#clock,
      onEvent: (event) => this.#handle(event),
    });
  }

  /** The UDP port. */
  get port(): number {
    return this.#driver.endpoint.port;
  }

  /** Runs a step on the node, takes its consequences and sends what follows. */
  act<Result>(step: (node: Node, now: number) => Result): Result {
    const now = this.#clock.now();
    const result = this.node.act(now, () => step(this.node, now));
    this.#driver.wake();
    return result;
  }

  /** Says where the peer is, as a registry would. */
  introduce(peer: number, endpoint: Endpoint): void {
    this.act((node, now) => {
      node.tunnels.open(peer, now);
      node.tunnels.addEndpoint(peer, endpoint, { source: "registry", now });
    });
  }

  listen(port: number, serve: (wire: Wire) => Promise<void>): Promise<void> {
    if (!this.act((node) => node.ports.listen(port))) throw new Error(`port ${port} is taken`);
    this.#servers.set(port, serve);
    return Promise.resolve();
  }

  async dial(peer: number, port: number): Promise<Wire> {
    const wire = this.act((node, now) => {
      const id = node.connect({ network: 0, node: peer }, port, now);
      const wire = new EmbeddedWire(this, id);
      this.#wires.set(id, wire);
      return wire;
    });
    await wire.connected.promise;
    return wire;
  }

  #handle(event: NodeEvent): void {
    if (event.type === "stream") return this.#handleStream(event.event);
    if (event.type === "dial_failed") this.#wires.get(event.id)?.fail(event.reason);
    if (event.type !== "registry") return;
    queueMicrotask(() => this.act((node, now) => node.handleRegistryReply(event.tag, undefined, now)));
  }

  #handleStream(event: PortsEvent): void {
    if (event.type === "accepted") {
      const wire = new EmbeddedWire(this, event.id);
      this.#wires.set(event.id, wire);
      this.act((node) => node.ports.take(event.id));
      void this.#servers.get(event.port)?.(wire).catch((error) => console.error("serving:", error));
      return;
    }
    this.#wires.get(event.id)?.handle(event);
    if (event.type === "closed") this.#wires.delete(event.id);
  }
}

class EmbeddedWire implements Wire {
  readonly connected = Promise.withResolvers<void>();
  readonly #owner: EmbeddedNode;
  readonly #id: number;
  #ended: string | undefined;
  #wakeReader = () => {};
  #wakeWriter = () => {};

  constructor(owner: EmbeddedNode, id: number) {
    this.#owner = owner;
    this.#id = id;
  }

  handle(event: PortsEvent): void {
    if (event.type === "connected") this.connected.resolve();
    if (event.type === "finished") this.#ended ??= "done";
    if (event.type === "closed") this.fail(event.reason);
    if (event.type === "writable") this.#wakeWriter();
    else this.#wakeReader();
  }

  fail(reason: string): void {
    if (this.#ended === undefined || reason !== "done") this.#ended = reason;
    this.connected.reject(new Error(`no stream: ${reason}`));
    this.connected.promise.catch(() => {});
    this.#wakeReader();
    this.#wakeWriter();
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#owner.act((node, now) => node.ports.read(this.#id, now));
      if (chunk !== undefined) return chunk;
      if (this.#isOver()) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
  }

  async readAll(take: (chunk: Uint8Array) => void): Promise<void> {
    for (;;) {
      this.#owner.act((node, now) => {
        for (let chunk = node.ports.read(this.#id, now); chunk !== undefined;) {
          take(chunk);
          node.ports.giveBack(chunk);
          chunk = node.ports.read(this.#id, now);
        }
      });
      if (this.#isOver()) return;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
  }

  async write(data: Uint8Array): Promise<void> {
    for (let sent = 0; sent < data.length;) {
      if (this.#ended !== undefined && this.#ended !== "done") throw new Error(`stream ${this.#ended}`);
      sent += this.#owner.act((node, now) => node.ports.write(this.#id, data.subarray(sent), now));
      if (sent < data.length) await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
  }

  closeWrite(): Promise<void> {
    this.#owner.act((node, now) => node.ports.shutdown(this.#id, now));
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#owner.act((node, now) => node.ports.close(this.#id, now));
    return Promise.resolve();
  }

  /** @throws Error when the stream broke */
  #isOver(): boolean {
    if (this.#ended === undefined) return false;
    // The last bytes may have come together with the end.
    if (this.#ended !== "done") throw new Error(`stream ${this.#ended}`);
    return true;
  }
}
