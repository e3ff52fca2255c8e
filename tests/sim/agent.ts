/** One agent of a world: a node on a computer, with what it keeps over a restart. */

import { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import type { PortsEvent } from "../../lib/core/stream/ports.ts";
import type { TrustSnapshot } from "../../lib/core/trust_types.ts";
import { nobleAead } from "../../lib/crypto/aead.ts";
import { generateIdentity, type Identity } from "../../lib/crypto/identity.ts";
import type { Address } from "../../lib/wire/address.ts";
import { BeaconType } from "../../lib/wire/beacon.ts";
import { concatBytes, encodeBase64 } from "../../lib/wire/bytes.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import type { Carrier } from "./carrier.ts";
import type { Attachment, HostOptions, SimHost, SimSocket } from "./net.ts";
import type { World } from "./world.ts";

/** Unix time at virtual time zero. */
export const EPOCH = 1_800_000_000_000;
const TUNNEL_PORT = 4000;

/** How an agent of the world is made. */
export interface SimAgentOptions extends Partial<HostOptions> {
  readonly isPublic?: boolean;
  readonly hostname?: string;
  readonly port?: number;
  readonly maxDatagram?: number;
  readonly neverFragments?: boolean;
  /** Instead of all of the world. */
  readonly beacons?: readonly Endpoint[];
  /** Keeps to the public protocol: offers peers nothing beyond it. */
  readonly plain?: boolean;
  /** Reaches the beacon over a connection of its own instead of UDP; see also `SimAgent.setCarrier`. */
  readonly carrier?: boolean;
}

/** One agent of the world. */
export class SimAgent {
  readonly name: string;
  readonly world: World;
  readonly identity: Identity;
  readonly host: SimHost;
  readonly options: SimAgentOptions;
  readonly events: NodeEvent[] = [];
  /** Its beacons; those of the world unless it was given others. */
  readonly beacons: readonly Endpoint[];
  node: Node;
  #socket: SimSocket<NodeEvent>;
  #saved: TrustSnapshot | undefined;
  #carrier: Carrier | undefined;
  readonly #received = new Map<number, Uint8Array[]>();
  readonly #ended = new Set<number>();

  constructor(world: World, name: string, options: SimAgentOptions) {
    this.world = world;
    this.name = name;
    this.options = options;
    this.identity = generateIdentity(world.random.bytes);
    this.beacons = options.beacons ?? world.beacons;
    this.host = world.net.addHost(name, { ip: `192.0.2.${world.agents.length + 10}`, ...options });
    this.node = this.#makeNode();
    this.#socket = this.#attach();
  }

  get id(): number {
    return this.node.node;
  }

  /** How many sockets beside its main one it has open. */
  get extraSockets(): number {
    return this.#socket.extraSockets;
  }

  get address(): Address {
    return { network: 0, node: this.id };
  }

  /** Runs an API call and takes its consequences. */
  act<Result>(step: (node: Node, now: number) => Result): Result {
    const now = this.world.net.now;
    const result = this.node.act(now, () => step(this.node, now));
    this.#socket.touch();
    return result;
  }

  /** Registers, synchronously: time is not what registration tests are about. */
  register(): void {
    const reply = this.world.ask(this, {
      type: "register",
      public_key: encodeBase64(this.identity.publicKey),
      listen_addr: `${this.host.publicIp}:${this.options.port ?? TUNNEL_PORT}`,
      ...(this.options.carrier === true || this.#carrier !== undefined ? { relay_only: true } : {}),
      ...(this.options.hostname === undefined ? {} : { hostname: this.options.hostname }),
    });
    if (reply?.type !== "register_ok") throw new Error(`not registered: ${JSON.stringify(reply)}`);
    this.act((node, now) => {
      if (this.beacons.length > 0) node.setBeacons(this.beacons, now);
      node.handleRegistered(reply.node_id, now);
    });
    if (this.options.carrier === true || this.#carrier !== undefined) this.setCarrier(true);
    if (this.options.isPublic === true) {
      this.world.ask(this, { type: "set_visibility", node_id: reply.node_id, public: true });
    }
  }

  /** Moves a registered agent from UDP to a carrier, as its transport does where UDP is blocked, or back. */
  setCarrier(on: boolean): void {
    const was = this.#carrier;
    was?.close();
    this.#carrier = on ? this.world.openCarrier(this, (data) => this.#receiveCarried(data)) : undefined;
    this.act((node, now) => node.setCarrier(on ? "up" : undefined, now));
    if ((was !== undefined) !== on) this.register();
  }

  /** Kills the process and starts it again: sessions, streams and timers are gone, the files are not. */
  restart(): void {
    this.#socket.close();
    this.node = this.#makeNode();
    this.#socket = this.#attach();
    this.register();
  }

  /** Ends the process for good. */
  stop(): void {
    this.#socket.close();
  }

  dial(peer: SimAgent, port: number): number {
    return this.act((node, now) => node.connect(peer.address, port, now));
  }

  /** Dials, and runs the world until the stream is up. Its number, or why not. */
  connect(peer: SimAgent, port: number, maxMs = 5_000): number | string {
    const id = this.dial(peer, port);
    this.world.net.runUntil(() => this.outcome(id) !== undefined, maxMs);
    const outcome = this.outcome(id) ?? "pending";
    return outcome === "connected" ? id : outcome;
  }

  /** What became of a dialled stream so far. */
  outcome(id: number): string | undefined {
    for (const event of this.events) {
      if (event.type === "dial_failed" && event.id === id) return event.reason;
      if (event.type !== "stream" || event.event.id !== id) continue;
      if (event.event.type === "connected") return "connected";
      if (event.event.type === "closed") return event.event.reason;
    }
    return undefined;
  }

  /** Streams accepted on `port`, oldest first. */
  accepted(port: number): number[] {
    return this.streamEvents().flatMap((event) =>
      event.type === "accepted" && event.port === port ? [event.id] : []
    );
  }

  streamEvents(): PortsEvent[] {
    return this.events.flatMap((event) => event.type === "stream" ? [event.event] : []);
  }

  closed(id: number): string | undefined {
    for (const event of this.streamEvents()) {
      if (event.type === "closed" && event.id === id) return event.reason;
    }
    return undefined;
  }

  write(id: number, data: Uint8Array): number {
    return this.act((node, now) => node.ports.write(id, data, now));
  }

  /** Everything received on a stream so far. */
  received(id: number): Uint8Array {
    return concatBytes(...this.#received.get(id) ?? []);
  }

  /** Whether the peer has ended its side. */
  ended(id: number): boolean {
    return this.#ended.has(id);
  }

  #makeNode(): Node {
    const node = new Node({
      identity: this.identity,
      aead: nobleAead,
      random: this.world.random.fork().bytes,
      unixTime: (now) => EPOCH + now,
      isPublic: this.options.isPublic ?? false,
      ...(this.options.maxDatagram === undefined ? {} : { maxDatagram: this.options.maxDatagram }),
      ...(this.options.plain === true ? { profile: "public" } : {}),
      ...(this.#saved === undefined ? {} : { trust: this.#saved }),
    });
    node.tunnels.setNeverFragments(this.options.neverFragments ?? false, this.world.net.now);
    return node;
  }

  #attach(): SimSocket<NodeEvent> {
    const node = this.node;
    const socket = this.host.attach<NodeEvent>(node, this.options.port ?? TUNNEL_PORT, {
      onEvent: (event) => this.#handle(node, event),
      divert: ({ to, data }) => {
        const { beacon } = this.world;
        if (this.#carrier === undefined || beacon?.host !== to.host) return false;
        if (data[0] !== BeaconType.RELAY) return false;
        this.#carrier.send(data);
        return true;
      },
    });
    node.setLocal(this.#localEndpoints(), this.world.net.now);
    return socket;
  }

  /** Takes the computer elsewhere; the agent sees its new addresses. */
  moveTo(attachment: Attachment): void {
    this.host.moveTo(attachment);
    this.act((node, now) => node.setLocal(this.#localEndpoints(), now));
  }

  #localEndpoints(): Endpoint[] {
    return this.host.addresses.map((host) => ({ host, port: this.options.port ?? TUNNEL_PORT }));
  }

  #receiveCarried(data: Uint8Array): void {
    if (this.world.beacon !== undefined) this.#socket.receive(this.world.beacon, data);
  }

  #handle(node: Node, event: NodeEvent): void {
    this.events.push(event);
    if (event.type === "save_trust") this.#saved = node.trust.snapshot();
    if (event.type === "registry") {
      this.world.askLater(this, event.request, (reply) => {
        if (this.node === node) this.act((_, now) => node.handleRegistryReply(event.tag, reply, now));
      });
    }
    if (event.type !== "stream") return;
    const { event: stream } = event;
    if (stream.type === "finished") this.#ended.add(stream.id);
    if (stream.type !== "readable" && stream.type !== "finished") return;
    const chunks = this.#received.get(stream.id) ?? [];
    this.#received.set(stream.id, chunks);
    this.world.net.schedule(0, () => {
      if (this.node !== node) return;
      this.act((_, now) => {
        for (let chunk = node.ports.read(stream.id, now); chunk !== undefined;) {
          chunks.push(chunk.slice());
          node.ports.giveBack(chunk);
          chunk = node.ports.read(stream.id, now);
        }
      });
    });
  }
}
