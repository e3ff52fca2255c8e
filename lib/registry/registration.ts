/** How nodes come, stay, change their key and go. */

import { formatAddress } from "../wire/address.ts";
import { decodeBase64, encodeUtf8 } from "../wire/bytes.ts";
import { formatEndpoint, ipToBytes, parseEndpoint, splitHostPort } from "../wire/endpoint.ts";
import {
  hostnameError,
  type RegisterRequest,
  registryChallenge,
  type RegistryReply,
  type RegistryRequest,
} from "../wire/registry.ts";
import { refuse, refuseForRate } from "./refusal.ts";
import { type Call, isRefusal, isSignedBy, signer, type State } from "./state.ts";
import type { NodeRecord } from "./store.ts";

type Request<Type extends RegistryRequest["type"]> = Extract<RegistryRequest, { type: Type }>;

/** Extensions that clients may rely on: `wait_ms` and `ack` of polls, `code` of refusals. */
export const FEATURES: readonly string[] = ["wait_ms", "ack", "codes"];

const MAX_LAN_ADDRESSES = 8;
/** The highest node number; the one above it stands for all nodes. */
const LAST_NODE = 0xfffffffe;

/** Where else a node may be, because of unsigned registrations: its own heartbeat from there settles it. */
interface Claim {
  readonly host: string;
  readonly endpoint: string;
}

const MAX_CLAIMS_PER_NODE = 4;
const MAX_CLAIMED_NODES = 10_000;

/** Registrations of one registry. */
export class Registration {
  readonly #state: State;
  readonly #claims = new Map<number, readonly Claim[]>();

  constructor(state: State) {
    this.#state = state;
  }

  /**
   * Gives a key its node: the one it has, the one its owner lost the key of, or a new one.
   *
   * A key that ever signed must always sign. Without a signature nothing of an existing node changes but its endpoint,
   * and that only from the address it had, after it fell silent, or once its own heartbeat comes from there.
   */
  register(request: RegisterRequest, call: Call): RegistryReply {
    const { store, policy, budgets } = this.#state;
    if (decodeBase64(request.public_key)?.length !== 32) {
      return refuse("invalid", "public_key is not the base64 text of an Ed25519 key");
    }
    const known = store.nodeByKey(request.public_key);
    const retryAfter = budgets.charge("register", call.from.host, call.now);
    if (retryAfter > 0 && known === undefined) return refuseForRate(retryAfter);
    if (store.isRevoked(request.public_key)) {
      return refuse("denied", "this key was replaced by a rotation", { hint: "register with the new key" });
    }
    if (encodeUtf8(request.owner ?? "").length > policy.maxOwnerBytes) {
      return refuse("invalid", `owner is too long (max ${policy.maxOwnerBytes} bytes)`);
    }
    const signature = request.signature ?? "";
    const signed = signature !== "";
    const text = registryChallenge(request);
    if (signed && !isSignedBy(this.#state, request.public_key, { text, signature })) {
      return refuse("bad_signature", "the signature is not by public_key");
    }
    if (known !== undefined) {
      if (known.signed && !signed) return refuseUnsigned();
      const record = known.live ? this.#refresh(known, request, call) : this.#revive(known, request, call);
      return this.#welcome(record, request, { call, mayName: signed });
    }
    const owned = (request.owner ?? "") === "" ? undefined : store.nodeByOwner(request.owner ?? "");
    if (owned === undefined) return this.#admit(request, call);
    if (owned.live) {
      return refuse("taken", "the node of this owner is registered with another key", {
        hint: "it can be recovered a few minutes after it went silent",
        retryAfterMs: Math.max(1_000, owned.lastSeen + policy.reapAfterMs + 60_000 - call.now),
      });
    }
    if (owned.signed && !signed) return refuseUnsigned();
    const recovered = { ...owned, publicKey: request.public_key, signed };
    return this.#welcome(this.#revive(recovered, request, call), request, { call, mayName: signed });
  }

  /** Replaces the key of a node, proven by the old key, which is never accepted again. */
  rotateKey(request: Request<"rotate_key">, call: Call): RegistryReply {
    const { store } = this.#state;
    const key = request.new_public_key;
    if (decodeBase64(key)?.length !== 32) {
      return refuse("invalid", "new_public_key is not the base64 text of an Ed25519 key");
    }
    const node = signer(this.#state, request.node_id, request);
    if (isRefusal(node)) return node;
    if (key !== node.publicKey) {
      if (store.nodeByKey(key) !== undefined) return refuse("taken", "the new key belongs to another node");
      if (store.isRevoked(key)) return refuse("denied", "the new key was replaced by a rotation before");
      store.revokeKey(node.publicKey, node.id);
    }
    store.putNode({ ...node, publicKey: key, lastSeen: call.now });
    return { type: "rotate_key_ok", node_id: node.id, address: addressOf(node.id), public_key: key };
  }

  /** Keeps a node alive, and lets it move: by port, or to where it registered unsigned before. */
  heartbeat(request: Request<"heartbeat">, call: Call): RegistryReply {
    const { store, inbox } = this.#state;
    const node = signer(this.#state, request.node_id, request);
    if (isRefusal(node)) return node;
    const confirmed = this.#claims.get(node.id)?.find((claim) => claim.host === call.from.host)?.endpoint;
    const moved = request.listen_addr !== undefined && hostOf(node.endpoint) === call.from.host
      ? endpointOf(request.listen_addr, call, node.endpoint)
      : undefined;
    const endpoint = confirmed ?? moved ?? node.endpoint;
    this.#claims.delete(node.id);
    if (endpoint === node.endpoint) store.touchNode(node.id, call.now);
    else store.putNode({ ...node, endpoint, lastSeen: call.now });
    return { type: "heartbeat_ok", time: Math.floor(call.now / 1000), pending: inbox.count(node.id) };
  }

  /** A node says good-bye. One that is not there needs no proof and changes nothing. */
  deregister(request: Request<"deregister">, call: Call): RegistryReply {
    if (this.#state.store.node(request.node_id)?.live !== true) return { type: "deregister_ok" };
    const node = signer(this.#state, request.node_id, request);
    if (isRefusal(node)) return node;
    this.#retire(node, call.now);
    return { type: "deregister_ok" };
  }

  /** Lets the nodes go that were silent too long. `since` is when this registry began to listen, Unix ms. */
  reap(now: number, since: number): number {
    const limit = now - this.#state.policy.reapAfterMs;
    if (since >= limit) return 0;
    const stale = this.#state.store.staleNodes(limit);
    for (const node of stale) this.#retire(node, now);
    return stale.length;
  }

  #retire(node: NodeRecord, now: number): void {
    this.#claims.delete(node.id);
    this.#state.store.putNode({ ...node, live: false, public: false, taskExec: false });
    this.#state.names.reserve(node.id, now);
  }

  /** A live node registers again. */
  #refresh(node: NodeRecord, request: RegisterRequest, call: Call): NodeRecord {
    const { store, policy } = this.#state;
    const endpoint = endpointOf(request.listen_addr, call);
    if ((request.signature ?? "") !== "") {
      return this.#put({ ...node, ...this.#declared(node, request), endpoint, lastSeen: call.now });
    }
    const here = { host: call.from.host, endpoint };
    const there = { host: hostOf(node.endpoint), endpoint: node.endpoint };
    const quiet = call.now - node.lastSeen > policy.quietAfterMs;
    if (here.host !== there.host) this.#claim(node.id, quiet ? there : here);
    if (here.host !== there.host && !quiet) return node;
    const moved = { ...node, endpoint, lastSeen: call.now };
    store.putNode(moved);
    return moved;
  }

  /** Remembers where a node may be; the first ones count, so that nobody can crowd out where it really was. */
  #claim(node: number, claim: Claim): void {
    const claims = this.#claims.get(node) ?? [];
    if (this.#claims.size >= MAX_CLAIMED_NODES) this.#claims.clear();
    const others = claims.filter((other) => other.host !== claim.host);
    this.#claims.set(node, [...others, claim].slice(0, MAX_CLAIMS_PER_NODE));
  }

  /** A node that had gone comes back: same number, private, without its name and its task flag. */
  #revive(node: NodeRecord, request: RegisterRequest, call: Call): NodeRecord {
    const declared = (request.signature ?? "") === ""
      ? { announced: "", lanAddresses: [], relayOnly: request.relay_only ?? false }
      : this.#declared(node, request);
    const endpoint = endpointOf(request.listen_addr, call);
    return this.#put({ ...node, ...declared, endpoint, live: true, lastSeen: call.now });
  }

  /** A key nobody has seen gets the next number. */
  #admit(request: RegisterRequest, call: Call): RegistryReply {
    const { store, policy } = this.#state;
    const id = store.nextNode() ?? Math.max(1, policy.firstNode);
    if (id > LAST_NODE) return refuse("denied", "there are no node numbers left");
    store.setNextNode(id + 1);
    const blank: NodeRecord = {
      id,
      publicKey: request.public_key,
      owner: request.owner ?? "",
      live: true,
      endpoint: "",
      announced: "",
      lanAddresses: [],
      relayOnly: false,
      lastSeen: call.now,
      signed: false,
      public: false,
      tags: [],
      taskExec: false,
      score: 0,
    };
    return this.#welcome(this.#revive(blank, request, call), request, { call, mayName: true });
  }

  /** What a signed registration changes. Another node's owner text is left to that node. */
  #declared(node: NodeRecord, request: RegisterRequest): Partial<NodeRecord> {
    const owner = request.owner ?? "";
    const holder = owner === "" ? undefined : this.#state.store.nodeByOwner(owner);
    const mayOwn = owner !== "" && (holder === undefined || holder.id === node.id) &&
      (node.owner === "" || !node.live);
    return {
      announced: usableEndpoint(request.listen_addr) ?? "",
      lanAddresses: (request.lan_addrs ?? []).map(usableEndpoint).filter((text) => text !== undefined)
        .slice(0, MAX_LAN_ADDRESSES),
      relayOnly: request.relay_only ?? false,
      signed: true,
      ...(mayOwn && { owner }),
    };
  }

  #put(node: NodeRecord): NodeRecord {
    this.#claims.delete(node.id);
    this.#state.store.putNode(node);
    return node;
  }

  #welcome(
    node: NodeRecord,
    request: RegisterRequest,
    options: { call: Call; mayName: boolean },
  ): RegistryReply {
    const { mayName, call } = options;
    const reply = {
      type: "register_ok",
      node_id: node.id,
      network_id: 0,
      address: addressOf(node.id),
      public_key: request.public_key,
      features: FEATURES,
      ...this.#name(node.id, request.hostname ?? "", { mayName, now: call.now }),
      // Not for whoever merely knows the key: the endpoint of a private node is not told to strangers.
      ...(mayName && { real_addr: node.endpoint }),
    } as const;
    return reply;
  }

  /** The name asked for in a registration never makes it fail. */
  #name(
    node: number,
    hostname: string,
    options: { mayName: boolean; now: number },
  ): { readonly hostname?: string; readonly hostname_error?: string } {
    const { store, names } = this.#state;
    if (hostname === "") return {};
    const error = hostnameError(hostname);
    if (error !== undefined) return { hostname_error: error };
    if (!options.mayName && store.nameOf(node)?.hostname !== hostname) {
      return { hostname_error: "the hostname of an existing node changes only by a signed request" };
    }
    if (!names.isFree(hostname, node, options.now)) {
      return { hostname_error: `hostname "${hostname}" is taken` };
    }
    names.take(hostname, node);
    return { hostname };
  }
}

/** The text form of a node's address on the backbone. */
export function addressOf(node: number): string {
  return formatAddress({ network: 0, node });
}

/**
 * Where a node can be reached: the address the registry saw, with the port the node announced. Without a usable port
 * it is `otherwise`, by default the source of the TCP connection as it is.
 */
function endpointOf(listenAddr: string, call: Call, otherwise?: string): string {
  const port = splitHostPort(listenAddr)?.port ?? 0;
  if (port !== 0) return formatEndpoint({ host: call.from.host, port });
  return otherwise ?? formatEndpoint(call.from);
}

function hostOf(endpoint: string): string {
  return parseEndpoint(endpoint)?.host ?? "";
}

/** An announced `host:port` in canonical form, unless nobody could send to it. */
function usableEndpoint(text: string): string | undefined {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined || endpoint.port === 0) return undefined;
  return ipToBytes(endpoint.host)?.some((byte) => byte !== 0) ? formatEndpoint(endpoint) : undefined;
}

function refuseUnsigned(): RegistryReply {
  return refuse("bad_signature", "this key registers with a signature only", {
    hint: 'sign "register:<listen_addr>:<public_key>"',
  });
}
