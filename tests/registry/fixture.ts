/** A registry in memory with nodes that sign, for the tests of this folder. */

import { generateIdentity, type Identity, signBase64 } from "../../lib/crypto/identity.ts";
import { Directory } from "../../lib/registry/directory.ts";
import { MemoryStore } from "../../lib/registry/memory_store.ts";
import type { Policy } from "../../lib/registry/policy.ts";
import type { Store } from "../../lib/registry/store.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { registryChallenge, type RegistryReply, type RegistryRequest } from "../../lib/wire/registry.ts";
import { assertEquals, fail } from "../assert.ts";

/** Start of the tests' time, Unix milliseconds. */
export const START = 1_768_471_200_000;

/** The identity whose seed bytes count up from `first`. Those of 0 and 32 have published signatures. */
export function identity(first: number): Identity {
  return generateIdentity((target) => {
    for (let i = 0; i < target.length; i++) target[i] = (first + i) & 0xff;
    return target;
  });
}

export const KEY_A = identity(0);
export const KEY_B = identity(32);

/** Base64 of the public key. */
export function keyText(key: Identity): string {
  return encodeBase64(key.publicKey);
}

/** The request with a good signature. */
export function signed<Request extends RegistryRequest>(request: Request, key: Identity): Request {
  const text = registryChallenge(request);
  return text === undefined ? request : Object.assign({}, request, { signature: signBase64(key, text) });
}

/** A registry with its clock. */
export class World {
  now = START;
  readonly store: Store;
  readonly directory: Directory;

  constructor(policy: Partial<Policy> = {}, store: Store = new MemoryStore()) {
    this.store = store;
    this.directory = new Directory({ store, policy });
  }

  /** Any request, unsigned, from anywhere. */
  ask(request: RegistryRequest, from: Endpoint = { host: "192.0.2.1", port: 50000 }): RegistryReply {
    return this.directory.handle(request, from, this.now);
  }

  /** A refusal's code; fails when the request was carried out. */
  refusal(request: RegistryRequest, from?: Endpoint): string {
    const reply = this.ask(request, from);
    if (reply.type !== "error") fail(`carried out: ${JSON.stringify(reply)}`);
    assertEquals(reply.error.startsWith("request failed: "), true, reply.error);
    return reply.code ?? "no code";
  }

  /** Registers a key; fails when refused. */
  join(
    key: Identity,
    options: {
      host?: string;
      port?: number;
      sign?: boolean;
      owner?: string;
      hostname?: string;
      listen?: string;
    } = {},
  ): Node {
    const { host = "198.51.100.7", port = 4000, sign = false } = options;
    const request: RegistryRequest = {
      type: "register",
      public_key: keyText(key),
      listen_addr: options.listen ?? `10.0.0.1:${port}`,
      ...(options.owner !== undefined && { owner: options.owner }),
      ...(options.hostname !== undefined && { hostname: options.hostname }),
    };
    const reply = this.ask(sign ? signed(request, key) : request, { host, port: 51000 });
    if (reply.type !== "register_ok") fail(`not registered: ${JSON.stringify(reply)}`);
    return new Node(this, key, { id: reply.node_id, host, reply });
  }

  /** A stranger's lookup of a node. */
  lookup(id: number): Extract<RegistryReply, { type: "lookup_ok" }> {
    const reply = this.ask({ type: "lookup", node_id: id });
    if (reply.type !== "lookup_ok") fail(`lookup: ${JSON.stringify(reply)}`);
    return reply;
  }
}

/** A registered node. */
export class Node {
  readonly id: number;
  readonly reply: Extract<RegistryReply, { type: "register_ok" }>;
  readonly #world: World;
  readonly #key: Identity;
  readonly #host: string;

  constructor(
    world: World,
    key: Identity,
    options: { id: number; host: string; reply: Extract<RegistryReply, { type: "register_ok" }> },
  ) {
    this.#world = world;
    this.#key = key;
    this.id = options.id;
    this.#host = options.host;
    this.reply = options.reply;
  }

  /** A request signed by this node; fails when refused. */
  ok(request: RegistryRequest): RegistryReply {
    const reply = this.#world.ask(signed(request, this.#key), { host: this.#host, port: 51000 });
    if (reply.type === "error") fail(`${request.type} refused: ${reply.error}`);
    return reply;
  }

  /** The code with which a request signed by this node is refused. */
  refused(request: RegistryRequest): string {
    return this.#world.refusal(signed(request, this.#key), { host: this.#host, port: 51000 });
  }

  sign<Request extends RegistryRequest>(request: Request): Request {
    return signed(request, this.#key);
  }

  heartbeat(): RegistryReply {
    return this.ok({ type: "heartbeat", node_id: this.id });
  }

  trust(peer: Node): void {
    this.ok({ type: "report_trust", node_id: this.id, peer_id: peer.id });
  }

  ask(peer: Node, justification = "hello"): void {
    this.ok({ type: "request_handshake", from_node_id: this.id, to_node_id: peer.id, justification });
  }

  respond(peer: Node, accept = true): void {
    this.ok({ type: "respond_handshake", node_id: this.id, peer_id: peer.id, accept });
  }

  poll(ack?: number): Extract<RegistryReply, { type: "poll_handshakes_ok" }> {
    const reply = this.ok({ type: "poll_handshakes", node_id: this.id, ...(ack !== undefined && { ack }) });
    if (reply.type !== "poll_handshakes_ok") fail("poll");
    return reply;
  }

  /** The endpoint of a peer, or the code of the refusal. */
  resolve(peer: Node): string {
    const request = { type: "resolve", node_id: peer.id, requester_id: this.id } as const;
    const reply = this.#world.ask(signed(request, this.#key));
    return reply.type === "resolve_ok"
      ? reply.real_addr
      : reply.type === "error"
      ? reply.code ?? ""
      : reply.type;
  }
}
