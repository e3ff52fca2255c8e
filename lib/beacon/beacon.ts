/**
 * A beacon: tells nodes how the internet sees them, makes two nodes send to each other at the same moment (hole
 * punching), and relays sealed frames for those that cannot reach each other. It holds no keys and needs none.
 */

import type { Instant, Machine, RandomSource, Transmit } from "../core/machine.ts";
import { BROADCAST_NODE } from "../wire/address.ts";
import { type BeaconInput, BeaconType, decodeBeacon, encodeBeacon, MAX_SYNC_NODES } from "../wire/beacon.ts";
import { type Endpoint, sameEndpoint } from "../wire/endpoint.ts";
import { ExamineType } from "../wire/examine.ts";
import { decodeFrame } from "../wire/tunnel.ts";
import { type BeaconLimits, Budgets, DEFAULT_LIMITS } from "./budget.ts";
import type { BeaconEvent } from "./event.ts";
import { answerExamine } from "./examine.ts";
import { Mesh } from "./mesh.ts";
import { Outbox } from "./outbox.ts";
import { delivery, type RelayStep } from "./relay_step.ts";
import { type Session, Sessions } from "./sessions.ts";
import { BeaconSockets, type ListenAddress } from "./sockets.ts";
import { answerMeshPunch, forwardPunch, type MeshPunch, type Order, punchCommand } from "./mesh_punch.ts";
import { type BeaconStats, newStats } from "./stats.ts";
import { type Claim, isFresh, NodeTable, type Sighting } from "./table.ts";

/** How often peers are told of the local nodes, in milliseconds; each interval is up to a tenth shorter or longer. */
const SYNC_INTERVAL_MS = 10_000;
/** A session not heard of for this long has missed a ping of 30 s: what goes there is tried elsewhere as well. */
const QUIET_SESSION_MS = 45_000;

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
export class Beacon implements Machine<BeaconEvent> {
  readonly #id: number;
  readonly #random: RandomSource;
  readonly #nodes: NodeTable;
  readonly #mesh: Mesh;
  readonly #sockets: BeaconSockets;
  readonly #budgets: Budgets;
  readonly #stats = newStats();
  readonly #sessions: Sessions;
  readonly #out = new Outbox<Transmit>();
  readonly #frames = new Outbox<Extract<BeaconEvent, { type: "frame" }>>();
  readonly #replaced: number[] = [];
  #nextSync: Instant = 0;

  constructor(options: BeaconOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#id = options.id ?? 0;
    this.#random = options.random;
    this.#nodes = new NodeTable(limits.nodes);
    this.#sessions = new Sessions(limits.sessions);
    this.#mesh = new Mesh(options.peers ?? []);
    this.#sockets = new BeaconSockets(options.addresses ?? []);
    this.#budgets = new Budgets(limits);
  }

  /** A copy of the counters. */
  get stats(): Readonly<BeaconStats> {
    const queued = this.#out.length + this.#frames.length;
    return { ...this.#stats, nodes: this.#nodes.size, sessions: this.#sessions.size, queued };
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
    const session = this.#sessions.of(node);
    for (const { endpoint, via } of claims) this.#send(endpoint, { kind: "notify", reason }, via);
    if (session !== undefined) this.#sendFrame(session, { kind: "notify", reason });
    const isHere = claims.length > 0 || session !== undefined;
    if (isHere) this.#stats.notified++;
    return isHere;
  }

  /**
   * A node has proven who it is on a connection from the IP address `host`: the number of its session from now on,
   * `undefined` when there is no room. An earlier session of the node is replaced.
   */
  attach(who: { readonly node: number; readonly host: string }, now: Instant): number | undefined {
    const attached = this.#sessions.attach(who, now);
    if (attached?.replaced !== undefined) this.#replaced.push(attached.replaced.id);
    return attached?.session.id;
  }

  /** The connection of a session is gone. */
  detach(session: number): void {
    this.#sessions.detach(session);
  }

  /** A sign of life came on the connection of a session. */
  noteAlive(session: number, now: Instant): void {
    const known = this.#sessions.get(session);
    if (known !== undefined) known.heard = now;
  }

  /** A datagram came on the connection of a session. Only relaying in the node's own name is of use there. */
  handleFrame(id: number, data: Uint8Array, now: Instant): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    session.heard = now;
    const message = decodeBeacon(data);
    if (typeof message === "string") this.#stats.malformed++;
    else if (message.kind === "discover" || message.kind === "discover_ex") {
      session.wantsDestination = message.kind === "discover_ex";
    } else if (message.kind !== "relay" || message.sender !== session.node) this.#stats.framesRefused++;
    else if (!this.#budgets.mayRelay(session.host, data.length, now)) this.#stats.relaysLimited++;
    else this.#pass({ ...message, data, now }, { fromPeer: false });
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
      case "mesh_punch":
        return this.#meshPunch(from, { ...message, via, now });
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
      const seen = this.#nodes.freshNodes(MAX_SYNC_NODES, now);
      const nodes = [...new Set([...this.#sessions.nodes(), ...seen])].slice(0, MAX_SYNC_NODES);
      for (const peer of this.#mesh.peers) {
        this.#send(peer, { kind: "sync", beacon: this.#id, nodes }, this.#sockets.towards(peer.host));
      }
    }
    const [byte = 0] = this.#random(new Uint8Array(1));
    this.#nextSync = now + SYNC_INTERVAL_MS * (0.9 + (0.2 * byte) / 255);
  }

  pollTransmit(): Transmit | undefined {
    return this.#out.shift();
  }

  pollTimeout(): Instant {
    return this.#nextSync;
  }

  pollEvent(): BeaconEvent | undefined {
    const session = this.#replaced.shift();
    return session === undefined ? this.#frames.shift() : { type: "replaced", session };
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
    const owner = believed && requester !== target ? this.#mesh.ownerOf(target, now) : undefined;
    if (owner !== undefined && !targets.some((claim) => isFresh(claim, now))) {
      this.#stats.punchesForwarded++;
      const place = { endpoint: owner, via: this.#sockets.towards(owner.host) };
      return this.#carryOut([forwardPunch(place, { requester, target, from })]);
    }
    if (targets.length === 0) {
      this.#stats.punchesUnknown++;
      return;
    }
    this.#stats.punches++;
    this.#carryOut(targets.map(({ endpoint }) => punchCommand({ endpoint: from, via }, endpoint, target)));
    this.#carryOut(targets.map((claim) => punchCommand(claim, from, requester)));
  }

  /** Another beacon passes on what a node of its own asked for, or its answer. Strangers are not listened to. */
  #meshPunch(from: Endpoint, message: MeshPunch & { readonly via: number; readonly now: Instant }): void {
    const { target, via, now } = message;
    if (!this.#mesh.isPeer(from) || !this.#budgets.mayMeshPunch(from.host, target, now)) {
      this.#stats.punchesLimited++;
      return;
    }
    const places = this.#nodes.claims(target, now);
    if (places.length === 0) this.#stats.punchesUnknown++;
    else this.#stats.punches++;
    this.#carryOut(answerMeshPunch({ endpoint: from, via }, message, places));
  }

  #carryOut(orders: readonly Order[]): void {
    for (const { endpoint, message, via } of orders) this.#send(endpoint, message, via);
  }

  #relay(from: Endpoint, message: RelayArrival): void {
    const fromPeer = this.#mesh.isPeer(from);
    if (fromPeer || this.#admits(from, message)) this.#pass(message, { fromPeer });
  }

  /** Brings a frame to where its destination is. */
  #pass(message: RelayStep, { fromPeer }: { readonly fromPeer: boolean }): void {
    const { destination, frame, now } = message;
    const session = this.#sessions.of(destination);
    const claims = this.#nodes.claims(destination, now);
    if (session !== undefined) {
      this.#countRelayed(message);
      this.#sendFrame(session, delivery(message, session));
      // A connection may have died unnoticed after its node has found another way.
      const isAlive = now - session.heard < QUIET_SESSION_MS;
      if (isInTheClear(frame) || (isAlive && !claims.some((claim) => claim.seen > session.heard))) return;
    }
    const owner = fromPeer ? undefined : this.#mesh.ownerOf(destination, now);
    if (claims.some((claim) => isFresh(claim, now)) || (claims.length > 0 && owner === undefined)) {
      this.#deliver(claims, message);
    } else if (owner !== undefined) {
      this.#stats.forwarded++;
      this.#countRelayed(message);
      this.#transmit({ to: owner, data: message.data, via: this.#sockets.towards(owner.host) });
    } else if (session === undefined) {
      this.#stats.relaysUnknown++;
    }
  }

  /** Whether a node's frame is relayed: within the budget of its source, and from where its claimed sender is. */
  #admits(from: Endpoint, message: RelayArrival): boolean {
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
    const isElsewhere = this.#sessions.of(sender) !== undefined || this.#nodes.claims(sender, now).length > 0;
    if (!isElsewhere) return true;
    if (this.#budgets.mayRelayImplausibly(from.host, now)) return true;
    this.#stats.relaysImplausible++;
    return false;
  }

  #deliver(claims: readonly Claim[], message: RelayStep): void {
    const { destination, frame, now } = message;
    // Frames in the clear go to the older claim only: the other one may be a thief's.
    const oneOnly = claims.length > 1 && isInTheClear(frame);
    for (const claim of oneOnly ? claims.slice(0, 1) : claims) {
      if (!claim.confirmed && !this.#budgets.mayReachUnconfirmed(destination, now)) {
        this.#stats.relaysLimited++;
        continue;
      }
      this.#countRelayed(message);
      this.#send(claim.endpoint, delivery(message, claim), claim.via);
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

  #sendFrame(session: Session, message: BeaconInput): void {
    const data = encodeBeacon(message);
    if (!this.#frames.push({ type: "frame", session: session.id, data })) this.#stats.overflows++;
  }

  #transmit(transmit: Transmit): void {
    if (!this.#out.push(transmit)) this.#stats.overflows++;
  }
}

/** A frame that came by a socket. */
interface RelayArrival extends RelayStep {
  readonly via: number;
}

function isInTheClear(frame: Uint8Array): boolean {
  const decoded = decodeFrame(frame);
  return typeof decoded !== "string" && decoded.kind === "plain";
}
