/**
 * One agent on the network, without I/O: tunnels, streams, trust and the beacon link, wired together.
 *
 * The order of judgement for everything inbound is fixed here: authenticated by the tunnel, then admitted by trust,
 * then delivered. Nothing skips a step.
 */

import type { Address } from "../wire/address.ts";
import { decodeBeacon } from "../wire/beacon.ts";
import { type Endpoint, sameEndpoint } from "../wire/endpoint.ts";
import { isExamineDatagram } from "../wire/examine.ts";
import { PilotError } from "../wire/error.ts";
import { type Packet } from "../wire/packet.ts";
import type { RegistryReply } from "../wire/registry.ts";
import { isBeaconDatagram } from "../wire/tunnel.ts";
import { judgePacket } from "./admission.ts";
import { type BeaconEvent, Beacons } from "./beacons.ts";
import { PORT_HANDSHAKE, REPLY_PORTS } from "./constants.ts";
import { Dials } from "./dials.ts";
import { Fifo } from "./fifo.ts";
import { type HandshakeEvent, HandshakePort } from "./handshake_port.ts";
import type { Instant, Machine, Transmit } from "./machine.ts";
import type { NatBehaviour } from "./nat/behaviour.ts";
import { Examiner } from "./nat/examiner.ts";
import type { NodeEvent } from "./node_event.ts";
import type { NodeOptions } from "./node_options.ts";
import { NodeWatchdog } from "./node_watchdog.ts";
import { Offer } from "./offer.ts";
import { datagramPacket, streamPacket } from "./outgoing.ts";
import { Recovery } from "./recovery.ts";
import { RegistryDesk } from "./registry_desk.ts";
import { Ports, type PortsEvent } from "./stream/ports.ts";
import { earlier } from "./timers.ts";
import { Trust, type TrustAction } from "./trust.ts";
import type { TunnelEvent } from "./tunnel/event.ts";
import { directRoute, type Route } from "./tunnel/path.ts";
import { pongPacket } from "./tunnel/probe.ts";
import { Tunnels } from "./tunnel/tunnels.ts";
import { ViaNumbers } from "./via.ts";

export type { NodeOptions } from "./node_options.ts";

/** Handshake documents leave in one segment: foreign nodes read no more than their first. */
const HANDSHAKE_SEGMENT = 4_096;

/** One agent on the network. */
export class Node implements Machine<NodeEvent> {
  readonly trust: Trust;
  readonly ports: Ports;
  readonly tunnels: Tunnels;
  readonly beacon: Beacons;
  readonly examiner: Examiner;
  readonly #desk: RegistryDesk;
  readonly #handshakes: HandshakePort;
  readonly #events = new Fifo<NodeEvent>();
  readonly #datagramPort: number;
  /** What we offer for streams to nodes of our kind. */
  readonly #offer: Offer;
  readonly #dials = new Dials();
  readonly #watchdog = new NodeWatchdog();
  readonly #recovery = new Recovery();
  /** Whether no beacon answers. */
  #isCutOff = false;
  #givenNat: NatBehaviour | undefined;
  /** Numbers of extra sockets, for all parts that use some. */
  readonly #vias = new ViaNumbers();
  #now: Instant = 0;
  #node: number;
  #self: Address;
  #isPublic: boolean;

  constructor(options: NodeOptions) {
    this.#node = options.node ?? 0;
    this.#self = { network: 0, node: this.#node };
    this.#isPublic = options.isPublic ?? false;
    this.#offer = new Offer(options.profile);
    const self = () => this.#node;
    const keepAlive = () => this.examiner.keepAliveMs;
    this.beacon = new Beacons({
      self,
      keepAlive,
      // A beacon that does not say who wants to punch is obeyed only by nodes that have somebody to wait for.
      mayPunch: (node, now) =>
        node === undefined
          ? this.#isPublic || this.trust.trusted().length > 0
          : this.trust.mayExchangeKeys(node, now),
    });
    this.examiner = new Examiner({ ...options, vias: this.#vias });
    this.#desk = new RegistryDesk({ self });
    this.ports = new Ports({
      random: options.random,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    this.ports.listen(PORT_HANDSHAKE);
    this.#handshakes = new HandshakePort(this.ports);
    this.trust = new Trust({
      self,
      identity: options.identity,
      unixTime: options.unixTime,
      isPublic: () => this.#isPublic,
      canReach: (peer) => this.tunnels.peer(peer)?.isProven ?? false,
      replyPorts: REPLY_PORTS,
      ...(options.trust === undefined ? {} : { snapshot: options.trust }),
    });
    this.tunnels = new Tunnels({
      ...options,
      self,
      keepAlive,
      abilities: this.#offer.abilities,
      maySeeUs: (node) => this.trust.isTrusted(node),
      vias: this.#vias,
      search: options.search ?? true,
      policy: {
        mayExchange: (node, now) => this.trust.mayExchangeKeys(node, now),
        acceptsKey: (node, key) => this.trust.acceptsKey(node, key),
        identityKey: (node) => this.trust.pinnedKey(node) ?? this.#desk.identity(node, this.#now),
      },
    });
    const port = new DataView(options.random(new Uint8Array(2)).buffer).getUint16(0);
    this.#datagramPort = 49_152 + (port % 16_384);
  }

  get node(): number {
    return this.#node;
  }

  /** What is known of the NAT in front of this node. */
  get nat(): NatBehaviour {
    return this.#givenNat ?? this.examiner.behaviour;
  }

  get isPublic(): boolean {
    return this.#isPublic;
  }

  /** Whether strangers may reach this node. */
  setPublic(isPublic: boolean): void {
    this.#isPublic = isPublic;
  }

  /** The registry has given (or confirmed) the node id. */
  handleRegistered(node: number, now: Instant): void {
    this.#node = node;
    this.#self = { network: 0, node };
    this.trust.handleRegistered(now);
    this.beacon.announce(now);
    this.#pump(now);
  }

  /** The beacons to use, the preferred one first; the first four are. */
  setBeacons(endpoints: readonly Endpoint[], now: Instant): void {
    this.beacon.setBeacons(endpoints, now);
    this.#pump(now);
  }

  /** The addresses of this computer with the port of the main socket. Only peers that are trusted hear of them. */
  setLocal(endpoints: readonly Endpoint[], now: Instant): void {
    this.examiner.setLocal(endpoints, now);
    // On another network the beacon must hear of us before it can relay anything to us.
    if (this.tunnels.updateOwn({ local: endpoints }, now)) this.beacon.announce(now);
    this.#pump(now);
  }

  /** The outside endpoint that the router forwards to the main socket, `undefined` when there is none. */
  setMapped(endpoint: Endpoint | undefined, now: Instant): void {
    this.tunnels.updateOwn({ mapped: endpoint }, now);
    this.#pump(now);
  }

  /** What is known of the NAT in front of this node, in place of what its examination finds. */
  setNat(nat: NatBehaviour, now: Instant): void {
    this.#givenNat = nat;
    this.tunnels.updateOwn({ nat }, now);
    this.#pump(now);
  }

  /**
   * Whether a carrier in place of UDP brings relayed frames to the beacon: `up`, or `down` for the moment; `undefined`
   * for UDP. With a carrier nothing but relayed frames leaves, so that no peer is looked for elsewhere.
   */
  setCarrier(carrier: "up" | "down" | undefined, now: Instant): void {
    this.beacon.setCarrier(carrier, now);
    this.tunnels.setRelayOnly(carrier !== undefined, now);
    this.#pump(now);
  }

  /**
   * Dials `port` of `remote`; the number of the stream. Its events follow as `stream` events, or one `dial_failed`.
   * A peer that does not trust us stays silent, so a dial to it times out.
   */
  connect(remote: Address, port: number, now: Instant): number {
    this.trust.noteDialed(remote.node, now);
    const id = this.ports.connect(remote, port, now);
    this.#dials.note(id, remote.node);
    this.tunnels.open(remote.node, now);
    this.#pump(now);
    return id;
  }

  /** The largest unreliable message that the path to a peer carries in one piece now, bytes; at least 1,152. */
  datagramLimit(peer: number): number {
    return this.tunnels.payloadLimit(peer);
  }

  /** Sends an unreliable message. @throws RangeError when the path does not carry it in one piece */
  sendDatagram(
    remote: Address,
    port: number,
    options: { readonly data: Uint8Array; readonly now: Instant },
  ): void {
    const { data: payload, now } = options;
    const limit = this.datagramLimit(remote.node);
    if (payload.length > limit) {
      throw new RangeError(
        `a datagram of ${payload.length} bytes is above the ${limit} that the path carries`,
      );
    }
    this.trust.noteDialed(remote.node, now);
    const packet = datagramPacket(this.#self, this.#datagramPort, { remote, port, payload });
    this.tunnels.send(remote.node, packet, now);
    this.#pump(now);
  }

  /** Runs `action` on the streams or the trust book and takes all of its consequences. */
  act<Result>(now: Instant, action: () => Result): Result {
    const result = action();
    this.#pump(now);
    return result;
  }

  /** The registry's answer to a `registry` event; `undefined` when it could not be asked. */
  handleRegistryReply(tag: string, reply: RegistryReply | undefined, now: Instant): void {
    const answer = this.#desk.handleReply(tag, reply, now);
    if (answer?.type === "other") this.trust.handleRegistryReply(answer.tag, answer.ok, now);
    else if (answer?.type === "endpoint") {
      this.tunnels.addEndpoint(answer.peer, answer.endpoint, { source: "registry", now });
      this.tunnels.noteRelayOnly(answer.peer, false);
    } else if (answer?.type === "relay_only") {
      this.beacon.stopPunch(answer.peer);
      this.tunnels.noteRelayOnly(answer.peer, true);
    } else if (answer?.type === "no_endpoint") this.#unresolved(answer.peer, answer.reason, now);
    else if (answer?.type === "identity") {
      this.trust.handleKey(answer.peer, answer.key, now);
      const key = this.trust.pinnedKey(answer.peer) ?? answer.key;
      this.tunnels.handleIdentity(answer.peer, key, now);
    }
    this.#pump(now);
  }

  /** The computer has another address than before, or another way out. */
  handleNetworkChange(now: Instant): void {
    this.#recovery.request("network");
    this.#recover(now);
    this.#pump(now);
  }

  handleDatagram(from: Endpoint, data: Uint8Array, now: Instant, via = 0): void {
    this.#now = now;
    const opened = this.tunnels.stats.packetsReceived;
    if (isExamineDatagram(data)) {
      if (!this.examiner.handleDatagram(from, data, now, via)) this.tunnels.stats.drop("examine_unasked");
    } else if (!isBeaconDatagram(data)) {
      this.tunnels.handleFrame(data, directRoute(from, via), { now });
    } else if (!this.beacon.isBeacon(from)) {
      this.tunnels.stats.drop("not_the_beacon");
    } else {
      const message = decodeBeacon(data);
      if (typeof message === "string") this.tunnels.stats.drop("beacon_malformed");
      else if (message.kind === "relay_deliver" || message.kind === "relay_deliver_dest") {
        const route: Route = { kind: "relay", beacon: from };
        this.tunnels.handleFrame(message.frame, route, { claimed: message.sender, now });
      } else if (via !== 0) {
        if (message.kind === "discover_reply") this.tunnels.handleOutside(via, message.endpoint, now);
      } else {
        this.beacon.handleMessage(from, message, now);
        this.#watchdog.noteReceived();
      }
    }
    if (this.tunnels.stats.packetsReceived !== opened) this.#watchdog.noteReceived();
    this.#recover(now);
    this.#pump(now);
  }

  handleTimeout(now: Instant): void {
    this.#now = now;
    this.tunnels.handleTimeout(now);
    this.ports.handleTimeout(now);
    this.trust.handleTimeout(now);
    this.beacon.handleTimeout(now);
    this.examiner.handleTimeout(now);
    this.#handshakes.handleTimeout(now);
    const step = this.#watchdog.handleTimeout(now);
    if (step === "ask") this.beacon.check(now);
    else if (step === "recover") this.#recovery.request("silence");
    this.#recover(now);
    this.#pump(now);
  }

  /** Stream segments are made when the socket has room for them, so what waits, waits in the streams. */
  pollTransmit(now: Instant): Transmit | undefined {
    const transmit = this.tunnels.pollTransmit() ?? this.beacon.pollTransmit() ??
      this.examiner.pollTransmit() ?? this.#pollStream(now);
    if (transmit !== undefined) this.#watchdog.noteSent(now);
    return transmit;
  }

  pollTimeout(): Instant | undefined {
    const transport = earlier(this.tunnels.pollTimeout(), this.ports.pollTimeout());
    const rest = earlier(this.trust.pollTimeout(), this.beacon.pollTimeout());
    const quiet = earlier(this.examiner.pollTimeout(), this.#handshakes.pollTimeout());
    const care = earlier(this.#watchdog.pollTimeout(), this.#recovery.pollTimeout());
    return earlier(earlier(transport, rest), earlier(quiet, care));
  }

  pollEvent(): NodeEvent | undefined {
    return this.#events.shift();
  }

  handleOpened(via: number, port: number): void {
    this.examiner.handleOpened(via, port);
  }

  pollClose(): number | undefined {
    return this.#vias.pollClose();
  }

  /** Moves what each part has to say to the part that must hear it, until all are quiet. */
  #pump(now: Instant): void {
    this.#now = now;
    const { tunnels, ports, trust, beacon, examiner } = this;
    const handshakes = this.#handshakes;
    for (let moved = true; moved;) {
      moved = false;
      for (let event = tunnels.pollEvent(); event !== undefined; event = tunnels.pollEvent()) {
        this.#handleTunnel(event, now);
      }
      for (let event = ports.pollEvent(); event !== undefined; event = ports.pollEvent()) {
        this.#handleStream(event, now);
        moved = true;
      }
      for (let event = handshakes.pollEvent(); event !== undefined; event = handshakes.pollEvent()) {
        this.#handleHandshake(event, now);
        moved = true;
      }
      for (let action = trust.pollAction(); action !== undefined; action = trust.pollAction()) {
        this.#carryOut(action, now);
        moved = true;
      }
      for (let event = trust.pollEvent(); event !== undefined; event = trust.pollEvent()) {
        if (event.type === "trust.established") tunnels.handleTrusted(event.peer, now);
        this.#events.push({ type: "trust", event });
        moved = true;
      }
      for (let event = beacon.pollEvent(); event !== undefined; event = beacon.pollEvent()) {
        this.#handleBeacon(event, now);
        moved = true;
      }
      for (let event = examiner.pollEvent(); event !== undefined; event = examiner.pollEvent()) {
        tunnels.updateOwn({ nat: this.nat }, now);
        this.#events.push(event);
      }
    }
    for (let ask = this.#desk.pollRequest(); ask !== undefined; ask = this.#desk.pollRequest()) {
      this.#events.push({ type: "registry", ...ask });
    }
  }

  /** Starts over with the network, if it is time: beacons first, then peers, and the program around looks after the rest. */
  #recover(now: Instant): void {
    const reason = this.#recovery.poll(now);
    if (reason === undefined) return;
    this.beacon.announce(now);
    this.tunnels.recover(this.#recovery.awakeAt, now);
    this.#events.push({ type: "recovering", reason });
  }

  /** The next datagram of a stream. A segment whose peer has no key yet waits with the tunnels. */
  #pollStream(now: Instant): Transmit | undefined {
    for (let out = this.ports.pollTransmit(now); out !== undefined; out = this.ports.pollTransmit(now)) {
      this.tunnels.send(out.remote.node, streamPacket(this.#self, out), now);
      const transmit = this.tunnels.pollTransmit();
      if (transmit !== undefined) return transmit;
    }
    return undefined;
  }

  #flushStreams(now: Instant): void {
    for (let out = this.ports.pollTransmit(now); out !== undefined; out = this.ports.pollTransmit(now)) {
      this.tunnels.send(out.remote.node, streamPacket(this.#self, out), now);
    }
  }

  #handleTunnel(event: TunnelEvent, now: Instant): void {
    if (event.type === "packet") this.#handlePacket(event.peer, event.packet, event.route, now);
    else if (event.type === "transport") {
      this.ports.setProfile(event.peer, this.#offer.agree(event.transport));
    } else if (event.type === "segment_limit") this.ports.setSegmentLimit(event.peer, event.bytes);
    else if (event.type === "path_changed") this.#handlePathChange(event.peer, now);
    else if (event.type === "silent") this.beacon.check(now);
    else if (event.type === "heard_again") this.ports.handlePathChange(event.peer, now);
    else if (event.type === "need_identity") {
      if (!this.#desk.askIdentity(event.peer, now)) this.tunnels.handleIdentity(event.peer, undefined, now);
    } else if (event.type === "need_endpoint") {
      this.#desk.askEndpoint(event.peer);
      this.beacon.punch(event.peer, now);
      if (this.beacon.beacon !== undefined) this.#events.push({ type: "punch", peer: event.peer });
    } else if (event.type === "need_punch") {
      this.beacon.stopPunch(event.peer);
      this.beacon.punch(event.peer, now);
      this.#events.push({ type: "punch", peer: event.peer });
    } else if (event.type === "unreachable") {
      this.#failDials(event.peer, "timeout", now);
      this.#events.push(event);
    } else if (event.type === "identity_mismatch") this.#desk.forgetIdentity(event.peer);
    else this.#events.push(event);
  }

  #handlePathChange(peer: number, now: Instant): void {
    this.ports.handlePathChange(peer, now);
    // Whatever broke the direct path may have taken the beacon along, which is all that is left now.
    if (this.tunnels.peer(peer)?.paths.inUse === undefined) this.beacon.check(now);
    this.#events.push({ type: "path", peer });
  }

  #handlePacket(peer: number, packet: Packet, route: Route, now: Instant): void {
    if (this.tunnels.peer(peer)?.paths.isDirect === true) this.beacon.stopPunch(peer);
    const verdict = judgePacket(this.trust, { peer, packet, now });
    if (verdict === "not_trusted") return this.tunnels.stats.drop(verdict);
    if (verdict === "stream") {
      this.ports.handlePacket(packet, now, { admitted: true });
    } else if (verdict === "datagram") {
      const { source, sourcePort, destinationPort, payload: data } = packet;
      this.#events.push({ type: "datagram", source, sourcePort, destinationPort, data });
    } else if (verdict === "control") {
      const pong = pongPacket(packet, this.#node);
      if (pong !== undefined) this.tunnels.reply(peer, pong, route, now);
    }
  }

  #handleStream(event: PortsEvent, now: Instant): void {
    const dialled = event.type === "connected" || event.type === "closed"
      ? this.#dials.settle(event.id)
      : undefined;
    if (event.type === "accepted" && event.port === PORT_HANDSHAKE) {
      this.#handshakes.accept(event.id, event.remote.node, now);
    } else if (this.#handshakes.owns(event.id)) {
      this.#handshakes.handleStream(event, now);
    } else {
      if (event.type === "connected" && dialled !== undefined) this.trust.noteAnswered(dialled, now);
      this.#events.push({ type: "stream", event });
    }
  }

  #handleHandshake(event: HandshakeEvent, now: Instant): void {
    if (event.type === "delivery") {
      return this.trust.handleDelivery(event.peer, event.kind, event.delivered, now);
    }
    const peer = this.tunnels.peer(event.peer);
    if (peer?.identityKey === undefined) return;
    const origin = peer.paths.describe(false).endpoint?.host;
    this.trust.handleMessage(event.document, {
      node: event.peer,
      publicKey: peer.identityKey,
      ...(origin === undefined ? {} : { origin }),
    }, now);
  }

  #carryOut(action: TrustAction, now: Instant): void {
    if (action.type === "send") this.#deliver(action, now);
    else if (action.type === "registry") this.#desk.ask(action.tag, action.request);
    else if (action.type === "lookup") this.#desk.askFreshIdentity(action.peer);
    else if (action.type === "save") this.#events.push({ type: "save_trust" });
    else this.#drop(action.peer, now);
  }

  #handleBeacon(event: BeaconEvent, now: Instant): void {
    if (event.type === "candidate") {
      return this.tunnels.addEndpoint(event.peer, event.endpoint, { source: "punched", now });
    }
    if (event.type === "relays") {
      this.tunnels.setRelays(this.beacon.usable);
      return this.examiner.setBeacon(this.beacon.beacon);
    }
    if (event.type === "seen") {
      if (!event.isFirst) this.#recovery.request("endpoint");
      const isElsewhere = this.beacon.beacon !== undefined && !sameEndpoint(event.beacon, this.beacon.beacon);
      return isElsewhere ? this.examiner.handleElsewhere(event.beacon, event.endpoint) : undefined;
    }
    if (event.type === "beacon") {
      if (event.reachable && this.#isCutOff) this.#recovery.request("beacon");
      this.#isCutOff = !event.reachable;
    }
    if (event.type === "endpoint") this.tunnels.updateOwn({ reflexive: event.endpoint }, now);
    if (this.beacon.reflexive !== undefined && this.beacon.isReachable) {
      this.examiner.handleReflexive(this.beacon.reflexive, now);
    }
    this.#events.push(event);
  }

  #deliver(action: Extract<TrustAction, { type: "send" }>, now: Instant): void {
    const { peer, kind, document } = action;
    const options = { segmentSize: HANDSHAKE_SEGMENT };
    try {
      const id = this.ports.connect({ network: 0, node: peer }, PORT_HANDSHAKE, now, options);
      this.#dials.note(id, peer);
      this.#handshakes.deliver(id, { peer, kind, document });
      this.tunnels.open(peer, now);
    } catch (error) {
      // Too many connections: trust has its own ways to repeat what did not arrive.
      if (!(error instanceof PilotError)) throw error;
      this.trust.handleDelivery(peer, kind, false, now);
    }
  }

  /** Trust has ended: streams are reset and keys forgotten, in this order, so that the resets still leave. */
  #drop(peer: number, now: Instant): void {
    this.ports.resetPeer(peer, now);
    this.#flushStreams(now);
    this.tunnels.forget(peer);
    this.beacon.stopPunch(peer);
    this.#desk.forgetIdentity(peer);
  }

  /** Without the registry's help a trusted peer may still be known, or reachable through the relay. */
  #unresolved(peer: number, reason: string | undefined, now: Instant): void {
    if (reason === undefined || this.trust.isTrusted(peer)) return;
    if (this.tunnels.peer(peer)?.hasSession === true) return;
    this.#failDials(peer, { detail: reason }, now);
    // An answer to our request for trust may still be on its way.
    if (this.trust.awaits(peer)) return;
    this.tunnels.forget(peer);
    this.beacon.stopPunch(peer);
  }

  #failDials(peer: number, failure: "timeout" | { readonly detail: string }, now: Instant): void {
    const reason = failure === "timeout" ? failure : "unresolved";
    const detail = failure === "timeout" ? undefined : failure.detail;
    // Messages of the handshake wait longer than people do: only silence ends them.
    const isMeant = (id: number) => reason === "timeout" || !this.#handshakes.owns(id);
    for (const id of this.#dials.take(peer, isMeant)) {
      if (!this.#handshakes.owns(id)) this.#events.push({ type: "dial_failed", id, peer, reason, detail });
      this.ports.abort(id, now);
    }
    if (reason === "timeout") this.beacon.stopPunch(peer);
  }
}
