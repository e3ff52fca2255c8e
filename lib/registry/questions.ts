/** What a registry tells, and to whom. Nothing here changes anything. */

import type { RegistryReply, RegistryRequest } from "../wire/registry.ts";
import { refuse } from "./refusal.ts";
import { addressOf } from "./registration.ts";
import { isRefusal, signer, type State, target } from "./state.ts";

type Request<Type extends RegistryRequest["type"]> = Extract<RegistryRequest, { type: Type }>;

/** What anybody may know of a node: all but the endpoint of a private one. */
export function lookup(state: State, id: number): RegistryReply {
  const node = target(state, id);
  if (isRefusal(node)) return node;
  const hostname = state.names.of(id);
  return {
    type: "lookup_ok",
    node_id: id,
    address: addressOf(id),
    networks: [0],
    public_key: node.publicKey,
    public: node.public,
    polo_score: node.score,
    ...(hostname !== "" && { hostname }),
    ...(node.tags.length > 0 && { tags: node.tags }),
    ...(node.taskExec && { task_exec: true }),
    ...(node.public && { real_addr: node.endpoint }),
  };
}

/** The endpoint of a node, for those who may know it. */
export function resolve(state: State, request: Request<"resolve">): RegistryReply {
  const requester = signer(state, request.requester_id, request);
  if (isRefusal(requester)) return requester;
  const node = target(state, request.node_id);
  if (isRefusal(node)) return node;
  if (!mayLocate(state, requester.id, node.id)) return refusePrivate(node.id);
  return {
    type: "resolve_ok",
    node_id: node.id,
    real_addr: node.endpoint,
    ...(node.lanAddresses.length > 0 && { lan_addrs: node.lanAddresses }),
    ...(node.relayOnly && { relay_only: true }),
  };
}

/** The node that has a name. */
export function resolveHostname(state: State, hostname: string): RegistryReply {
  const id = state.names.resolve(hostname);
  const node = id === undefined ? undefined : state.store.node(id);
  if (node === undefined || !node.live) return refuse("not_found", "no node has this hostname");
  return {
    type: "resolve_hostname_ok",
    node_id: node.id,
    address: addressOf(node.id),
    public: node.public,
    hostname,
  };
}

/** Two endpoints at once, for one of the two nodes, which must be allowed to know the other's. */
export function punch(state: State, request: Request<"punch">): RegistryReply {
  const { requester_id, node_a, node_b } = request;
  const requester = signer(state, requester_id, request);
  if (isRefusal(requester)) return requester;
  if (requester_id !== node_a && requester_id !== node_b) {
    return refuse("denied", "only one of the two nodes may ask");
  }
  const a = target(state, node_a);
  if (isRefusal(a)) return a;
  const b = target(state, node_b);
  if (isRefusal(b)) return b;
  const other = requester_id === node_a ? node_b : node_a;
  if (!mayLocate(state, requester_id, other)) return refusePrivate(other);
  return { type: "punch_ok", node_a, node_a_addr: a.endpoint, node_b, node_b_addr: b.endpoint };
}

/** The networks: there is only the backbone. */
export function listNetworks(state: State): RegistryReply {
  const members = state.store.countLive();
  return { type: "list_networks_ok", networks: [{ id: 0, name: "backbone", members, join_rule: "open" }] };
}

/** The nodes of a network; those of the backbone are nobody's business. */
export function listNodes(network: number): RegistryReply {
  return network === 0
    ? refuse("denied", "the nodes of the backbone are not listed")
    : refuse("not_found", `there is no network ${network}`);
}

/** Public nodes can be located by all, others by those they trust and who trust them. */
function mayLocate(state: State, requester: number, node: number): boolean {
  return state.store.node(node)?.public === true || state.relations.trusts(requester, node);
}

function refusePrivate(node: number): RegistryReply {
  return refuse("denied", `node ${node} is private and there is no mutual trust`, {
    hint: "both nodes must trust each other",
  });
}
