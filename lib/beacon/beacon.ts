/**
 * A beacon: tells nodes how the internet sees them, makes two nodes send to each other at the same moment (hole
 * punching), and relays sealed frames for those that cannot reach each other. It holds no keys and needs none.
 */

import type { Instant, Machine, RandomSource, Transmit } from "../core/machine.ts";
import { BeaconType, decodeBeacon, MAX_SYNC_NODES } from "../wire/beacon.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { ExamineType } from "../wire/examine.ts";
import { type BeaconLimits, Budgets, DEFAULT_LIMITS } from "./budget.ts";
import { Dispatch } from "./dispatch.ts";
import type { BeaconEvent } from "./event.ts";
import { answerExamine } from "./examine.ts";
import { Mesh } from "./mesh.ts";
import { answerMeshPunch, forwardPunch, type MeshPunch, type Order, punchCommand } from "./mesh_punch.ts";
import type { BeaconParts } from "./parts.ts";
import { Relay } from "./relay.ts";
import { Sessions } from "./sessions.ts";
import { noteSighting } from "./sighting.ts";
import { BeaconSockets, type ListenAddress } from "./sockets.ts";
import { type BeaconStats, newStats } from "./stats.ts";
import { isFresh, NodeTable } from "./table.ts";

/** How often peers are told of the local nodes, in milliseconds; each interval is up to a tenth shorter or longer. */
const SYNC_INTERVAL_MS = 10_000;

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
  readonly #dispatch = new Dispatch(this.#stats);
  /** All of them together. */
  readonly #parts: BeaconParts;
  readonly #relay: Relay;
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
    this.#parts = {
      nodes: this.#nodes,
      sessions: this.#sessions,
      mesh: this.#mesh,
      sockets: this.#sockets,
      budgets: this.#budgets,
      stats: this.#stats,
      dispatch: this.#dispatch,
    };
    this.#relay = new Relay(this.#parts);
  }

  /** A copy of the counters. */
  get stats(): Readonly<BeaconStats> {
    const sizes = { nodes: this.#nodes.size, sessions: this.#sessions.size, queued: this.#dispatch.length };
    return { ...this.#stats, ...sizes };
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
    for (const { endpoint, via } of claims) this.#dispatch.send(endpoint, { kind: "notify", reason }, via);
    if (session !== undefined) this.#dispatch.sendFrame(session, { kind: "notify", reason });
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
    } else if (message.kind === "relay") this.#relay.handleFrame(session, { ...message, data, now });
    else this.#stats.framesRefused++;
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
        return this.#relay.handleDatagram(from, { ...message, data, via, now });
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
        this.#dispatch.send(
          peer,
          { kind: "sync", beacon: this.#id, nodes },
          this.#sockets.towards(peer.host),
        );
      }
    }
    const [byte = 0] = this.#random(new Uint8Array(1));
    this.#nextSync = now + SYNC_INTERVAL_MS * (0.9 + (0.2 * byte) / 255);
  }

  pollTransmit(): Transmit | undefined {
    return this.#dispatch.pollTransmit();
  }

  pollTimeout(): Instant {
    return this.#nextSync;
  }

  pollEvent(): BeaconEvent | undefined {
    const session = this.#replaced.shift();
    return session === undefined ? this.#dispatch.pollFrame() : { type: "replaced", session };
  }

  #examine(from: Endpoint, arrival: { data: Uint8Array; via: number; now: Instant }): void {
    const answer = answerExamine(this.#parts, from, arrival);
    if (answer !== undefined) this.#dispatch.transmit(answer);
  }

  #discover(from: Endpoint, message: { kind: string; node: number; via: number; now: Instant }): void {
    const { node, via, now } = message;
    const allowed = this.#budgets.mayDiscover(from.host, now);
    // Renewing what is known costs nothing, so a flood from the same address does not make nodes expire.
    if (allowed || this.#nodes.isAt(node, from, now)) {
      const wantsDestination = message.kind === "discover_ex";
      noteSighting(this.#parts, node, { endpoint: from, via, wantsDestination, now });
    }
    if (!allowed) {
      this.#stats.discoversLimited++;
      return;
    }
    this.#stats.discovers++;
    this.#dispatch.send(from, { kind: "discover_reply", endpoint: from }, via);
  }

  #punch(from: Endpoint, message: { requester: number; target: number; via: number; now: Instant }): void {
    const { requester, target, via, now } = message;
    if (!this.#budgets.mayPunch(from.host, target, now)) {
      this.#stats.punchesLimited++;
      return;
    }
    const believed = noteSighting(this.#parts, requester, { endpoint: from, via, confirms: true, now });
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
    for (const { endpoint, message, via } of orders) this.#dispatch.send(endpoint, message, via);
  }
}
