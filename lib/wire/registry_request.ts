/**
 * What a client asks of a registry: one JSON object per length-prefixed message, told apart by `type`.
 *
 * Members are named as on the wire. Optional members are extensions that a registry may ignore, or a `signature`
 * that may be missing. A missing member, or one of the wrong type, reads as the zero value of its type.
 */

import { Members, optional } from "./json.ts";
import { MAX_UINT16, MAX_UINT32 } from "./uint.ts";

/** Base64 Ed25519 signature over the text of `registryChallenge`. */
interface Signed {
  readonly signature?: string;
}

/** Signed by and about one node. */
interface NodeRequest extends Signed {
  readonly node_id: number;
}

/** Signed by `node_id`, about its relation to `peer_id`. */
interface PeerRequest extends NodeRequest {
  readonly peer_id: number;
}

/** A node presents its key and gets its node ID. */
export interface RegisterRequest extends Signed {
  readonly type: "register";
  /** Base64 Ed25519 key. */
  readonly public_key: string;
  /** `host:port` of the tunnel socket; most registries use the port only. */
  readonly listen_addr: string;
  /** Recovery text: whoever knows it may claim the node ID with another key. */
  readonly owner?: string;
  readonly hostname?: string;
  readonly version?: string;
  /** `host:port` texts on the node's own network. */
  readonly lan_addrs?: readonly string[];
  readonly relay_only?: boolean;
}

/** Any request, told apart by `type`. */
export type RegistryRequest =
  | RegisterRequest
  | (NodeRequest & { readonly type: "rotate_key"; readonly new_public_key: string })
  | (NodeRequest & { readonly type: "heartbeat"; readonly listen_addr?: string })
  | (NodeRequest & { readonly type: "deregister" })
  | { readonly type: "lookup"; readonly node_id: number }
  | (NodeRequest & { readonly type: "resolve"; readonly requester_id: number })
  | (Signed & {
    readonly type: "resolve_hostname";
    readonly hostname: string;
    readonly requester_id?: number;
  })
  | (NodeRequest & { readonly type: "set_hostname"; readonly hostname: string })
  | (NodeRequest & { readonly type: "set_visibility"; readonly public: boolean })
  | (NodeRequest & { readonly type: "set_tags"; readonly tags: readonly string[] })
  | (NodeRequest & { readonly type: "set_task_exec"; readonly enabled: boolean })
  | (PeerRequest & { readonly type: "report_trust" | "revoke_trust" })
  | (Signed & {
    readonly type: "request_handshake";
    readonly from_node_id: number;
    /** 0 when `to_hostname` names the target. */
    readonly to_node_id: number;
    readonly justification: string;
    readonly to_hostname?: string;
  })
  | (NodeRequest & {
    readonly type: "poll_handshakes";
    /** How long the registry may hold its answer while nothing waits, in milliseconds. */
    readonly wait_ms?: number;
    /** `ack` of an earlier reply: everything up to it was received. */
    readonly ack?: number;
  })
  | (PeerRequest & { readonly type: "respond_handshake"; readonly accept: boolean })
  | (Signed & {
    readonly type: "punch";
    readonly requester_id: number;
    readonly node_a: number;
    readonly node_b: number;
  })
  | { readonly type: "list_networks" | "beacon_list" }
  | { readonly type: "list_nodes"; readonly network_id: number }
  | {
    readonly type: "create_network";
    readonly node_id: number;
    readonly name: string;
    readonly join_rule: string;
    readonly token: string;
    readonly admin_token: string;
  }
  | {
    readonly type: "join_network";
    readonly node_id: number;
    readonly network_id: number;
    readonly token: string;
    readonly inviter_id: number;
    readonly admin_token: string;
  }
  | {
    readonly type: "leave_network";
    readonly node_id: number;
    readonly network_id: number;
    readonly admin_token: string;
  }
  | { readonly type: "get_polo_score"; readonly node_id: number }
  | { readonly type: "set_polo_score"; readonly node_id: number; readonly polo_score: number }
  | { readonly type: "update_polo_score"; readonly node_id: number; readonly delta: number }
  | { readonly type: "beacon_register"; readonly beacon_id: number; readonly addr: string }
  | { readonly type: "subscribe_replication"; readonly token: string };

/** Reads a request. `invalid` says in one line why it is none; it is for logs and improved clients. */
export function parseRegistryRequest(json: unknown): RegistryRequest | { readonly invalid: string } {
  const members = Members.of(json);
  if (members === undefined) return { invalid: "not a JSON object" };
  const type = members.string("type");
  if (type === undefined) return { invalid: "type is missing" };
  const text = (name: string) => members.string(name) ?? "";
  const flag = (name: string) => members.boolean(name) ?? false;
  const id = (name: string) => identifier(members.number(name), MAX_UINT32);
  const signature = optional("signature", members.string("signature"));
  const node = { node_id: id("node_id"), ...signature };
  const peer = { ...node, peer_id: id("peer_id") };

  switch (type) {
    case "register":
      return text("public_key") === "" ? missing(type, "public_key") : parseRegister(members);
    case "rotate_key":
      if (text("new_public_key") === "") return missing(type, "new_public_key");
      return { type, ...node, new_public_key: text("new_public_key") };
    case "heartbeat":
      return { type, ...node, ...optional("listen_addr", members.string("listen_addr")) };
    case "deregister":
      return { type, ...node };
    case "lookup":
    case "get_polo_score":
      return { type, node_id: node.node_id };
    case "resolve":
      return { type, ...node, requester_id: id("requester_id") };
    case "resolve_hostname":
      if (text("hostname") === "") return missing(type, "hostname");
      return {
        type,
        hostname: text("hostname"),
        ...(members.number("requester_id") !== undefined && { requester_id: id("requester_id") }),
        ...signature,
      };
    case "set_hostname":
      return { type, ...node, hostname: text("hostname") };
    case "set_visibility":
      return { type, ...node, public: flag("public") };
    case "set_tags":
      return { type, ...node, tags: members.strings("tags") ?? [] };
    case "set_task_exec":
      return { type, ...node, enabled: flag("enabled") };
    case "report_trust":
    case "revoke_trust":
      return { type, ...peer };
    case "request_handshake":
      return {
        type,
        from_node_id: id("from_node_id"),
        to_node_id: id("to_node_id"),
        justification: text("justification"),
        ...optional("to_hostname", members.string("to_hostname")),
        ...signature,
      };
    case "poll_handshakes":
      return {
        type,
        ...node,
        ...optional("wait_ms", members.uint("wait_ms", MAX_UINT32)),
        ...optional("ack", members.uint("ack", Number.MAX_SAFE_INTEGER)),
      };
    case "respond_handshake":
      return { type, ...peer, accept: flag("accept") };
    case "punch":
      return {
        type,
        requester_id: id("requester_id"),
        node_a: id("node_a"),
        node_b: id("node_b"),
        ...signature,
      };
    case "list_networks":
    case "beacon_list":
      return { type };
    case "list_nodes":
      return { type, network_id: identifier(members.number("network_id"), MAX_UINT16) };
    case "create_network":
    case "join_network":
    case "leave_network":
      return parseNetworkRequest(type, members);
    case "set_polo_score": {
      const score = wholeNumber(members.number("polo_score"));
      return score === undefined
        ? missing(type, "polo_score")
        : { type, node_id: node.node_id, polo_score: score };
    }
    case "update_polo_score": {
      const delta = wholeNumber(members.number("delta"));
      return delta === undefined ? missing(type, "delta") : { type, node_id: node.node_id, delta };
    }
    case "beacon_register":
      return { type, beacon_id: id("beacon_id"), addr: text("addr") };
    case "subscribe_replication":
      return { type, token: text("token") };
    default:
      return { invalid: "unknown type" };
  }
}

function parseRegister(members: Members): RegisterRequest {
  return {
    type: "register",
    public_key: members.string("public_key") ?? "",
    listen_addr: members.string("listen_addr") ?? "",
    ...optional("owner", members.string("owner")),
    ...optional("hostname", members.string("hostname")),
    ...optional("version", members.string("version")),
    ...optional("lan_addrs", members.strings("lan_addrs")),
    ...optional("relay_only", members.boolean("relay_only")),
    ...optional("signature", members.string("signature")),
  };
}

function parseNetworkRequest(
  type: "create_network" | "join_network" | "leave_network",
  members: Members,
): RegistryRequest {
  const text = (name: string) => members.string(name) ?? "";
  const node_id = identifier(members.number("node_id"), MAX_UINT32);
  const network_id = identifier(members.number("network_id"), MAX_UINT16);
  const admin_token = text("admin_token");
  if (type === "leave_network") return { type, node_id, network_id, admin_token };
  const token = text("token");
  if (type === "create_network") {
    return { type, node_id, name: text("name"), join_rule: text("join_rule"), token, admin_token };
  }
  const inviter_id = identifier(members.number("inviter_id"), MAX_UINT32);
  return { type, node_id, network_id, token, inviter_id, admin_token };
}

/** An ID as registries read it: cut towards zero; out of range, absent or no number gives 0. */
function identifier(value: number | undefined, maximum: number): number {
  const whole = Math.trunc(value ?? 0);
  return whole >= 1 && whole <= maximum ? whole : 0;
}

function wholeNumber(value: number | undefined): number | undefined {
  const whole = value === undefined ? undefined : Math.trunc(value) + 0;
  return Number.isSafeInteger(whole) ? whole : undefined;
}

function missing(type: string, member: string): { readonly invalid: string } {
  return { invalid: `${type}: ${member} is missing` };
}
