/** Sealed frames on their way out: one or two keys, one or more routes, cut when they are too large for one. */

import { encodeBeacon } from "../../wire/beacon.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { type Packet, Protocol } from "../../wire/packet.ts";
import type { Relay } from "../beacons.ts";
import { Fifo } from "../fifo.ts";
import type { Instant, Transmit } from "../machine.ts";
import { DATAGRAM_OVERHEAD } from "./ceiling.ts";
import { cutPacket, isCuttable } from "./cut.ts";
import type { Route } from "./path.ts";
import type { Peer } from "./peer.ts";
import { BASE_DATAGRAM } from "./pmtu.ts";
import type { TunnelStats } from "./stats.ts";

/** How a sender is made. */
export interface SenderOptions {
  readonly self: () => number;
  readonly stats: TunnelStats;
  readonly peer: (node: number) => Peer | undefined;
}

/** The outgoing side of the tunnels of one node. */
export class FrameSender {
  readonly #options: SenderOptions;
  readonly #stats: TunnelStats;
  readonly #transmits = new Fifo<Transmit>();
  #relays: readonly Relay[] = [];
  #beacons: readonly Endpoint[] = [];

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#stats = options.stats;
  }

  /** The beacons that relayed frames may go through, the best first. */
  get relays(): readonly Relay[] {
    return this.#relays;
  }

  set relays(relays: readonly Relay[]) {
    this.#relays = relays;
    this.#beacons = relays.map(({ endpoint }) => endpoint);
  }

  get hasRelay(): boolean {
    return this.#relays.length > 0;
  }

  /** Sends a packet to a peer with a key by all `routes`, on each in pieces that it carries. */
  send(peer: Peer, packet: Packet, routes: readonly Route[], now: Instant): void {
    if (packet.payload.length + DATAGRAM_OVERHEAD <= BASE_DATAGRAM) {
      return this.#seal(peer, packet, routes, now);
    }
    for (const route of routes) this.#sendLarge(peer, packet, route, now);
  }

  /** Sends one frame padded to `size` bytes, which nobody cuts. */
  probe(peer: Peer, packet: Packet, route: Route, size: number): void {
    const frame = peer.seal(packet, size);
    if (frame !== undefined) this.transmit(peer.node, route, frame);
  }

  /** Sends a frame as it is. */
  transmit(node: number, route: Route, frame: Uint8Array): void {
    if (route.kind === "direct") {
      this.#stats.sent(frame.length);
      const { endpoint: to, via } = route;
      this.#transmits.push(via === undefined ? { to, data: frame } : { to, data: frame, via });
      return;
    }
    const beacons = route.beacon === undefined ? this.#relaysTo(node) : [route.beacon];
    if (beacons.length === 0) return;
    const data = encodeBeacon({ kind: "relay", sender: this.#options.self(), destination: node, frame });
    for (const to of beacons) {
      this.#stats.sent(data.length);
      this.#transmits.push({ to, data });
    }
  }

  #relaysTo(node: number): readonly Endpoint[] {
    const peer = this.#relays.length > 1 ? this.#options.peer(node) : undefined;
    return peer?.relay.choose(this.#relays, { isSilent: peer.repairs > 0 }) ?? this.#beacons;
  }

  /** Asks the beacon how it sees the extra socket `via`, in the name of nobody; false when there is none. */
  discover(via: number): boolean {
    const [to] = this.#beacons;
    if (to === undefined) return false;
    this.#transmits.push({ to, data: encodeBeacon({ kind: "discover", node: 0 }), via });
    return true;
  }

  /** Whether nothing waits to be polled. */
  get isEmpty(): boolean {
    return this.#transmits.length === 0;
  }

  poll(): Transmit | undefined {
    return this.#transmits.shift();
  }

  #seal(peer: Peer, packet: Packet, routes: readonly Route[], now: Instant): void {
    const frame = peer.seal(packet);
    if (frame === undefined) return;
    for (const route of routes) this.transmit(peer.node, route, frame);
    const other = peer.sealUnderCandidate(packet, now);
    if (other === undefined) return;
    for (const route of routes) this.transmit(peer.node, route, other);
  }

  /** What does not fit the route is cut if its receiver can join it again, so that the network need not. */
  #sendLarge(peer: Peer, packet: Packet, route: Route, now: Instant): void {
    const limit = peer.paths.limitOf(route) - DATAGRAM_OVERHEAD;
    if (packet.payload.length <= limit) return this.#seal(peer, packet, [route], now);
    if (peer.transport !== undefined && isCuttable(packet)) {
      for (const piece of cutPacket(packet, limit)) this.#seal(peer, piece, [route], now);
    } else if (packet.protocol === Protocol.DATAGRAM) this.#stats.drop("datagram_too_large");
    else this.#seal(peer, packet, [route], now);
  }
}
