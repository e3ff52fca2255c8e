/** Trust between nodes as they report it, and the letter box for those who cannot reach each other. */

import type { RegistryReply, RegistryRequest } from "../wire/registry.ts";
import { refuse, refuseForRate } from "./refusal.ts";
import { type Call, isRefusal, signer, type State, target } from "./state.ts";
import type { NodeRecord } from "./store.ts";

type Request<Type extends RegistryRequest["type"]> = Extract<RegistryRequest, { type: Type }>;

/** A request that names a node and its peer. */
export type PeerRequest = Extract<RegistryRequest, { node_id: number; peer_id: number; type: string }>;

/** A node asks another for trust, by number or by name. */
export function requestHandshake(
  state: State,
  request: Request<"request_handshake">,
  call: Call,
): RegistryReply {
  const sender = signer(state, request.from_node_id, request);
  if (isRefusal(sender)) return sender;
  const byName = request.to_node_id === 0 && request.to_hostname !== undefined;
  const id = byName ? state.names.resolve(request.to_hostname ?? "") : request.to_node_id;
  if (id === undefined) return refuse("not_found", "no node has this hostname");
  const peer = target(state, id);
  if (isRefusal(peer)) return peer;
  const retryAfter = state.budgets.chargeNode(sender.id, call.now);
  if (retryAfter > 0) return refuseForRate(retryAfter);
  if (!state.relations.ask(sender.id, peer.id, call.now)) return refuseRelations();
  const { justification } = request;
  state.inbox.put(peer.id, { kind: "request", from: sender.id, justification }, call.now);
  return { type: "request_handshake_ok", status: "delivered", ...(byName && { to_node_id: peer.id }) };
}

/** Everything that waits for a node. */
export function pollHandshakes(state: State, request: Request<"poll_handshakes">): RegistryReply {
  const node = signer(state, request.node_id, request);
  if (isRefusal(node)) return node;
  return { type: "poll_handshakes_ok", ...state.inbox.poll(node.id, request.ack) };
}

/** A node answers another's request. Accepting is also a statement of trust. */
export function respondHandshake(
  state: State,
  request: Request<"respond_handshake">,
  call: Call,
): RegistryReply {
  const node = signer(state, request.node_id, request);
  if (isRefusal(node)) return node;
  const peer = target(state, request.peer_id);
  if (isRefusal(peer)) return peer;
  const retryAfter = state.budgets.chargeNode(node.id, call.now);
  if (retryAfter > 0) return refuseForRate(retryAfter);
  const { accept } = request;
  const deliver = mayAnswer(state, peer, { node: node.id, now: call.now });
  if (accept && !state.relations.assert(node.id, peer.id, call.now)) return refuseRelations();
  if (deliver) state.inbox.put(peer.id, { kind: "response", from: node.id, accept }, call.now);
  return { type: "respond_handshake_ok", peer_id: peer.id, accept };
}

/** A node says that it trusts another. */
export function reportTrust(state: State, request: PeerRequest, call: Call): RegistryReply {
  const node = signer(state, request.node_id, request);
  if (isRefusal(node)) return node;
  const peer = target(state, request.peer_id);
  if (isRefusal(peer)) return peer;
  return state.relations.assert(node.id, peer.id, call.now) ? { type: "report_trust_ok" } : refuseRelations();
}

/** A node takes its trust back. The peer may be gone. */
export function revokeTrust(state: State, request: PeerRequest, call: Call): RegistryReply {
  const node = signer(state, request.node_id, request);
  if (isRefusal(node)) return node;
  return state.relations.revoke(node.id, request.peer_id, call.now)
    ? { type: "revoke_trust_ok" }
    : refuse("not_found", `there is no trust between node ${node.id} and node ${request.peer_id}`);
}

/**
 * Whether an answer is passed on. Older clients take any approval for granted, so they only get those they asked for
 * here. Clients that sign their registration know what they asked for, and may have asked the peer directly.
 */
function mayAnswer(state: State, peer: NodeRecord, from: { node: number; now: number }): boolean {
  return state.policy.legacyTrust || peer.signed || state.relations.awaits(peer.id, from.node, from.now);
}

function refuseRelations(): RegistryReply {
  return refuse("denied", "this node has too many relations");
}
