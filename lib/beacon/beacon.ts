/**
 * A beacon: tells nodes how the internet sees them, makes two nodes send to each other at the same moment (hole
 * punching), and relays sealed frames for those that cannot reach each other. It holds no keys and needs none.
 */

import type { Instant, Machine, RandomSource, Transmit } from "../core/machine.ts";
import { BROADCAST_NODE } from "../wire/address.ts";
import {
  type BeaconInput,
  BeaconType,
  decodeBeacon,
  encodeBeacon,
  encodePunchTrailer,
  MAX_SYNC_NODES,
} from "../wire/beacon.ts";
import { type Endpoint, sameEndpoint } from "../wire/endpoint.ts";
import { ExamineType } from "../wire/examine.ts";
import { decodeFrame } from "../wire/tunnel.ts";
import { type BeaconLimits, Budgets, DEFAULT_LIMITS } from "./budget.ts";
import { answerExamine } from "./examine.ts";
import { Mesh } from "./mesh.ts";
import { BeaconSockets, type ListenAddress } from "./sockets.ts";
import { type BeaconStats, newStats } from "./stats.ts";
import { type Claim, isFresh, NodeTable, type Sighting } from "./table.ts";

/** How often peers are told of the local nodes, in milliseconds; each interval is up to a tenth shorter or longer. */
const SYNC_INTERVAL_MS = 10_000;
/** Datagrams and bytes that may wait to be sent; more are dropped, newest first. */
const MAX_QUEUED = 4096;
const MAX_QUEUED_BYTES = 16 << 20;

/** What a beacon starts from. */
export interface BeaconOptions {
  readonly random: RandomSource;
  /** Named in Sync; 0, the default, is a beacon on its own. */
  readonly id?: number;
  /** Beacons to exchange node lists with, whatever is discovered. */
  readonly peers?: readonly Endpoint[];
  /** Where nodes reach this beacon; the places of its driver in this order, each main socket before its alternate. */
  readonly addresses?: readonly ListenAddress[];
  /** Replaces some of `DEFAULT_LIMITS`. */
  readonly limits?: Partial<BeaconLimits>;
}

/** A beacon without its socket. */
export class Beacon implements Machine<never> {
  readonly #id: number;
  readonly #random: RandomSource;
  readonly #nodes: NodeTable;
  readonly #mesh: Mesh;
  readonly #sockets: BeaconSockets;
  readonly #budgets: Budgets;
  readonly #stats = newStats();
  readonly #out: Transmit[] = [];
  #outBytes = 0;
  #nextSync: Instant = 0;

  constructor(options: BeaconOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#id = options.id ?? 0;
    this.#random = options.random;
    this.#nodes = new NodeTable(limits.nodes);
    this.#mesh = new Mesh(options.peers ?? []);
    this.#sockets = new BeaconSockets(options.addresses ?? []);
    this.#budgets = new Budgets(limits);
  }

  /** A copy of the counters. */
  get stats(): Readonly<BeaconStats> {
    return { ...this.#stats, nodes: this.#nodes.size, queued: this.#out.length };
  }

  /** The peer beacons now in use. */
  get peers(): Endpoint[] {
    return this.#mesh.peers;
  }

  /** Replaces the peers found through a registry; configured ones stay. */
  setDiscoveredPeers(peers: readonly Endpoint[]): void {
    this.#mesh.setDiscovered(peers);
  }

  /** Sends Notify with `reason` (one byte) to a node; false when it is not here. */
  notify(node: number, reason: number, now: Instant): boolean {
    const claims = this.#nodes.claims(node, now);
    for (const { endpoint, via } of claims) this.#send(endpoint, { kind: "notify", reason }, via);
    if (claims.length > 0) this.#stats.notified++;
    return claims.length > 0;
  }

  handleDatagram(from: Endpoint, data: Uint8Array, now: Instant, via = 0): void {
    if (data[0] === ExamineType.EXAMINE) return this.#examine(from, { data, via, now });
    if (!this.#sockets.isMain(via)) {
      this.#stats.malformed++;
      return;
    }
    // Before decoding: the lists of strangers are long and not wanted.
    if (data[0] === BeaconType.SYNC && !this.#mesh.isPeer(from)) {
      this.#stats.syncsRefused++;
      return;
    }
    const message = decodeBeacon(data);
    if (typeof message === "string") {
      this.#stats.malformed++;
      return;
    }
    switch (message.kind) {
      case "discover":
      case "discover_ex":
        return this.#discover(from, { ...message, via, now });
      case "punch_request":
        return this.#punch(from, { ...message, via, now });
      case "relay":
        return this.#relay(from, { ...message, data, via, now });
      case "sync":
        this.#stats.syncs++;
        return this.#mesh.handleList(from, message.nodes, now);
      case "discover_reply":
      case "punch_command":
      case "relay_deliver":
      case "relay_deliver_dest":
      case "notify":
        // Only nodes listen to these.
        this.#stats.malformed++;
    }
  }

  handleTimeout(now: Instant): void {
    if (now < this.#nextSync) return;
    this.#stats.expired += this.#nodes.sweep(now);
    if (this.#mesh.peers.length > 0) {
      const nodes = this.#nodes.freshNodes(MAX_SYNC_NODES, now);
      for (const peer of this.#mesh.peers) {
        this.#send(peer, { kind: "sync", beacon: this.#id, nodes }, this.#sockets.towards(peer.host));
      }
    }
    const [byte = 0] = this.#random(new Uint8Array(1));
    this.#nextSync = now + SYNC_INTERVAL_MS * (0.9 + (0.2 * byte) / 255);
  }

  pollTransmit(): Transmit | undefined {
    const transmit = this.#out.shift();
    if (transmit !== undefined) this.#outBytes -= transmit.data.length;
    return transmit;
  }

  pollTimeout(): Instant {
    return this.#nextSync;
  }

  pollEvent(): undefined {
    return undefined;
  }

  #examine(from: Endpoint, arrival: { data: Uint8Array; via: number; now: Instant }): void {
    const desk = { sockets: this.#sockets, budgets: this.#budgets, stats: this.#stats };
    const answer = answerExamine(desk, from, arrival);
    if (answer !== undefined) this.#transmit(answer);
  }

  #discover(from: Endpoint, message: { kind: string; node: number; via: number; now: Instant }): void {
    const { node, via, now } = message;
    const allowed = this.#budgets.mayDiscover(from.host, now);
    // Renewing what is known costs nothing, so a flood from the same address does not make nodes expire.
    if (allowed || this.#isAt(node, from, now)) {
      this.#learn(node, { endpoint: from, via, wantsDestination: message.kind === "discover_ex" }, now);
    }
    if (!allowed) {
      this.#stats.discoversLimited++;
      return;
    }
    this.#stats.discovers++;
    this.#send(from, { kind: "discover_reply", endpoint: from }, via);
  }

  #punch(from: Endpoint, message: { requester: number; target: number; via: number; now: Instant }): void {
    const { requester, target, via, now } = message;
    if (!this.#budgets.mayPunch(from.host, target, now)) {
      this.#stats.punchesLimited++;
      return;
    }
    const believed = this.#learn(requester, { endpoint: from, via, confirms: true }, now);
    const targets = believed && requester !== target ? this.#nodes.claims(target, now) : [];
    if (targets.length === 0) {
      this.#stats.punchesUnknown++;
      return;
    }
    this.#stats.punches++;
    const command = (to: Place, endpoint: Endpoint, node: number) =>
      this.#send(to.endpoint, { kind: "punch_command", endpoint, trailer: encodePunchTrailer(node) }, to.via);
    for (const { endpoint } of targets) command({ endpoint: from, via }, endpoint, target);
    for (const claim of targets) command(claim, from, requester);
  }

  #relay(from: Endpoint, message: RelayStep): void {
    const fromPeer = this.#mesh.isPeer(from);
    if (!fromPeer && !this.#admits(from, message)) return;
    const { destination, now } = message;
    const claims = this.#nodes.claims(destination, now);
    const owner = fromPeer ? undefined : this.#mesh.ownerOf(destination, now);
    if (claims.some((claim) => isFresh(claim, now)) || (claims.length > 0 && owner === undefined)) {
      this.#deliver(claims, message);
    } else if (owner !== undefined) {
      this.#stats.forwarded++;
      this.#countRelayed(message);
      this.#transmit({ to: owner, data: message.data, via: this.#sockets.towards(owner.host) });
    } else {
      this.#stats.relaysUnknown++;
    }
  }

  /** Whether a node's frame is relayed: within the budget of its source, and from where its claimed sender is. */
  #admits(from: Endpoint, message: RelayStep): boolean {
    const { sender, via, now } = message;
    if (!this.#budgets.mayRelay(from.host, message.data.length, now)) {
      this.#stats.relaysLimited++;
      return false;
    }
    if (this.#isAt(sender, from, now)) {
      this.#learn(sender, { endpoint: from, via, confirms: true }, now);
      return true;
    }
    // An unknown sender's only Discover may have been lost; a known one elsewhere may have been moved by its NAT.
    if (this.#nodes.claims(sender, now).length === 0) return true;
    if (this.#budgets.mayRelayImplausibly(from.host, now)) return true;
    this.#stats.relaysImplausible++;
    return false;
  }

  #deliver(claims: readonly Claim[], message: RelayStep): void {
    const { sender, destination, frame, now } = message;
    // Frames in the clear go to the older claim only: the other one may be a thief's.
    const frameKind = claims.length > 1 ? decodeFrame(frame) : "short";
    const inTheClear = typeof frameKind !== "string" && frameKind.kind === "plain";
    for (const claim of inTheClear ? claims.slice(0, 1) : claims) {
      if (!claim.confirmed && !this.#budgets.mayReachUnconfirmed(destination, now)) {
        this.#stats.relaysLimited++;
        continue;
      }
      this.#countRelayed(message);
      this.#send(
        claim.endpoint,
        claim.wantsDestination
          ? { kind: "relay_deliver_dest", sender, destination, frame }
          : { kind: "relay_deliver", sender, frame },
        claim.via,
      );
    }
  }

  #countRelayed(message: RelayStep): void {
    this.#stats.relayed++;
    this.#stats.relayedBytes += message.frame.length;
  }

  /** Notes a sighting; whether the node is now believed to be there. Nodes without an ID are nobody's. */
  #learn(node: number, sighting: Sighting, now: Instant): boolean {
    if (node === 0 || node === BROADCAST_NODE) return false;
    const learned = this.#nodes.learn(node, sighting, now);
    if (learned === "contested") this.#stats.contested++;
    if (learned !== "refused" && learned !== "full") return true;
    this.#stats.claimsRefused++;
    return false;
  }

  #isAt(node: number, endpoint: Endpoint, now: Instant): boolean {
    return this.#nodes.claims(node, now).some((claim) => sameEndpoint(claim.endpoint, endpoint));
  }

  #send(to: Endpoint, message: BeaconInput, via: number): void {
    this.#transmit({ to, data: encodeBeacon(message), via });
  }

  #transmit(transmit: Transmit): void {
    const bytes = this.#outBytes + transmit.data.length;
    if (this.#out.length >= MAX_QUEUED || bytes > MAX_QUEUED_BYTES) {
      this.#stats.overflows++;
      return;
    }
    this.#outBytes = bytes;
    this.#out.push(transmit);
  }
}

/** Where a node is, and the socket that reaches it. */
interface Place {
  readonly endpoint: Endpoint;
  readonly via: number;
}

interface RelayStep {
  readonly sender: number;
  readonly destination: number;
  readonly frame: Uint8Array;
  /** The whole datagram. */
  readonly data: Uint8Array;
  readonly via: number;
  readonly now: Instant;
}
