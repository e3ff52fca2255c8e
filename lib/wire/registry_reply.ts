/**
 * What a registry answers: one JSON object per request, told apart by `type`, which is the request's with `_ok`
 * behind it, or `error`. Members are named as on the wire; optional ones may be absent.
 */

/** A refusal. Registries of the public network give the text `request failed` and nothing else. */
export interface RegistryError {
  readonly type: "error";
  readonly error: string;
  /** Stable name of the reason, for programs. */
  readonly code?: string;
  readonly hint?: string;
  readonly retry_after_ms?: number;
}

/** What anybody may know of a node. */
export interface LookupReply {
  readonly type: "lookup_ok";
  readonly node_id: number;
  readonly address: string;
  readonly networks: readonly number[];
  /** Base64 Ed25519 key. */
  readonly public_key: string;
  readonly public: boolean;
  readonly polo_score: number;
  readonly hostname?: string;
  readonly tags?: readonly string[];
  readonly task_exec?: boolean;
  /** `host:port`, of public nodes only. */
  readonly real_addr?: string;
  readonly version?: string;
  readonly last_seen_unix?: number;
  readonly key_generation?: number;
}

/** A handshake request that waited at the registry. `timestamp` is Unix seconds. */
export interface RelayedRequest {
  readonly from_node_id: number;
  readonly justification: string;
  readonly timestamp: number;
}

/** An answer that waited at the registry; `from_node_id` gave it. */
export interface RelayedResponse {
  readonly from_node_id: number;
  readonly accept: boolean;
  readonly timestamp: number;
}

/** A member of a network. */
export interface ListedNode {
  readonly node_id: number;
  readonly address: string;
  readonly hostname?: string;
  readonly task_exec?: boolean;
  readonly real_addr?: string;
}

/** A network; `members` is their number. */
export interface ListedNetwork {
  readonly id: number;
  readonly name: string;
  readonly members: number;
  readonly join_rule: string;
}

/** Any reply, told apart by `type`. */
export type RegistryReply =
  | RegistryError
  | {
    readonly type: "register_ok";
    readonly node_id: number;
    readonly network_id: number;
    readonly address: string;
    readonly public_key: string;
    readonly hostname?: string;
    readonly hostname_error?: string;
    /** `host:port` as stored. */
    readonly real_addr?: string;
  }
  | {
    readonly type: "rotate_key_ok";
    readonly node_id: number;
    readonly address: string;
    readonly public_key: string;
  }
  | {
    readonly type: "heartbeat_ok";
    /** Unix seconds. */
    readonly time: number;
    /** Handshake messages waiting. */
    readonly pending?: number;
  }
  | { readonly type: "deregister_ok" | "report_trust_ok" | "revoke_trust_ok" }
  | LookupReply
  | {
    readonly type: "resolve_ok";
    readonly node_id: number;
    readonly real_addr: string;
    readonly lan_addrs?: readonly string[];
    readonly relay_only?: boolean;
    readonly version?: string;
  }
  | {
    readonly type: "resolve_hostname_ok";
    readonly node_id: number;
    readonly address: string;
    readonly public: boolean;
    readonly hostname: string;
  }
  | { readonly type: "set_hostname_ok"; readonly node_id: number; readonly hostname: string }
  | {
    readonly type: "set_visibility_ok";
    readonly node_id: number;
    readonly visibility: "public" | "private";
  }
  | {
    readonly type: "set_tags_ok";
    readonly node_id: number;
    /** `null` when the list is empty. */
    readonly tags: readonly string[] | null;
  }
  | { readonly type: "set_task_exec_ok"; readonly node_id: number; readonly task_exec: boolean }
  | { readonly type: "request_handshake_ok"; readonly status: string; readonly to_node_id?: number }
  | {
    readonly type: "poll_handshakes_ok";
    readonly requests: readonly RelayedRequest[];
    readonly responses: readonly RelayedResponse[];
    /** To be sent back in the next poll; present when the registry keeps messages until then. */
    readonly ack?: number;
  }
  | { readonly type: "respond_handshake_ok"; readonly peer_id: number; readonly accept: boolean }
  | {
    readonly type: "punch_ok";
    readonly node_a: number;
    readonly node_a_addr: string;
    readonly node_b: number;
    readonly node_b_addr: string;
  }
  | { readonly type: "list_networks_ok"; readonly networks: readonly ListedNetwork[] }
  | { readonly type: "list_nodes_ok"; readonly nodes: readonly ListedNode[] }
  | { readonly type: "create_network_ok"; readonly network_id: number; readonly name: string }
  | { readonly type: "join_network_ok"; readonly network_id: number; readonly address: string }
  | { readonly type: "leave_network_ok"; readonly network_id: number }
  | {
    readonly type: "get_polo_score_ok" | "set_polo_score_ok" | "update_polo_score_ok";
    readonly node_id: number;
    readonly address: string;
    readonly polo_score: number;
  }
  | { readonly type: "beacon_register_ok"; readonly beacon_id: number }
  | {
    readonly type: "beacon_list_ok";
    readonly beacons: readonly { readonly id: number; readonly addr: string }[];
  };
