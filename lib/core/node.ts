/**
 * One agent on the network, without I/O: tunnels, streams, trust and the beacon link as one machine.
 */

import type { Address } from "../wire/address.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { RegistryReply } from "../wire/registry.ts";
import type { Beacons } from "./beacons.ts";
import { handleInbound } from "./inbound.ts";
import type { Instant, Machine, Transmit } from "./machine.ts";
import type { NatBehaviour } from "./nat/behaviour.ts";
import type { Examiner } from "./nat/examiner.ts";
import { NetworkCare } from "./network_care.ts";
import type { NodeEvent } from "./node_event.ts";
import type { NodeOptions } from "./node_options.ts";
import { makeParts, type NodeParts } from "./node_parts.ts";
import { datagramPacket, sendSegment } from "./outgoing.ts";
import type { Ports } from "./stream/ports.ts";
import { Switchboard } from "./switchboard.ts";
import { earlier } from "./timers.ts";
import type { Trust } from "./trust.ts";
import type { Tunnels } from "./tunnel/tunnels.ts";

export type { NodeOptions } from "./node_options.ts";

/** One agent on the network. */
export class Node implements Machine<NodeEvent> {
  readonly trust: Trust;
  readonly ports: Ports;
  readonly tunnels: Tunnels;
  readonly beacon: Beacons;
  readonly examiner: Examiner;
  readonly #parts: NodeParts;
  readonly #care: NetworkCare;
  readonly #switchboard: Switchboard;
  readonly #datagramPort: number;

  constructor(options: NodeOptions) {
    const parts = makeParts(options);
    this.#parts = parts;
    this.trust = parts.trust;
    this.ports = parts.ports;
    this.tunnels = parts.tunnels;
    this.beacon = parts.beacon;
    this.examiner = parts.examiner;
    this.#care = new NetworkCare(parts);
    this.#switchboard = new Switchboard(parts, this.#care);
    const port = new DataView(options.random(new Uint8Array(2)).buffer).getUint16(0);
    this.#datagramPort = 49_152 + (port % 16_384);
  }

  get node(): number {
    return this.#parts.self.node;
  }

  /** What is known of the NAT in front of this node. */
  get nat(): NatBehaviour {
    return this.#parts.self.givenNat ?? this.examiner.behaviour;
  }

  get isPublic(): boolean {
    return this.#parts.self.isPublic;
  }

  /** Whether strangers may reach this node. */
  setPublic(isPublic: boolean): void {
    this.#parts.self.isPublic = isPublic;
  }

  /** The registry has given (or confirmed) the node id. */
  handleRegistered(node: number, now: Instant): void {
    this.#parts.self.node = node;
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
    this.#parts.self.givenNat = nat;
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
    this.#parts.dials.note(id, remote.node);
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
    const packet = datagramPacket(this.#parts.self.address, this.#datagramPort, { remote, port, payload });
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
    this.#switchboard.handleRegistryReply(tag, reply, now);
    this.#pump(now);
  }

  /** The computer has another address than before, or another way out. */
  handleNetworkChange(now: Instant): void {
    this.#care.request("network");
    this.#care.startOver(now);
    this.#pump(now);
  }

  handleDatagram(from: Endpoint, data: Uint8Array, now: Instant, via = 0): void {
    this.#parts.self.now = now;
    if (handleInbound(this.#parts, { from, data, via, now })) this.#care.noteReceived();
    this.#care.startOver(now);
    this.#pump(now);
  }

  handleTimeout(now: Instant): void {
    this.#parts.self.now = now;
    this.tunnels.handleTimeout(now);
    this.ports.handleTimeout(now);
    this.trust.handleTimeout(now);
    this.beacon.handleTimeout(now);
    this.examiner.handleTimeout(now);
    this.#parts.handshakes.handleTimeout(now);
    this.#care.handleTimeout(now);
    this.#care.startOver(now);
    this.#pump(now);
  }

  /** Stream segments are made when the socket has room for them, so what waits, waits in the streams. */
  pollTransmit(now: Instant): Transmit | undefined {
    const transmit = this.tunnels.pollTransmit() ?? this.beacon.pollTransmit() ??
      this.examiner.pollTransmit() ?? this.#pollStream(now);
    if (transmit !== undefined) this.#care.noteSent(now);
    return transmit;
  }

  reuse(): void {
    this.tunnels.reuse();
  }

  pollTimeout(): Instant | undefined {
    const transport = earlier(this.tunnels.pollTimeout(), this.ports.pollTimeout());
    const rest = earlier(this.trust.pollTimeout(), this.beacon.pollTimeout());
    const quiet = earlier(this.examiner.pollTimeout(), this.#parts.handshakes.pollTimeout());
    return earlier(earlier(transport, rest), earlier(quiet, this.#care.pollTimeout()));
  }

  pollEvent(): NodeEvent | undefined {
    return this.#parts.events.shift();
  }

  handleOpened(via: number, port: number): void {
    this.examiner.handleOpened(via, port);
  }

  pollClose(): number | undefined {
    return this.#parts.vias.pollClose();
  }

  #pump(now: Instant): void {
    this.#switchboard.pump(now);
  }

  /** The next datagram of a stream. */
  #pollStream(now: Instant): Transmit | undefined {
    while (sendSegment(this.#parts, now)) {
      const transmit = this.tunnels.pollTransmit();
      if (transmit !== undefined) return transmit;
    }
    return undefined;
  }
}
