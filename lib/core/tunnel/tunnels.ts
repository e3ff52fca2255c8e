/**
 * The encrypted lines to all peers: sealing and opening, choice of path, liveness.
 */

import type { Endpoint } from "../../wire/endpoint.ts";
import { decodePacket, type Packet, Protocol } from "../../wire/packet.ts";
import { decodeFrame } from "../../wire/tunnel.ts";
import { MAX_PEERS, PEER_ACTIVE_MS, PORT_TRAVERSAL } from "../constants.ts";
import { Fifo } from "../fifo.ts";
import type { Instant, Transmit } from "../machine.ts";
import { earlier, Timers } from "../timers.ts";
import type { OwnCandidates } from "./candidates.ts";
import { type CeilingOptions, DATAGRAM_OVERHEAD, datagramCeiling } from "./ceiling.ts";
import type { TunnelEvent } from "./event.ts";
import { FrameSlab } from "./frame_slab.ts";
import { type ExchangeOptions, KeyExchange } from "./key_exchange.ts";
import { PathKeeper } from "./path_keeper.ts";
import { type CandidateSource, RELAY, type Route } from "./path.ts";
import { Peer, type PeerContext } from "./peer.ts";
import { BASE_DATAGRAM } from "./pmtu.ts";
import { probeAnswer } from "./probe.ts";
import { FrameSender } from "./sender.ts";
import type { SealedFrame } from "./session.ts";
import { TunnelStats } from "./stats.ts";
import { Traversal, type TraversalState } from "./traversal.ts";
import { ViaNumbers } from "../via.ts";
import { Watchdog } from "./watchdog.ts";

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

type TimerKey = `exchange:${number}` | `watch:${number}`;

/** The encrypted lines to all peers of one node. */
export class Tunnels {
  readonly stats = new TunnelStats();
  readonly #options: TunnelOptions;
  readonly #peers = new Map<number, Peer>();
  readonly #timers = new Timers<TimerKey>();
  readonly #sender: FrameSender;
  readonly #events = new Fifo<TunnelEvent>();
  readonly #context: PeerContext;
  readonly #exchange: KeyExchange;
  readonly #keeper: PathKeeper;
  readonly #traversal: Traversal;
  #neverFragments = false;
  #relayOnly = false;

  /** @throws RangeError when datagrams are to be held below what every path carries */
  constructor(options: TunnelOptions) {
    this.#options = options;
    if (options.maxDatagram !== undefined && options.maxDatagram < BASE_DATAGRAM) {
      throw new RangeError(`datagrams cannot be held to less than ${BASE_DATAGRAM} bytes`);
    }
    const ceilings: CeilingOptions = {
      maxDatagram: options.maxDatagram,
      neverFragments: () => this.#neverFragments,
    };
    this.#context = {
      ...options,
      slab: new FrameSlab(),
      ceiling: (route, transport) => datagramCeiling(route, transport, ceilings),
      release: (node, via) => this.#traversal.release(node, via),
      relayOnly: () => this.#relayOnly,
    };
    const { self, unixTime, maySeeUs = () => false } = options;
    const { stats } = this;
    const sender = new FrameSender({ self, stats });
    this.#sender = sender;
    const peer = (node: number) => this.#peers.get(node);
    const emit = (event: TunnelEvent) => this.#events.push(event);
    const changed = (peer: Peer, now: Instant) => this.#traversal.notePath(peer, now);
    const keeper = new PathKeeper({ self, peer, sender, emit, changed });
    this.#keeper = keeper;
    this.#traversal = new Traversal({
      ...{ self, unixTime, peer, maySeeUs, sender, keeper, stats, emit },
      random: options.random,
      peers: () => this.#peers.values(),
      vias: options.vias ?? new ViaNumbers(),
      relayOnly: () => this.#relayOnly,
      search: options.search === true && options.vias !== undefined,
    });
    this.#exchange = new KeyExchange({
      ...this.#context,
      ...options,
      stats,
      emit,
      peer: (node, now) => this.#ensure(node, now),
      everywhere: (peer) => this.#everywhere(peer),
      transmit: (node, route, frame) => this.#sender.transmit(node, route, frame),
      noteSession: (peer, now) => keeper.noteSession(peer, now),
      schedule: (peer, at) => this.#timers.set(`exchange:${peer.node}`, at),
      agreed: (peer, now) => this.#agreed(peer, now),
    });
  }

  /** Where relayed frames go; `undefined` when there is no relay. */
  setBeacon(endpoint: Endpoint | undefined): void {
    this.#sender.beacon = endpoint;
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
    const peer = this.#ensure(node, now);
    this.#noteUse(peer, now);
    if (peer.mustRekey) peer.forgetKeys();
    if (!peer.hasSession) {
      peer.queue(packet);
      return this.#exchange.start(peer, now);
    }
    const routes = peer.paths.routes(now, this.#hasRelay);
    this.#sender.send(peer, packet, routes, now);
    const size = packet.payload.length + DATAGRAM_OVERHEAD;
    const due = peer.paths.noteSent(routes, now, size);
    if (due < peer.probeAt) this.#keeper.arm(peer, due);
    if (++peer.sentSinceOpened === 1) this.#awaitAnswer(peer, now);
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
    const peer = this.#ensure(node, now);
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
    for (const name of ["exchange", "watch"] as const) this.#timers.set(`${name}:${node}`, undefined);
  }

  /** A tunnel frame arrived by `route`. `claimed` is the sender named by the relay wrapper. */
  handleFrame(
    data: Uint8Array,
    route: Route,
    options: { readonly claimed?: number; readonly now: Instant },
  ): void {
    if (this.#relayOnly && route.kind === "direct") return this.stats.drop("relay_only");
    const frame = decodeFrame(data);
    if (typeof frame === "string") {
      return this.stats.drop(frame === "short" ? "frame_short" : "frame_unknown");
    }
    if (frame.kind === "punch") return this.stats.count("punches_in");
    if (frame.kind === "plain") return this.stats.drop("plaintext");
    if (options.claimed !== undefined && options.claimed !== frame.sender) {
      return this.stats.drop("relay_mismatch");
    }
    if (frame.sender === this.#options.self()) return this.stats.drop("own_frame");
    const { now } = options;
    if (frame.kind === "unauthenticated") this.#exchange.handleKeyRequest(frame.sender, route, now);
    else if (frame.kind === "authenticated") this.#exchange.handle(frame, route, now);
    else this.#handleSealed(frame.sender, frame, { route, size: data.length, now });
  }

  handleTimeout(now: Instant): void {
    for (let key = this.#timers.popDue(now); key !== undefined; key = this.#timers.popDue(now)) {
      const [name, node] = key.split(":");
      const peer = this.#peers.get(Number(node));
      if (peer === undefined) continue;
      if (name === "exchange") this.#exchange.due(peer, now);
      else this.#watch(peer, now);
    }
    this.#keeper.handleTimeout(now);
    this.#traversal.handleTimeout(now);
  }

  pollTimeout(): Instant | undefined {
    const paths = earlier(this.#keeper.pollTimeout(), this.#traversal.pollTimeout());
    return earlier(this.#timers.next(), paths);
  }

  pollTransmit(): Transmit | undefined {
    return this.#sender.poll();
  }

  pollEvent(): TunnelEvent | undefined {
    return this.#events.shift();
  }

  get #hasRelay(): boolean {
    return this.#sender.hasRelay;
  }

  #noteUse(peer: Peer, now: Instant): void {
    const isBack = now - peer.usedAt > PEER_ACTIVE_MS;
    peer.usedAt = now;
    if (isBack && peer.hasSession) this.#traversal.wake(peer, now);
  }

  #ensure(node: number, now: Instant): Peer {
    let peer = this.#peers.get(node);
    if (peer === undefined) {
      if (this.#peers.size >= MAX_PEERS) this.#evict();
      peer = new Peer(node, this.#context, now);
      this.#peers.set(node, peer);
    }
    return peer;
  }

  /** Makes room: peers that have proven nothing go first, then the one unused for longest. */
  #evict(): void {
    let worst: Peer | undefined;
    for (const peer of this.#peers.values()) {
      const order = worst === undefined ? -1 : Number(peer.isProven) - Number(worst.isProven);
      if (worst === undefined || order < 0 || (order === 0 && peer.usedAt < worst.usedAt)) worst = peer;
    }
    if (worst !== undefined) this.forget(worst.node);
  }

  #agreed(peer: Peer, now: Instant): void {
    peer.told.since ??= now;
    peer.paths.startProbing(now);
    for (const packet of peer.takePending()) this.send(peer.node, packet, now);
    this.#keeper.probe(peer, now);
    this.#traversal.begin(peer, now);
  }

  /** Authenticate, then judge the counter, then the addresses, and only then touch any state. */
  #handleSealed(
    sender: number,
    frame: SealedFrame,
    at: { readonly route: Route; readonly size: number; readonly now: Instant },
  ): void {
    const { route, now } = at;
    const peer = this.#peers.get(sender);
    const opened = peer?.open(frame, now) ?? "undecryptable";
    if (peer === undefined || opened === "undecryptable") {
      return this.#exchange.handleUndecryptable(sender, route, now);
    }
    if (opened === "replay") return this.stats.drop("replay");
    if (opened === "exhausted") {
      peer.forgetKeys();
      return this.#exchange.start(peer, now);
    }
    const packet = decodePacket(opened.plaintext, IN_SEALED_FRAME);
    if (typeof packet === "string") return this.stats.drop(`packet_${packet}`);
    const refusal = this.#refusal(peer, packet);
    if (refusal !== undefined) return this.stats.drop(refusal);
    this.stats.received(at.size);
    this.#noteUse(peer, now);
    const isControl = packet.protocol === Protocol.CONTROL;
    const arrival = { traffic: !isControl, size: at.size };
    if (peer.paths.noteReceived(route, now, arrival)) this.#keeper.arm(peer, now);
    this.#keeper.noteSession(peer, now);
    const token = isControl ? probeAnswer(packet) : undefined;
    if (token !== undefined) {
      if (!peer.paths.handleAnswer(token, now, route)) {
        this.#traversal.handleAnswer(peer, { token, from: route }, now);
      }
      this.#keeper.rearm(peer);
    } else if (isControl && packet.destinationPort === PORT_TRAVERSAL) {
      this.#traversal.handle(peer, packet.payload, now);
    } else this.#events.push({ type: "packet", peer: peer.node, packet, route });
    this.#keeper.tell(peer, now);
    if (peer.probeAt === Infinity) this.#keeper.rearm(peer);
  }

  /** A peer may only speak for itself and to us. Old keep-alives, empty pings, name no source. */
  #refusal(peer: Peer, packet: Packet): string | undefined {
    const isKeepalive = packet.protocol === Protocol.CONTROL && packet.payload.length === 0;
    if (packet.source.node !== peer.node && !(isKeepalive && packet.source.node === 0)) {
      return "spoofed_source";
    }
    if (packet.destination.node !== this.#options.self() && !isKeepalive) return "wrong_destination";
    return undefined;
  }

  #everywhere(peer: Peer): Route[] {
    const direct = peer.paths.candidates();
    return this.#hasRelay ? [...direct, RELAY] : direct;
  }

  #awaitAnswer(peer: Peer, now: Instant): void {
    peer.unansweredSince = now;
    this.#armWatch(peer, now + Watchdog.delay(peer.repairs));
  }

  #armWatch(peer: Peer, at: Instant): void {
    if (at >= peer.watchAt) return;
    peer.watchAt = at;
    this.#timers.set(`watch:${peer.node}`, at);
  }

  /** We send, the peer is silent: perhaps it lost its keys, perhaps its endpoint is another one now. */
  #watch(peer: Peer, now: Instant): void {
    peer.watchAt = Infinity;
    if (peer.sentSinceOpened === 0) return;
    const due = peer.unansweredSince + Watchdog.delay(peer.repairs);
    if (now < due) return this.#armWatch(peer, due);
    const suspicious = Watchdog.isSuspicious(peer);
    peer.sentSinceOpened = 0;
    if (!suspicious) return;
    peer.repairs++;
    if (peer.repairs > 1) peer.doubtDialect();
    this.#events.push({ type: "need_endpoint", peer: peer.node });
    this.#exchange.announce(peer, now);
    if (peer.repairs > 1) this.#exchange.askForKey(peer);
  }
}

const IN_SEALED_FRAME = { zeroMeansNone: true } as const;
