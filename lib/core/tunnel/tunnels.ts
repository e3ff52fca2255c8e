/**
 * The encrypted lines to all peers: who they lead to, how they are opened, kept and given up.
 */

import type { Endpoint } from "../../wire/endpoint.ts";
import type { Packet } from "../../wire/packet.ts";
import { PEER_ACTIVE_MS } from "../constants.ts";
import { Fifo } from "../fifo.ts";
import type { Relay } from "../beacons.ts";
import type { Instant, Transmit } from "../machine.ts";
import { earlier, Timers } from "../timers.ts";
import { ViaNumbers } from "../via.ts";
import type { OwnCandidates } from "./candidates.ts";
import { type CeilingOptions, DATAGRAM_OVERHEAD, datagramCeiling } from "./ceiling.ts";
import type { TunnelEvent } from "./event.ts";
import { FrameReceiver } from "./frame_receiver.ts";
import { FrameSlab } from "./frame_slab.ts";
import { type ExchangeOptions, KeyExchange } from "./key_exchange.ts";
import { PathKeeper } from "./path_keeper.ts";
import { type CandidateSource, RELAY, type Route } from "./path.ts";
import type { Peer, PeerContext } from "./peer.ts";
import { PeerTable } from "./peer_table.ts";
import { BASE_DATAGRAM } from "./pmtu.ts";
import { FrameSender } from "./sender.ts";
import { SilenceWatch } from "./silence.ts";
import { TunnelStats } from "./stats.ts";
import { Traversal, type TraversalState } from "./traversal.ts";

/** How the tunnels are built. */
export type TunnelOptions =
  & Pick<ExchangeOptions, "self" | "aead" | "random" | "unixTime" | "identity" | "policy" | "abilities">
  & {
    readonly maxDatagram?: number;
    /** Whether a node may know where we are; nobody may when absent. */
    readonly maySeeUs?: (node: number) => boolean;
    /** Numbers of extra sockets; without them, and unless `search` is set, ports are not searched. */
    readonly vias?: ViaNumbers;
    readonly search?: boolean;
    /** How long a NAT's mapping may be left alone, milliseconds. */
    readonly keepAlive?: () => number;
  };

/** The largest payload that every path carries, bytes. */
export const BASE_PAYLOAD = BASE_DATAGRAM - DATAGRAM_OVERHEAD;

/** A tunnel that opened a frame within this time needs no second look when a stream is dialled, milliseconds. */
const OPEN_TRUST_MS = 5_000;

/** Announcements of our key in one recovery, each of which takes signatures; others follow when peers are silent. */
const RECOVERY_EXCHANGES = 64;

/** The encrypted lines to all peers of one node. */
export class Tunnels {
  readonly stats = new TunnelStats();
  readonly #peers: PeerTable;
  /** When an exchange under way is repeated. */
  readonly #timers = new Timers<number>();
  readonly #slab = new FrameSlab();
  readonly #sender: FrameSender;
  readonly #receiver: FrameReceiver;
  readonly #events = new Fifo<TunnelEvent>();
  readonly #exchange: KeyExchange;
  readonly #keeper: PathKeeper;
  readonly #traversal: Traversal;
  readonly #silence: SilenceWatch;
  #neverFragments = false;
  #relayOnly = false;

  /** @throws RangeError when datagrams are to be held below what every path carries */
  constructor(options: TunnelOptions) {
    if (options.maxDatagram !== undefined && options.maxDatagram < BASE_DATAGRAM) {
      throw new RangeError(`datagrams cannot be held to less than ${BASE_DATAGRAM} bytes`);
    }
    const ceilings: CeilingOptions = {
      maxDatagram: options.maxDatagram,
      neverFragments: () => this.#neverFragments,
    };
    const context: PeerContext = {
      ...options,
      slab: this.#slab,
      ceiling: (route, transport) => datagramCeiling(route, transport, ceilings),
      release: (node, via) => this.#traversal.release(node, via),
      relayOnly: () => this.#relayOnly,
    };
    this.#peers = new PeerTable(context, (node) => this.forget(node));
    const { self, unixTime, maySeeUs = () => false } = options;
    const { stats } = this;
    const peer = (node: number) => this.#peers.get(node);
    const sender = new FrameSender({ self, stats, peer });
    this.#sender = sender;
    const emit = (event: TunnelEvent) => this.#events.push(event);
    const changed = (peer: Peer, now: Instant) => this.#traversal.notePath(peer, now);
    const keeper = new PathKeeper({ self, peer, sender, emit, changed });
    this.#keeper = keeper;
    this.#silence = new SilenceWatch({ peer, emit, keeper, exchange: () => this.#exchange });
    this.#traversal = new Traversal({
      ...{ self, unixTime, peer, maySeeUs, sender, keeper, stats, emit },
      random: options.random,
      peers: () => this.#peers.values(),
      vias: options.vias ?? new ViaNumbers(),
      relayOnly: () => this.#relayOnly,
      search: options.search === true && options.vias !== undefined,
    });
    this.#exchange = new KeyExchange({
      ...context,
      ...options,
      stats,
      emit,
      peer: (node, now) => this.#peers.ensure(node, now),
      everywhere: (peer) => this.#everywhere(peer),
      transmit: (node, route, frame) => this.#sender.transmit(node, route, frame),
      noteSession: (peer, now) => keeper.noteSession(peer, now),
      schedule: (peer, at) => this.#timers.set(peer.node, at),
      agreed: (peer, now) => this.#agreed(peer, now),
    });
    this.#receiver = new FrameReceiver({
      ...{ self, stats, peer, sender, keeper, emit },
      relayOnly: () => this.#relayOnly,
      exchange: this.#exchange,
      silence: this.#silence,
      traversal: this.#traversal,
    });
  }

  /** The beacons that relayed frames may go through, the best first. */
  setRelays(relays: readonly Relay[]): void {
    this.#sender.relays = relays;
  }

  /**
   * Whether the socket never lets a datagram be fragmented: then sizes above an Ethernet frame may be tried on any
   * path, not only on loopback.
   */
  setNeverFragments(neverFragments: boolean, now: Instant): void {
    if (neverFragments === this.#neverFragments) return;
    this.#neverFragments = neverFragments;
    for (const peer of this.#peers.values()) {
      peer.paths.updateCeilings(now);
      this.#keeper.rearm(peer);
    }
  }

  /** Whether frames go through the relay only, because nothing else leaves this network; then no endpoint is tried. */
  get relayOnly(): boolean {
    return this.#relayOnly;
  }

  /** Sets `relayOnly`. Every peer is then looked for as the new situation allows. */
  setRelayOnly(relayOnly: boolean, now: Instant): void {
    if (relayOnly === this.#relayOnly) return;
    this.#relayOnly = relayOnly;
    for (const peer of this.#peers.values()) {
      if (relayOnly) {
        this.#traversal.forget(peer.node);
        peer.paths.forgetDirect(now);
      } else {
        this.#events.push({ type: "need_endpoint", peer: peer.node });
        if (peer.hasSession) this.#traversal.begin(peer, now);
      }
      this.#keeper.tell(peer, now);
      if (peer.attempt !== undefined) this.#exchange.announce(peer, now);
      this.#keeper.rearm(peer);
    }
  }

  peer(node: number): Peer | undefined {
    return this.#peers.get(node);
  }

  peers(): IterableIterator<Peer> {
    return this.#peers.values();
  }

  /** Sends a virtual packet to `node`, now or as soon as there is a key. */
  send(node: number, packet: Packet, now: Instant): void {
    const peer = this.#peers.ensure(node, now);
    peer.usedAt = now;
    this.#traversal.noteTraffic(peer, now);
    if (peer.mustRekey) peer.forgetKeys();
    if (!peer.hasSession) {
      peer.queue(packet);
      return this.#exchange.start(peer, now);
    }
    const routes = peer.paths.routes(now, this.#sender.hasRelay);
    this.#sender.send(peer, packet, routes, now);
    const size = packet.payload.length + DATAGRAM_OVERHEAD;
    const due = peer.paths.noteSent(routes, now, size);
    if (due < peer.probeAt) this.#keeper.arm(peer, due);
    if (++peer.sentSinceOpened === 1) this.#silence.start(peer, now);
  }

  /** The largest payload of a virtual packet that a datagram to `node` carries now, bytes. */
  payloadLimit(node: number): number {
    return (this.#peers.get(node)?.paths.limit ?? BASE_DATAGRAM) - DATAGRAM_OVERHEAD;
  }

  /** Answers a ping on the path it came by. Answers are no traffic: they must not make paths and keys look used. */
  reply(node: number, packet: Packet, route: Route, now: Instant): void {
    const peer = this.#peers.get(node);
    if (peer !== undefined) this.#sender.send(peer, packet, [route], now);
  }

  /**
   * Makes sure that a tunnel to `node` exists or is on its way. After a silence the peer may be another process, at
   * another place: it is looked for as if it were new, beside what the old tunnel carries.
   */
  open(node: number, now: Instant): void {
    const peer = this.#peers.ensure(node, now);
    if (!peer.hasSession) return this.#exchange.start(peer, now);
    if (peer.openedAt !== undefined && now - peer.openedAt < OPEN_TRUST_MS && peer.repairs === 0) return;
    peer.repairs = 0;
    this.#events.push({ type: "need_endpoint", peer: node });
    this.#exchange.announce(peer, now);
  }

  /** Shows our key to `node` again, for example after the computer has slept. */
  announce(node: number, now: Instant): void {
    const peer = this.#peers.get(node);
    if (peer !== undefined) this.#exchange.announce(peer, now);
  }

  /**
   * Something about ways to reach us is known now, or is different: peers of our kind are told. True when this is
   * another network than before.
   */
  updateOwn(change: Partial<OwnCandidates>, now: Instant): boolean {
    return this.#traversal.update(change, now);
  }

  /** What a peer has told of its NAT, and how the search of ports with it stands. */
  traversalState(node: number, now: Instant): TraversalState {
    return this.#traversal.stateOf(node, now);
  }

  /** The registry says whether only the relay reaches `node`. */
  noteRelayOnly(node: number, isRelayOnly: boolean): void {
    const peer = this.#peers.get(node);
    if (peer !== undefined) peer.isRelayOnly = isRelayOnly;
  }

  /** Asks `node` for a sign of life on every path at once. */
  probeAll(node: number, now: Instant): void {
    const peer = this.#peers.get(node);
    if (peer === undefined || !peer.hasSession) return;
    peer.paths.probeAll(now);
    this.#keeper.probe(peer, now);
  }

  /** A node may know where we are from now on. */
  handleTrusted(node: number, now: Instant): void {
    const peer = this.#peers.get(node);
    if (peer?.hasSession === true) this.#traversal.begin(peer, now);
  }

  /**
   * The network may be another one: shows our key to the peers that were in use at `awakeAt`, from wherever we are now,
   * and tries all paths to them again. Peers that are not in use wait until they are.
   */
  recover(awakeAt: Instant, now: Instant): void {
    const inUse = [...this.#peers.values()]
      .filter((peer) => peer.hasSession && awakeAt - peer.usedAt <= PEER_ACTIVE_MS)
      .sort((a, b) => b.usedAt - a.usedAt);
    for (const [index, peer] of inUse.entries()) {
      peer.paths.forgive(now);
      this.#keeper.rearm(peer);
      if (index < RECOVERY_EXCHANGES) this.#exchange.announce(peer, now);
    }
  }

  /** The beacon sees the extra socket `via` at `endpoint`. */
  handleOutside(via: number, endpoint: Endpoint, now: Instant): void {
    this.#traversal.handleOutside(via, endpoint, now);
  }

  /** Another endpoint to try for `node`. */
  addEndpoint(
    node: number,
    endpoint: Endpoint,
    at: { readonly source: CandidateSource; readonly now: Instant },
  ): void {
    const peer = this.#peers.get(node);
    const { source, now } = at;
    if (peer === undefined) return;
    if (source === "punched") this.#traversal.noteSeenAt(peer, endpoint.host, now);
    if (!peer.paths.addCandidate(endpoint, now, source)) return;
    if (peer.attempt !== undefined) this.#exchange.announce(peer, now, [{ kind: "direct", endpoint }]);
    this.#keeper.rearm(peer);
  }

  /** The identity key of `node` as asked for by `need_identity`, `undefined` when it cannot be had. */
  handleIdentity(node: number, key: Uint8Array | undefined, now: Instant): void {
    this.#exchange.handleIdentity(node, key, now);
  }

  /** Forgets keys, paths and waiting packets of `node` at once. */
  forget(node: number): void {
    this.#traversal.forget(node);
    this.#peers.get(node)?.paths.dropExtra({ proven: true });
    this.#peers.delete(node);
    this.#exchange.forget(node);
    this.#keeper.forget(node);
    this.#silence.forget(node);
    this.#timers.set(node, undefined);
  }

  /** A tunnel frame arrived by `route`. `claimed` is the sender named by the relay wrapper. */
  handleFrame(
    data: Uint8Array,
    route: Route,
    options: { readonly claimed?: number; readonly now: Instant },
  ): void {
    this.#receiver.handle(data, route, options);
  }

  handleTimeout(now: Instant): void {
    for (let node = this.#timers.popDue(now); node !== undefined; node = this.#timers.popDue(now)) {
      const peer = this.#peers.get(node);
      if (peer !== undefined) this.#exchange.due(peer, now);
    }
    this.#silence.handleTimeout(now);
    this.#keeper.handleTimeout(now);
    this.#traversal.handleTimeout(now);
  }

  pollTimeout(): Instant | undefined {
    const paths = earlier(this.#keeper.pollTimeout(), this.#traversal.pollTimeout());
    return earlier(earlier(this.#timers.next(), this.#silence.pollTimeout()), paths);
  }

  pollTransmit(): Transmit | undefined {
    return this.#sender.poll();
  }

  /** Nobody needs the frames polled so far any more. */
  reuse(): void {
    if (this.#sender.isEmpty) this.#slab.reuse();
  }

  pollEvent(): TunnelEvent | undefined {
    return this.#events.shift();
  }

  #agreed(peer: Peer, now: Instant): void {
    peer.told.since ??= now;
    peer.paths.startProbing(now);
    for (const packet of peer.takePending()) this.send(peer.node, packet, now);
    this.#keeper.probe(peer, now);
    this.#traversal.begin(peer, now);
  }

  #everywhere(peer: Peer): Route[] {
    const direct = peer.paths.candidates();
    return this.#sender.hasRelay ? [...direct, RELAY] : direct;
  }
}
