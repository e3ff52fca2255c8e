/** Reads what a registry answered into one of the typed replies. */

import { Members, optional } from "./json.ts";
import type { ListedNode, LookupReply, RegistryError, RegistryReply } from "./registry_reply.ts";
import { MAX_UINT16, MAX_UINT32 } from "./uint.ts";

/** Reads a reply; members that are not known are dropped. `undefined` when it is no reply or lacks what it needs. */
export function parseRegistryReply(json: unknown): RegistryReply | undefined {
  const members = Members.of(json);
  if (members === undefined) return undefined;
  const needs = new Needs(members);
  const reply = read(members, needs);
  return needs.met ? reply : undefined;
}

/** Required members. A missing one reads as a zero value and is remembered. */
class Needs {
  readonly #members: Members;
  met = true;

  constructor(members: Members) {
    this.#members = members;
  }

  text(name: string): string {
    return this.#require(this.#members.string(name), "");
  }

  flag(name: string): boolean {
    return this.#require(this.#members.boolean(name), false);
  }

  number(name: string): number {
    return this.#require(this.#members.number(name), 0);
  }

  id(name: string, maximum: number = MAX_UINT32): number {
    return this.#require(this.#members.uint(name, maximum), 0);
  }

  /** The objects of a list; `null` counts as empty, an element without what it needs spoils the reply. */
  each<Item>(name: string, read: (members: Members, needs: Needs) => Item): Item[] {
    if (this.#members.get(name) === null) return [];
    return this.#require(this.#members.list(name), []).map((element) => {
      const members = Members.of(element);
      const needs = new Needs(members ?? this.#members);
      const item = read(members ?? this.#members, needs);
      if (members === undefined || !needs.met) this.met = false;
      return item;
    });
  }

  #require<Value>(value: Value | undefined, zero: Value): Value {
    if (value === undefined) this.met = false;
    return value ?? zero;
  }
}

function read(members: Members, needs: Needs): RegistryReply | undefined {
  const type = members.string("type");
  switch (type) {
    case "error":
      return readError(members, needs);
    case "register_ok":
      return {
        type,
        node_id: needs.id("node_id"),
        network_id: members.uint("network_id", MAX_UINT16) ?? 0,
        address: needs.text("address"),
        public_key: members.string("public_key") ?? "",
        ...optional("hostname", members.string("hostname")),
        ...optional("hostname_error", members.string("hostname_error")),
        ...optional("real_addr", members.string("real_addr")),
      };
    case "rotate_key_ok":
      return {
        type,
        node_id: needs.id("node_id"),
        address: needs.text("address"),
        public_key: needs.text("public_key"),
      };
    case "heartbeat_ok":
      return {
        type,
        time: members.number("time") ?? 0,
        ...optional("pending", members.uint("pending", MAX_UINT32)),
      };
    case "deregister_ok":
    case "report_trust_ok":
    case "revoke_trust_ok":
      return { type };
    case "lookup_ok":
      return readLookup(members, needs);
    case "resolve_ok":
      return {
        type,
        node_id: needs.id("node_id"),
        real_addr: needs.text("real_addr"),
        ...optional("lan_addrs", members.strings("lan_addrs")),
        ...optional("relay_only", members.boolean("relay_only")),
        ...optional("version", members.string("version")),
      };
    case "resolve_hostname_ok":
      return {
        type,
        node_id: needs.id("node_id"),
        address: needs.text("address"),
        public: members.boolean("public") ?? false,
        hostname: members.string("hostname") ?? "",
      };
    case "set_hostname_ok":
      return { type, node_id: needs.id("node_id"), hostname: members.string("hostname") ?? "" };
    case "set_visibility_ok":
      return {
        type,
        node_id: needs.id("node_id"),
        visibility: needs.text("visibility") === "public" ? "public" : "private",
      };
    case "set_tags_ok":
      return { type, node_id: needs.id("node_id"), tags: members.strings("tags") ?? null };
    case "set_task_exec_ok":
      return { type, node_id: needs.id("node_id"), task_exec: needs.flag("task_exec") };
    case "request_handshake_ok":
      return {
        type,
        status: members.string("status") ?? "",
        ...optional("to_node_id", members.uint("to_node_id", MAX_UINT32)),
      };
    case "poll_handshakes_ok":
      return {
        type,
        requests: needs.each("requests", (_, item) => ({
          from_node_id: item.id("from_node_id"),
          justification: item.text("justification"),
          timestamp: item.number("timestamp"),
        })),
        responses: needs.each("responses", (_, item) => ({
          from_node_id: item.id("from_node_id"),
          accept: item.flag("accept"),
          timestamp: item.number("timestamp"),
        })),
        ...optional("ack", members.uint("ack", Number.MAX_SAFE_INTEGER)),
      };
    case "respond_handshake_ok":
      return { type, peer_id: needs.id("peer_id"), accept: needs.flag("accept") };
    case "punch_ok":
      return {
        type,
        node_a: needs.id("node_a"),
        node_a_addr: needs.text("node_a_addr"),
        node_b: needs.id("node_b"),
        node_b_addr: needs.text("node_b_addr"),
      };
    case "list_networks_ok":
      return {
        type,
        networks: needs.each("networks", (_, item) => ({
          id: item.id("id", MAX_UINT16),
          name: item.text("name"),
          members: item.number("members"),
          join_rule: item.text("join_rule"),
        })),
      };
    case "list_nodes_ok":
      return { type, nodes: needs.each("nodes", readListedNode) };
    case "create_network_ok":
      return { type, network_id: needs.id("network_id", MAX_UINT16), name: needs.text("name") };
    case "join_network_ok":
      return { type, network_id: needs.id("network_id", MAX_UINT16), address: needs.text("address") };
    case "leave_network_ok":
      return { type, network_id: needs.id("network_id", MAX_UINT16) };
    case "get_polo_score_ok":
    case "set_polo_score_ok":
    case "update_polo_score_ok":
      return {
        type,
        node_id: needs.id("node_id"),
        address: members.string("address") ?? "",
        polo_score: needs.number("polo_score"),
      };
    case "beacon_register_ok":
      return { type, beacon_id: needs.id("beacon_id") };
    case "beacon_list_ok":
      return {
        type,
        beacons: needs.each("beacons", (_, item) => ({ id: item.id("id"), addr: item.text("addr") })),
      };
    default:
      return undefined;
  }
}

function readError(members: Members, needs: Needs): RegistryError {
  return {
    type: "error",
    error: needs.text("error"),
    ...optional("code", members.string("code")),
    ...optional("hint", members.string("hint")),
    ...optional("retry_after_ms", members.uint("retry_after_ms", MAX_UINT32)),
  };
}

function readLookup(members: Members, needs: Needs): LookupReply {
  return {
    type: "lookup_ok",
    node_id: needs.id("node_id"),
    address: members.string("address") ?? "",
    networks: (members.list("networks") ?? []).filter((network) => typeof network === "number"),
    public_key: needs.text("public_key"),
    public: members.boolean("public") ?? false,
    polo_score: members.number("polo_score") ?? 0,
    ...optional("hostname", members.string("hostname")),
    ...optional("tags", members.strings("tags")),
    ...optional("task_exec", members.boolean("task_exec")),
    ...optional("real_addr", members.string("real_addr")),
    ...optional("version", members.string("version")),
    ...optional("last_seen_unix", members.number("last_seen_unix")),
    ...optional("key_generation", members.number("key_generation")),
  };
}

function readListedNode(members: Members, needs: Needs): ListedNode {
  return {
    node_id: needs.id("node_id"),
    address: needs.text("address"),
    ...optional("hostname", members.string("hostname")),
    ...optional("task_exec", members.boolean("task_exec")),
    ...optional("real_addr", members.string("real_addr")),
  };
}
