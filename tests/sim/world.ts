/**
 * A world of agents: nodes, beacons and one registry in the simulated internet.
 */

import { Beacon } from "../../lib/beacon/beacon.ts";
import type { BeaconEvent } from "../../lib/beacon/event.ts";
import type { TrustSnapshot } from "../../lib/core/trust_types.ts";
import { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import type { PortsEvent } from "../../lib/core/stream/ports.ts";
import { nobleAead } from "../../lib/crypto/aead.ts";
import { generateIdentity, type Identity, signBase64 } from "../../lib/crypto/identity.ts";
import { Directory } from "../../lib/registry/directory.ts";
import { MemoryStore } from "../../lib/registry/memory_store.ts";
import type { Address } from "../../lib/wire/address.ts";
import { BeaconType } from "../../lib/wire/beacon.ts";
import { concatBytes, encodeBase64 } from "../../lib/wire/bytes.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { registryChallenge, type RegistryReply, type RegistryRequest } from "../../lib/wire/registry.ts";
import { beaconPlaces } from "./beacon_places.ts";
import { type Carrier, Carriers } from "./carrier.ts";
import {
  type Attachment,
  type HostOptions,
  type LinkOptions,
  SeededRandom,
  SimHost,
  SimNet,
  type SimSocket,
} from "./net.ts";

/** Unix time at virtual time zero. */
const EPOCH = 1_800_000_000_000;
const TUNNEL_PORT = 4000;
const BEACON_PORT = 9001;
/** One way to the registry, milliseconds. */
const REGISTRY_DELAY_MS = 5;

/** How a world is made. */
export interface WorldOptions {
  readonly seed: number;
  readonly link?: LinkOptions;
  readonly beacon?: boolean;
  /** How many addresses the beacon has, each with two ports; default 1. */
  readonly beaconAddresses?: 1 | 2;
  /** How many, default one. */
  readonly beacons?: number;
  /** Whether they know each other, default true. */
  readonly mesh?: boolean;
  readonly trace?: boolean;
}

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
          chunks.push(chunk);
          chunk = node.ports.read(stream.id, now);
        }
      });
    });
  }
}

/** A beacon of the world, on a computer of its own. */
export class BeaconSite {
  readonly host: SimHost;
  readonly endpoint: Endpoint;
  beacon: Beacon;
  readonly #make: () => Beacon;
  readonly #world: World;
  readonly #places: readonly Endpoint[];
  #socket: SimSocket<BeaconEvent>;
  #carriers: Carriers | undefined;

  constructor(world: World, options: WorldOptions & { readonly index: number; readonly count: number }) {
    const { index, count, mesh = true } = options;
    const hosts = Array.from({ length: count }, (_, each) => `203.0.113.${each + 1}`);
    const own = hosts[index] ?? "";
    this.endpoint = { host: own, port: BEACON_PORT };
    const peers = mesh
      ? hosts.filter((host) => host !== own).map((host) => ({ host, port: BEACON_PORT }))
      : [];
    const { ip, addresses, places } = beaconPlaces(own, BEACON_PORT, options.beaconAddresses);
    this.#world = world;
    this.#places = places;
    this.#make = () => new Beacon({ random: world.random.bytes, id: index + 1, peers, addresses });
    this.host = world.net.addHost(index === 0 ? "beacon" : `beacon-${index + 1}`, { ip });
    this.beacon = this.#make();
    this.#socket = this.#attach();
  }

  /** Ends the process. */
  stop(): void {
    this.#socket.close();
  }

  /** Starts it again; it has forgotten everything. */
  restart(): void {
    this.stop();
    this.beacon = this.#make();
    this.#socket = this.#attach();
  }

  /** Connects an agent without UDP. */
  openCarrier(agent: SimAgent, receive: (data: Uint8Array) => void): Carrier {
    this.#carriers ??= new Carriers(this.#world.net, this.beacon, () => this.#socket.touch());
    return this.#carriers.open(agent.id, agent.host.publicIp, receive);
  }

  #attach(): SimSocket<BeaconEvent> {
    this.#carriers = undefined;
    return this.host.attach<BeaconEvent>(this.beacon, BEACON_PORT, {
      places: this.#places,
      onEvent: (event) => this.#carriers?.handle(event),
    });
  }
}

/** Nodes, beacons and a registry. */
export class World {
  readonly net: SimNet;
  readonly random: SeededRandom;
  readonly agents: SimAgent[] = [];
  readonly directory: Directory;
  readonly sites: BeaconSite[] = [];
  readonly beacons: Endpoint[] = [];
  /** The first of them. */
  readonly beacon: Endpoint | undefined;
  readonly beaconHost: SimHost | undefined;
  /** Switch off to let the registry vanish. */
  registryUp = true;

  constructor(options: WorldOptions) {
    this.net = new SimNet({
      seed: options.seed,
      trace: options.trace ?? false,
      ...(options.link === undefined ? {} : { link: options.link }),
    });
    this.random = new SeededRandom(options.seed ^ 0x5eed);
    this.directory = new Directory({ store: new MemoryStore() });
    const count = options.beacon === false ? 0 : options.beacons ?? 1;
    for (let index = 0; index < count; index++) {
      const site = new BeaconSite(this, { ...options, index, count });
      this.sites.push(site);
      this.beacons.push(site.endpoint);
    }
    this.beaconHost = this.sites[0]?.host;
    this.beacon = this.sites[0]?.endpoint;
  }

  /** Connects an agent to the first beacon without UDP. */
  openCarrier(agent: SimAgent, receive: (data: Uint8Array) => void): Carrier {
    const [site] = this.sites;
    if (site === undefined) throw new Error("this world has no beacon");
    return site.openCarrier(agent, receive);
  }

  /** A registered agent. */
  addAgent(name: string, options: SimAgentOptions = {}): SimAgent {
    const agent = new SimAgent(this, name, { hostname: name, ...options });
    this.agents.push(agent);
    agent.register();
    return agent;
  }

  /** Two agents that trust each other, through the real handshake. */
  befriend(a: SimAgent, b: SimAgent): void {
    a.act((node, now) => node.trust.request(b.id, { justification: "test", now }));
    const asked = this.net.runUntil(() => b.node.trust.pending().some(({ node }) => node === a.id), 5_000);
    b.act((node, now) => node.trust.request(a.id, { justification: "test", now }));
    const both = () => a.node.trust.isTrusted(b.id) && b.node.trust.isTrusted(a.id);
    if (!asked || !this.net.runUntil(both, 5_000)) throw new Error("no mutual trust");
  }

  /** Asks the registry, at once. `undefined` when it is down. */
  ask(agent: SimAgent, request: RegistryRequest): RegistryReply | undefined {
    if (!this.registryUp) return undefined;
    const challenge = registryChallenge(request);
    const signed = challenge === undefined
      ? request
      : { ...request, signature: signBase64(agent.identity, challenge) };
    const from = { host: agent.host.publicIp, port: 40_000 };
    const reply = this.directory.handle(signed, from, EPOCH + this.net.now);
    for (const node of this.directory.takeArrivals()) {
      this.net.schedule(REGISTRY_DELAY_MS, () => this.#poll(node));
    }
    return reply;
  }

  /** Asks the registry as over a network. */
  askLater(
    agent: SimAgent,
    request: RegistryRequest,
    done: (reply: RegistryReply | undefined) => void,
  ): void {
    this.net.schedule(REGISTRY_DELAY_MS, () => {
      const reply = this.ask(agent, request);
      this.net.schedule(REGISTRY_DELAY_MS, () => done(reply));
    });
  }

  #poll(id: number): void {
    const agent = this.agents.find((each) => each.id === id);
    if (agent === undefined) return;
    const reply = this.ask(agent, { type: "poll_handshakes", node_id: id });
    if (reply?.type !== "poll_handshakes_ok") return;
    agent.act((node, now) => {
      for (const { from_node_id: from, justification } of reply.requests) {
        node.trust.handleRelayedRequest({ from, justification }, now);
      }
      for (const { from_node_id: from, accept } of reply.responses) {
        node.trust.handleRelayedResponse({ from, accept }, now);
      }
    });
  }
}
