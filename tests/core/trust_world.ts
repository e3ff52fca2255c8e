/**
 * A small world for trust: nodes that exchange messages as their policies allow, and a registry that relays.
 *
 * Direct messages pass only if the sender is `reachable` for it and the receiver admits it, as a node would do.
 */

import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { encodeHandshake, handshakeChallenge, type HandshakeDocument } from "../../lib/wire/handshake.ts";
import type { RegistryRequest } from "../../lib/wire/registry.ts";
import { generateIdentity, type Identity, signBase64 } from "../../lib/crypto/identity.ts";
import {
  decodeTrustFile,
  encodeTrustFile,
  Trust,
  type TrustAction,
  type TrustEvent,
  type TrustOptions,
} from "../../lib/core/trust.ts";
import { PORT_HANDSHAKE } from "../../lib/core/constants.ts";

/** 2026-01-01T00:00:00Z, Unix milliseconds. */
export const EPOCH_MS = 1_767_225_600_000;

/** An identity made of one repeated byte. */
export function identityOf(byte: number): Identity {
  return generateIdentity((target) => target.fill(byte));
}

/** A document with the old signature only, any member replaced. */
export function forge(
  identity: Identity,
  parts: { from: number; to: number; at: number } & Partial<HandshakeDocument>,
): Uint8Array {
  const { from, to, at, ...members } = parts;
  return encodeHandshake({
    type: "handshake_request",
    node_id: from,
    public_key: encodeBase64(identity.publicKey),
    justification: "",
    signature: signBase64(identity, handshakeChallenge(from, to)),
    reason: "",
    timestamp: Math.floor((EPOCH_MS + at) / 1000),
    ...members,
  });
}

/** One node: its book, and what happened to it. */
export class TrustNode {
  readonly identity: Identity;
  readonly id: number;
  isPublic = false;
  online = true;
  /** Whether it has its node number yet. */
  registered = true;
  trust: Trust;
  /** The last saved file. */
  file: string | undefined;
  readonly events: TrustEvent[] = [];
  readonly actions: TrustAction[] = [];
  readonly dropped: number[] = [];
  readonly #world: TrustWorld;

  constructor(world: TrustWorld, id: number) {
    this.#world = world;
    this.id = id;
    this.identity = identityOf(id);
    this.trust = this.#make();
  }

  /** A new process with the saved file, or with nothing. */
  restart(options: { keepFile: boolean } = { keepFile: true }): void {
    if (!options.keepFile) this.file = undefined;
    this.trust = this.#make();
    this.trust.handleRegistered(this.#world.now);
    this.#world.settle();
  }

  /** Types of the events so far, then forgets them. */
  takeEvents(): string[] {
    return this.events.splice(0).map((event) => event.type);
  }

  /** Actions so far in short form, then forgets them. */
  takeActions(): string[] {
    return this.actions.splice(0).map((action) => {
      if (action.type === "send") return `${action.kind}->${action.peer}`;
      if (action.type === "registry") return action.request.type;
      return action.type;
    });
  }

  #make(): Trust {
    const snapshot = this.file === undefined ? undefined : decodeTrustFile(this.file);
    if (snapshot !== undefined && "invalid" in snapshot) throw new Error(snapshot.invalid);
    const options: TrustOptions = {
      self: () => this.registered ? this.id : 0,
      identity: this.identity,
      unixTime: (now) => EPOCH_MS + now,
      isPublic: () => this.isPublic,
      canReach: (peer) => this.#world.isReachable(this.id, peer),
      ...(snapshot !== undefined && { snapshot }),
    };
    return new Trust(options);
  }
}

interface Inbox {
  readonly requests: { from: number; justification: string }[];
  readonly responses: { from: number; accept: boolean }[];
}

/** The nodes 5, 7 and 9, a clock, and a registry. */
export class TrustWorld {
  now = 1_000;
  readonly a = new TrustNode(this, 5);
  readonly b = new TrustNode(this, 7);
  readonly c = new TrustNode(this, 9);
  /** Directed `from>to` ways on which a direct message arrives. */
  readonly ways = new Set<string>();
  /** Statements at the registry: `from>to`. */
  readonly stated = new Set<string>();
  registryUp = true;
  /** The registry swallows what it relays (a lost poll). */
  losesRelayed = false;
  /** Registered keys that differ from the nodes' own. */
  readonly wrongKeys = new Map<number, Uint8Array>();
  /** All direct messages, delivered or not. */
  readonly sent: { from: number; to: number; document: Uint8Array }[] = [];
  readonly #inboxes = new Map<number, Inbox>();

  get nodes(): readonly TrustNode[] {
    return [this.a, this.b, this.c];
  }

  /** Both ways between two nodes carry direct messages from now on. */
  connect(one: TrustNode, other: TrustNode): void {
    this.ways.add(`${one.id}>${other.id}`).add(`${other.id}>${one.id}`);
  }

  disconnect(): void {
    this.ways.clear();
  }

  isReachable(from: number, to: number): boolean {
    return this.ways.has(`${from}>${to}`);
  }

  node(id: number): TrustNode | undefined {
    return this.nodes.find((node) => node.id === id);
  }

  /** Carries out every action of every node until none is left. */
  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const node of this.nodes) {
        for (let event = node.trust.pollEvent(); event !== undefined; event = node.trust.pollEvent()) {
          node.events.push(event);
        }
        for (let action = node.trust.pollAction(); action !== undefined; action = node.trust.pollAction()) {
          busy = true;
          node.actions.push(action);
          this.#execute(node, action);
        }
      }
    }
  }

  /** Every node that is online asks the registry for what waits there. */
  poll(): void {
    for (const node of this.nodes) {
      if (!node.online || !this.registryUp) continue;
      const inbox = this.#inboxes.get(node.id);
      this.#inboxes.delete(node.id);
      for (const request of inbox?.requests ?? []) node.trust.handleRelayedRequest(request, this.now);
      for (const response of inbox?.responses ?? []) node.trust.handleRelayedResponse(response, this.now);
    }
    this.settle();
  }

  /** Moves the clock, stopping at every deadline. */
  advance(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let steps = 0;; steps++) {
      if (steps > 10_000) throw new Error("the deadlines do not move");
      const next = Math.min(...this.nodes.map((node) => node.trust.pollTimeout() ?? Infinity));
      this.now = Math.max(this.now, Math.min(next, end));
      for (const node of this.nodes) node.trust.handleTimeout(this.now);
      this.settle();
      if (next > end) break;
    }
  }

  /** Hands `bytes` to `to` as if they came through a tunnel of `from`. */
  deliver(from: TrustNode, to: TrustNode, bytes: Uint8Array): void {
    to.trust.handleMessage(bytes, { node: from.id, publicKey: from.identity.publicKey }, this.now);
    this.settle();
  }

  /** A and B trust each other by a direct handshake. */
  befriend(one: TrustNode, other: TrustNode): void {
    this.connect(one, other);
    one.trust.request(other.id, { justification: "hello", now: this.now });
    other.trust.request(one.id, { justification: "hello", now: this.now });
    this.settle();
    this.poll();
    for (const node of this.nodes) {
      node.takeActions();
      node.takeEvents();
    }
  }

  #execute(node: TrustNode, action: TrustAction): void {
    const { trust } = node;
    switch (action.type) {
      case "save":
        node.file = encodeTrustFile(trust.snapshot());
        return;
      case "drop":
        node.dropped.push(action.peer);
        return;
      case "lookup": {
        const target = this.registryUp ? this.node(action.peer) : undefined;
        return trust.handleKey(
          action.peer,
          this.wrongKeys.get(action.peer) ?? target?.identity.publicKey,
          this.now,
        );
      }
      case "registry":
        return trust.handleRegistryReply(action.tag, this.#ask(action.request), this.now);
      case "send": {
        this.sent.push({ from: node.id, to: action.peer, document: action.document });
        const target = this.node(action.peer);
        const arrives = target !== undefined && target.online && node.online &&
          this.isReachable(node.id, target.id) && target.trust.admits(node.id, PORT_HANDSHAKE, this.now);
        if (arrives) {
          const source = { node: node.id, publicKey: node.identity.publicKey };
          target.trust.handleMessage(action.document, source, this.now);
        }
        return trust.handleDelivery(action.peer, action.kind, arrives, this.now);
      }
    }
  }

  #ask(request: RegistryRequest): boolean {
    if (!this.registryUp) return false;
    switch (request.type) {
      case "report_trust":
        this.stated.add(`${request.node_id}>${request.peer_id}`);
        return true;
      case "revoke_trust": {
        const pair = [`${request.node_id}>${request.peer_id}`, `${request.peer_id}>${request.node_id}`];
        return pair.map((statement) => this.stated.delete(statement)).includes(true);
      }
      case "request_handshake": {
        const inbox = this.#inbox(request.to_node_id);
        if (inbox.requests.some((other) => other.from === request.from_node_id)) return false;
        if (this.node(request.to_node_id) === undefined) return false;
        if (!this.losesRelayed) {
          inbox.requests.push({ from: request.from_node_id, justification: request.justification });
        }
        return true;
      }
      case "respond_handshake":
        if (request.accept) this.stated.add(`${request.node_id}>${request.peer_id}`);
        if (!this.losesRelayed) {
          this.#inbox(request.peer_id).responses.push({ from: request.node_id, accept: request.accept });
        }
        return true;
      default:
        throw new Error(`unexpected ${request.type}`);
    }
  }

  #inbox(id: number): Inbox {
    let inbox = this.#inboxes.get(id);
    if (inbox === undefined) {
      inbox = { requests: [], responses: [] };
      this.#inboxes.set(id, inbox);
    }
    return inbox;
  }
}

/** Whether A and B trust each other. */
export function mutual(world: TrustWorld): boolean {
  return world.a.trust.isTrusted(world.b.id) && world.b.trust.isTrusted(world.a.id);
}
