/**
 * Moves what each part of a node has to say to the part that must hear it, or to the program around.
 *
 * The order of judgement for everything that peers send is fixed here: authenticated by the tunnel, then admitted by
 * trust, then delivered. Nothing skips a step.
 */

import { sameEndpoint } from "../wire/endpoint.ts";
import type { Packet } from "../wire/packet.ts";
import type { RegistryReply } from "../wire/registry.ts";
import { judgePacket } from "./admission.ts";
import type { BeaconEvent } from "./beacons.ts";
import { PORT_HANDSHAKE } from "./constants.ts";
import { LostPeers } from "./lost_peers.ts";
import type { Instant } from "./machine.ts";
import type { NetworkCare } from "./network_care.ts";
import type { NodeParts } from "./node_parts.ts";
import type { PortsEvent } from "./stream/ports.ts";
import { TrustMail } from "./trust_mail.ts";
import type { TrustAction } from "./trust.ts";
import type { TunnelEvent } from "./tunnel/event.ts";
import type { Route } from "./tunnel/path.ts";
import { pongPacket } from "./tunnel/probe.ts";

/** Connects the parts of one node. */
export class Switchboard {
  readonly #parts: NodeParts;
  readonly #care: NetworkCare;
  readonly #lost: LostPeers;
  readonly #mail: TrustMail;

  constructor(parts: NodeParts, care: NetworkCare) {
    this.#parts = parts;
    this.#care = care;
    this.#lost = new LostPeers(parts);
    this.#mail = new TrustMail(parts);
  }

  /** Moves what there is until all parts are quiet. */
  pump(now: Instant): void {
    const { self, tunnels, ports, trust, beacon, examiner, handshakes, desk, events } = this.#parts;
    self.now = now;
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
        this.#mail.handle(event, now);
        moved = true;
      }
      for (let action = trust.pollAction(); action !== undefined; action = trust.pollAction()) {
        this.#carryOut(action, now);
        moved = true;
      }
      for (let event = trust.pollEvent(); event !== undefined; event = trust.pollEvent()) {
        if (event.type === "trust.established") tunnels.handleTrusted(event.peer, now);
        events.push({ type: "trust", event });
        moved = true;
      }
      for (let event = beacon.pollEvent(); event !== undefined; event = beacon.pollEvent()) {
        this.#handleBeacon(event, now);
        moved = true;
      }
      for (let event = examiner.pollEvent(); event !== undefined; event = examiner.pollEvent()) {
        tunnels.updateOwn({ nat: self.givenNat ?? examiner.behaviour }, now);
        events.push(event);
      }
    }
    for (let ask = desk.pollRequest(); ask !== undefined; ask = desk.pollRequest()) {
      events.push({ type: "registry", ...ask });
    }
  }

  /** The registry's answer to a `registry` event; `undefined` when it could not be asked. */
  handleRegistryReply(tag: string, reply: RegistryReply | undefined, now: Instant): void {
    const { desk, trust, tunnels, beacon } = this.#parts;
    const answer = desk.handleReply(tag, reply, now);
    if (answer?.type === "other") trust.handleRegistryReply(answer.tag, answer.ok, now);
    else if (answer?.type === "endpoint") {
      tunnels.addEndpoint(answer.peer, answer.endpoint, { source: "registry", now });
      tunnels.noteRelayOnly(answer.peer, false);
    } else if (answer?.type === "relay_only") {
      beacon.stopPunch(answer.peer);
      tunnels.noteRelayOnly(answer.peer, true);
    } else if (answer?.type === "no_endpoint") this.#lost.handleUnresolved(answer.peer, answer.reason, now);
    else if (answer?.type === "identity") {
      trust.handleKey(answer.peer, answer.key, now);
      const key = trust.pinnedKey(answer.peer) ?? answer.key;
      tunnels.handleIdentity(answer.peer, key, now);
    }
  }

  #handleTunnel(event: TunnelEvent, now: Instant): void {
    const { tunnels, ports, beacon, desk, offer, events } = this.#parts;
    if (event.type === "packet") this.#handlePacket(event.peer, event.packet, event.route, now);
    else if (event.type === "transport") ports.setProfile(event.peer, offer.agree(event.transport));
    else if (event.type === "segment_limit") ports.setSegmentLimit(event.peer, event.bytes);
    else if (event.type === "path_changed") this.#handlePathChange(event.peer, now);
    else if (event.type === "silent") beacon.check(now);
    else if (event.type === "heard_again") ports.handlePathChange(event.peer, now);
    else if (event.type === "need_identity") {
      if (!desk.askIdentity(event.peer, now)) tunnels.handleIdentity(event.peer, undefined, now);
    } else if (event.type === "need_endpoint") {
      desk.askEndpoint(event.peer);
      beacon.punch(event.peer, now);
      if (beacon.beacon !== undefined) events.push({ type: "punch", peer: event.peer });
    } else if (event.type === "need_punch") {
      beacon.stopPunch(event.peer);
      beacon.punch(event.peer, now);
      events.push({ type: "punch", peer: event.peer });
    } else if (event.type === "unreachable") {
      this.#lost.handleUnreachable(event.peer, now);
      events.push(event);
    } else if (event.type === "identity_mismatch") desk.forgetIdentity(event.peer);
    else events.push(event);
  }

  #handlePathChange(peer: number, now: Instant): void {
    const { ports, tunnels, beacon, events } = this.#parts;
    ports.handlePathChange(peer, now);
    // Whatever broke the direct path may have taken the beacon along, which is all that is left now.
    if (tunnels.peer(peer)?.paths.inUse === undefined) beacon.check(now);
    events.push({ type: "path", peer });
  }

  #handlePacket(peer: number, packet: Packet, route: Route, now: Instant): void {
    const { self, trust, ports, tunnels, beacon, events } = this.#parts;
    if (tunnels.peer(peer)?.paths.isDirect === true) beacon.stopPunch(peer);
    const verdict = judgePacket(trust, { peer, packet, now });
    if (verdict === "not_trusted") return tunnels.stats.drop(verdict);
    if (verdict === "stream") {
      ports.handlePacket(packet, now, { admitted: true });
    } else if (verdict === "datagram") {
      const { source, sourcePort, destinationPort, payload } = packet;
      events.push({ type: "datagram", source, sourcePort, destinationPort, data: payload.slice() });
    } else if (verdict === "control") {
      const pong = pongPacket(packet, self.node);
      if (pong !== undefined) tunnels.reply(peer, pong, route, now);
    }
  }

  #handleStream(event: PortsEvent, now: Instant): void {
    const { trust, handshakes, dials, events } = this.#parts;
    const dialled = event.type === "connected" || event.type === "closed"
      ? dials.settle(event.id)
      : undefined;
    if (event.type === "accepted" && event.port === PORT_HANDSHAKE) {
      handshakes.accept(event.id, event.remote.node, now);
    } else if (handshakes.owns(event.id)) {
      handshakes.handleStream(event, now);
    } else {
      if (event.type === "connected" && dialled !== undefined) trust.noteAnswered(dialled, now);
      events.push({ type: "stream", event });
    }
  }

  #carryOut(action: TrustAction, now: Instant): void {
    const { desk, events } = this.#parts;
    if (action.type === "send") this.#mail.deliver(action, now);
    else if (action.type === "registry") desk.ask(action.tag, action.request);
    else if (action.type === "lookup") desk.askFreshIdentity(action.peer);
    else if (action.type === "save") events.push({ type: "save_trust" });
    else this.#lost.drop(action.peer, now);
  }

  #handleBeacon(event: BeaconEvent, now: Instant): void {
    const { tunnels, beacon, examiner, events } = this.#parts;
    if (event.type === "candidate") {
      return tunnels.addEndpoint(event.peer, event.endpoint, { source: "punched", now });
    }
    if (event.type === "relays") {
      tunnels.setRelays(beacon.usable);
      return examiner.setBeacon(beacon.beacon);
    }
    if (event.type === "seen") {
      if (!event.isFirst) this.#care.request("endpoint");
      const isElsewhere = beacon.beacon !== undefined && !sameEndpoint(event.beacon, beacon.beacon);
      return isElsewhere ? examiner.handleElsewhere(event.beacon, event.endpoint) : undefined;
    }
    if (event.type === "beacon") this.#care.noteBeacon(event.reachable);
    if (event.type === "endpoint") tunnels.updateOwn({ reflexive: event.endpoint }, now);
    if (beacon.reflexive !== undefined && beacon.isReachable) {
      examiner.handleReflexive(beacon.reflexive, now);
    }
    events.push(event);
  }
}
