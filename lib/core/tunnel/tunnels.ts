/**
 * The encrypted lines to all peers: sealing and opening, choice of path, liveness.
 */

import { encodeBeacon } from "../../wire/beacon.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { decodePacket, type Packet, Protocol } from "../../wire/packet.ts";
import { decodeFrame } from "../../wire/tunnel.ts";
import { MAX_PEERS } from "../constants.ts";
import type { Instant, Transmit } from "../machine.ts";
import { Timers } from "../timers.ts";
import type { TunnelEvent } from "./event.ts";
import { type ExchangeOptions, KeyExchange } from "./key_exchange.ts";
import type { Route } from "./path.ts";
import { Peer } from "./peer.ts";
import { probeAnswer, probePacket } from "./probe.ts";
import type { SealedFrame } from "./session.ts";
import { TunnelStats } from "./stats.ts";
import { Watchdog } from "./watchdog.ts";

/** How the tunnels are built. */
export type TunnelOptions = Pick<
  ExchangeOptions,
  "self" | "aead" | "random" | "unixTime" | "identity" | "policy"
>;

/** A tunnel that opened a frame within this time needs no second look when a stream is dialled, milliseconds. */
const OPEN_TRUST_MS = 5_000;

type TimerKey = `exchange:${number}` | `probe:${number}` | `watch:${number}`;

/** The encrypted lines to all peers of one node. */
export class Tunnels {
  readonly stats = new TunnelStats();
  readonly #options: TunnelOptions;
  readonly #peers = new Map<number, Peer>();
  readonly #timers = new Timers<TimerKey>();
  readonly #transmits: Transmit[] = [];
  readonly #events: TunnelEvent[] = [];
  readonly #exchange: KeyExchange;
  #beacon: Endpoint | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#exchange = new KeyExchange({
      ...options,
      stats: this.stats,
      peer: (node, now) => this.#ensure(node, now),
      everywhere: (peer) => this.#everywhere(peer),
      transmit: (node, route, frame) => this.#transmit(node, route, frame),
      emit: (event) => this.#events.push(event),
      schedule: (peer, at) => this.#timers.set(`exchange:${peer.node}`, at),
      agreed: (peer, now) => this.#agreed(peer, now),
    });
  }

  /** Where relayed frames go; `undefined` when there is no relay. */
  setBeacon(endpoint: Endpoint | undefined): void {
    this.#beacon = endpoint;
  }

  peer(node: number): Peer | undefined {
    return this.#peers.get(node);
  }

  peers(): IterableIterator<Peer> {
    return this.#peers.values();
  }

  /** Sends a virtual packet to `node`, now or as soon as there is a key. */
  send(node: number, packet: Uint8Array, now: Instant): void {
    const peer = this.#ensure(node, now);
    peer.usedAt = now;
    if (peer.mustRekey) peer.forgetKeys();
    if (!peer.hasSession) {
      peer.queue(packet);
      return this.#exchange.start(peer, now);
    }
    const routes = peer.paths.routes(now, this.#hasRelay);
    for (const frame of peer.seal(packet, now)) {
      for (const route of routes) this.#transmit(node, route, frame);
    }
    peer.paths.noteSent(routes, now);
    this.#scheduleProbes(peer);
    if (++peer.sentSinceOpened === 1) this.#timers.set(`watch:${node}`, now + Watchdog.delay(peer.repairs));
  }

  /** Answers a ping on the path it came by. Answers are no traffic: they must not make paths and keys look used. */
  reply(node: number, packet: Uint8Array, route: Route, now: Instant): void {
    for (const frame of this.#peers.get(node)?.seal(packet, now) ?? []) this.#transmit(node, route, frame);
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

  /** Another endpoint to try for `node`. */
  addEndpoint(node: number, endpoint: Endpoint, now: Instant): void {
    const peer = this.#peers.get(node);
    if (peer === undefined || !peer.paths.addCandidate(endpoint, now)) return;
    if (peer.attempt !== undefined) this.#exchange.announce(peer, now, [{ kind: "direct", endpoint }]);
    this.#scheduleProbes(peer);
  }

  /** The identity key of `node` as asked for by `need_identity`, `undefined` when it cannot be had. */
  handleIdentity(node: number, key: Uint8Array | undefined, now: Instant): void {
    this.#exchange.handleIdentity(node, key, now);
  }

  /** Forgets keys, paths and waiting packets of `node` at once. */
  forget(node: number): void {
    this.#peers.delete(node);
    this.#exchange.forget(node);
    for (const name of ["exchange", "probe", "watch"] as const) {
      this.#timers.set(`${name}:${node}`, undefined);
    }
  }

  /** A tunnel frame arrived by `route`. `claimed` is the sender named by the relay wrapper. */
  handleFrame(
    data: Uint8Array,
    route: Route,
    options: { readonly claimed?: number; readonly now: Instant },
  ): void {
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
      else if (name === "probe") this.#probe(peer, now);
      else this.#watch(peer, now);
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#timers.next();
  }

  pollTransmit(): Transmit | undefined {
    return this.#transmits.shift();
  }

  pollEvent(): TunnelEvent | undefined {
    return this.#events.shift();
  }

  get #hasRelay(): boolean {
    return this.#beacon !== undefined;
  }

  #ensure(node: number, now: Instant): Peer {
    let peer = this.#peers.get(node);
    if (peer === undefined) {
      if (this.#peers.size >= MAX_PEERS) this.#evict();
      peer = new Peer(node, this.#options, now);
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
    peer.paths.startProbing(now);
    for (const packet of peer.takePending()) this.send(peer.node, packet, now);
    this.#probe(peer, now);
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
    const packet = decodePacket(opened.plaintext);
    if (typeof packet === "string") return this.stats.drop(`packet_${packet}`);
    const refusal = this.#refusal(peer, packet);
    if (refusal !== undefined) return this.stats.drop(refusal);
    this.stats.received(at.size);
    peer.usedAt = now;
    peer.paths.noteReceived(route, now, { traffic: packet.protocol !== Protocol.CONTROL });
    this.#timers.set(`watch:${peer.node}`, undefined);
    const token = probeAnswer(packet);
    if (token !== undefined) peer.paths.handleAnswer(token, now);
    else this.#events.push({ type: "packet", peer: peer.node, packet, route });
    this.#scheduleProbes(peer);
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
    const direct = peer.paths.candidates().map((endpoint): Route => ({ kind: "direct", endpoint }));
    return this.#hasRelay ? [...direct, { kind: "relay" }] : direct;
  }

  #transmit(node: number, route: Route, frame: Uint8Array): void {
    if (route.kind === "direct") {
      this.stats.sent(frame.length);
      this.#transmits.push({ to: route.endpoint, data: frame });
    } else if (this.#beacon !== undefined) {
      const data = encodeBeacon({ kind: "relay", sender: this.#options.self(), destination: node, frame });
      this.stats.sent(data.length);
      this.#transmits.push({ to: this.#beacon, data });
    }
  }

  #probe(peer: Peer, now: Instant): void {
    for (const { route, token } of peer.paths.dueProbes(now, this.#hasRelay)) {
      const packet = probePacket({ self: this.#options.self(), peer: peer.node, token });
      for (const frame of peer.seal(packet, now)) this.#transmit(peer.node, route, frame);
    }
    this.#scheduleProbes(peer);
  }

  #scheduleProbes(peer: Peer): void {
    this.#timers.set(`probe:${peer.node}`, peer.paths.nextTimeout(this.#hasRelay));
  }

  /** We send, the peer is silent: perhaps it lost its keys, perhaps its endpoint is another one now. */
  #watch(peer: Peer, now: Instant): void {
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
