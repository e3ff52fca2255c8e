/** The samples of the public protocol, byte for byte, with its published signatures. */

import type { Store } from "../../lib/registry/store.ts";
import { assertEquals } from "../assert.ts";

const PUBLIC_A = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
const PUBLIC_B = "Kay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc=";

const SIGNATURES = {
  heartbeat: "q45BbCdaUZcwk2S8n6vVi4fP2JqzOXBTjYngOXnVulNhT94DXKa4bzuuD05VyQPMLk72eNsf2njNteDnQO74AQ==",
  resolve: "viiB7enCGnehk4ugsDhINw8v1fMZa6XrLWx7ekDjNR++izThApfvZQeNin5c0F2IiC2h5J6+k1gRWVmn4CakCA==",
  report: "DK9JCrT1bpIqBtx44oqt96B0OXN5NMjPyVAhQTp4JQplYFCL+SFN30wdajuL/q4XVHdpP2jhCGGGqOi7BbUBAQ==",
  revoke: "R3lwyOui+AFWRxnlb9iZJNhm3nSTgQZq24wA5ETX7HCh06rLJv1UvRgtjWcm3Mnw+fgzxLZV4AaCg/+GIqdADw==",
  visibility: "ekD/egI+7mMtts/T/qSz37VJwi1lJrXO3Vx3sxHMEwJqqkmbxX2mW/L9D0Ouod5VC0XCrx61h0FH2Nk/bGkgAA==",
  hostname: "BuOLbW3z9ITDxnMClT5LzkQxV8n/Ax2T70rKlN8Ba08OxGNJJS59LoO9JkAYz3cvPsxgf3kKDwcW5FKOo2uqBA==",
  tags: "fBL+74f1JKcZZAGxtgPzZLhYalKWMVj/7etdsGciMoElycDWzQvoy3bKZ7DxpFu9hPpLLCCzwVjTLbxNcaxIBQ==",
  taskExec: "RQDt9dp0TvwUHFppfJiqMaTJTtLirBnHv+Bp+5LEhheAmc3SnlxPt2WBO3WSU4zApkbl+tPzw+JEeqPYiBQeCQ==",
  deregister: "4Iwu6xXrJdzK8MRH3jRf5zWyuyU5bPoLVg4WuC8S1tOORZLv0/hQyToDze+YN3rIofWKF3Ya0eT2yzqbUOTdBA==",
  pollA: "/X6m8EcChdQppWaaWjstPh8/mgVKcV4CaCmb9yoVKkn6ULEQ8U//E89+wYLIFJPBNF6IeAYM/weKnwCpWErnDQ==",
  handshake: "e4z/mOHIken/AIeyDADgR2ezMcu/DePrDdh5H4dQPPRz10BOee8fb5qZdt1IEc43EhLaW9/cqhIe+2dj9TsZDA==",
  punch: "dcgIDzR7T95wFN8U5IpgD+D9xFisKd4zQH5spcl363P3We0pe9xnOnAeJn70CbwqzXzSr5vvFE7ehdAm/pWmDw==",
  rotate: "aa2zf4NhFFxWlriNJmW3nYI+xAHVSf/1U24zrjb4Ym5BFfCcJtxxxfMQTtrfmlegpZ59P4+5zF8pqFIYdbqXAA==",
  respond: "P5oKToh/Ulv6v1iB05Y9+rRRGV8jblDTwodVrHK4fXgIIN0I2fGtEniVsI0mwABgI86N7U9nZi2T50GTwyYXDA==",
  pollB: "FppuVECvk0ocIjBJDQxIX4gyuRniIgfyZdMFNhFwtkgWn0gZzeWD2fNcQDnWt1F2TonHE7kNhSfw2Igw4SOPCA==",
};

const KNOWN_ADDRESS = { address: "0:0000.0000.000B", node_id: 11 };

/**
 * What a program of the public network says and what it must hear. Members that it does not know may be added to a
 * reply; those listed must be there, with these values.
 */
export const CONVERSATION: readonly (readonly [host: "A" | "B", request: object, reply: object])[] = [
  [
    "A",
    {
      type: "register",
      listen_addr: "192.0.2.77:4000",
      public_key: PUBLIC_A,
      owner: "ops@example.com",
      hostname: "alpha",
    },
    { ...KNOWN_ADDRESS, hostname: "alpha", network_id: 0, public_key: PUBLIC_A, type: "register_ok" },
  ],
  ["B", { type: "register", listen_addr: "[::]:4000", public_key: PUBLIC_B }, {
    address: "0:0000.0000.000C",
    network_id: 0,
    node_id: 12,
    public_key: PUBLIC_B,
    type: "register_ok",
  }],
  ["A", { type: "heartbeat", node_id: 11, signature: SIGNATURES.heartbeat }, {
    time: 1768471200,
    type: "heartbeat_ok",
  }],
  // Numbers are cut towards zero.
  ["A", { type: "heartbeat", node_id: 11.9, signature: SIGNATURES.heartbeat }, {
    time: 1768471200,
    type: "heartbeat_ok",
  }],
  ["A", { type: "set_visibility", node_id: 11, public: true, signature: SIGNATURES.visibility }, {
    node_id: 11,
    type: "set_visibility_ok",
    visibility: "public",
  }],
  ["A", { type: "set_hostname", node_id: 11, hostname: "alpha", signature: SIGNATURES.hostname }, {
    hostname: "alpha",
    node_id: 11,
    type: "set_hostname_ok",
  }],
  ["A", { type: "set_tags", node_id: 11, tags: ["#webserver", "api"], signature: SIGNATURES.tags }, {
    node_id: 11,
    tags: ["webserver", "api"],
    type: "set_tags_ok",
  }],
  ["A", { type: "set_task_exec", node_id: 11, enabled: true, signature: SIGNATURES.taskExec }, {
    node_id: 11,
    task_exec: true,
    type: "set_task_exec_ok",
  }],
  ["B", { type: "update_polo_score", node_id: 11, delta: 3 }, {
    ...KNOWN_ADDRESS,
    polo_score: 3,
    type: "update_polo_score_ok",
  }],
  ["B", { type: "get_polo_score", node_id: 11 }, {
    ...KNOWN_ADDRESS,
    polo_score: 3,
    type: "get_polo_score_ok",
  }],
  ["B", { type: "lookup", node_id: 11 }, {
    ...KNOWN_ADDRESS,
    hostname: "alpha",
    networks: [0],
    polo_score: 3,
    public: true,
    public_key: PUBLIC_A,
    real_addr: "198.51.100.7:4000",
    tags: ["webserver", "api"],
    task_exec: true,
    type: "lookup_ok",
  }],
  ["A", { type: "lookup", node_id: 12 }, {
    address: "0:0000.0000.000C",
    networks: [0],
    node_id: 12,
    polo_score: 0,
    public: false,
    public_key: PUBLIC_B,
    type: "lookup_ok",
  }],
  ["B", { type: "resolve_hostname", hostname: "alpha" }, {
    ...KNOWN_ADDRESS,
    hostname: "alpha",
    public: true,
    type: "resolve_hostname_ok",
  }],
  ["A", { type: "resolve", node_id: 12, requester_id: 11, signature: SIGNATURES.resolve }, { type: "error" }],
  ["A", {
    type: "request_handshake",
    from_node_id: 11,
    to_node_id: 12,
    justification: "want to exchange data",
    signature: SIGNATURES.handshake,
  }, { status: "delivered", type: "request_handshake_ok" }],
  ["B", { type: "poll_handshakes", node_id: 12, signature: SIGNATURES.pollB }, {
    requests: [{ from_node_id: 11, justification: "want to exchange data", timestamp: 1768471200 }],
    responses: [],
    type: "poll_handshakes_ok",
  }],
  ["B", { type: "poll_handshakes", node_id: 12, signature: SIGNATURES.pollB }, {
    requests: [],
    responses: [],
    type: "poll_handshakes_ok",
  }],
  [
    "B",
    { type: "respond_handshake", node_id: 12, peer_id: 11, accept: true, signature: SIGNATURES.respond },
    {
      accept: true,
      peer_id: 11,
      type: "respond_handshake_ok",
    },
  ],
  ["A", { type: "poll_handshakes", node_id: 11, signature: SIGNATURES.pollA }, {
    requests: [],
    responses: [{ accept: true, from_node_id: 12, timestamp: 1768471200 }],
    type: "poll_handshakes_ok",
  }],
  ["A", { type: "resolve", node_id: 12, requester_id: 11, signature: SIGNATURES.resolve }, {
    node_id: 12,
    real_addr: "203.0.113.9:4000",
    type: "resolve_ok",
  }],
  ["A", { type: "punch", requester_id: 11, node_a: 11, node_b: 12, signature: SIGNATURES.punch }, {
    node_a: 11,
    node_a_addr: "198.51.100.7:4000",
    node_b: 12,
    node_b_addr: "203.0.113.9:4000",
    type: "punch_ok",
  }],
  ["A", { type: "report_trust", node_id: 11, peer_id: 12, signature: SIGNATURES.report }, {
    type: "report_trust_ok",
  }],
  ["A", { type: "revoke_trust", node_id: 11, peer_id: 12, signature: SIGNATURES.revoke }, {
    type: "revoke_trust_ok",
  }],
  ["A", { type: "resolve", node_id: 12, requester_id: 11, signature: SIGNATURES.resolve }, { type: "error" }],
  ["A", { type: "list_networks" }, {
    networks: [{ id: 0, join_rule: "open", members: 2, name: "backbone" }],
    type: "list_networks_ok",
  }],
  ["A", { type: "list_nodes", network_id: 0 }, { type: "error" }],
  ["A", {
    type: "create_network",
    node_id: 11,
    name: "research-lab",
    join_rule: "token",
    token: "s3cret",
    admin_token: "adm",
  }, { type: "error" }],
  ["A", { type: "join_network", node_id: 12, network_id: 1, token: "s3cret", inviter_id: 0 }, {
    type: "error",
  }],
  ["A", { type: "leave_network", node_id: 12, network_id: 1, admin_token: "adm" }, { type: "error" }],
  ["B", { type: "set_polo_score", node_id: 11, polo_score: -50 }, {
    ...KNOWN_ADDRESS,
    polo_score: -50,
    type: "set_polo_score_ok",
  }],
  ["A", { type: "beacon_register", beacon_id: 7, addr: "198.51.100.7:9001" }, {
    beacon_id: 7,
    type: "beacon_register_ok",
  }],
  ["B", { type: "beacon_list" }, {
    beacons: [{ addr: "198.51.100.7:9001", id: 7 }],
    type: "beacon_list_ok",
  }],
  ["A", { type: "set_tags", node_id: 11, tags: [], signature: SIGNATURES.tags }, {
    node_id: 11,
    tags: null,
    type: "set_tags_ok",
  }],
  ["A", { type: "rotate_key", node_id: 11, signature: SIGNATURES.rotate, new_public_key: PUBLIC_B }, {
    type: "error",
  }],
  ["A", { type: "deregister", node_id: 11, signature: SIGNATURES.deregister }, { type: "deregister_ok" }],
  ["A", { type: "subscribe_replication", token: "repl-secret" }, { type: "error" }],
  ["A", { type: "add_trust" }, { type: "error" }],
  ["A", {}, { type: "error" }],
];

/** Where the two programs live. */
export const HOSTS = {
  A: { host: "198.51.100.7", port: 51000 },
  B: { host: "203.0.113.9", port: 52000 },
};

/** Checks that a reply has the members it must have. Refusals keep the words that old programs know. */
export function assertReply(reply: unknown, expected: object): void {
  if (typeof reply !== "object" || reply === null) throw new TypeError("not an object");
  const subset = Object.fromEntries(Object.keys(expected).map((name) => [name, Reflect.get(reply, name)]));
  assertEquals(subset, { ...expected });
  const error: unknown = Reflect.get(reply, "error");
  const refused = Reflect.get(reply, "type") === "error";
  assertEquals(typeof error === "string" && error.startsWith("request failed"), refused);
}

/** Makes the next two nodes 11 and 12, as in the samples. */
export function startAtEleven(store: Store): void {
  store.setNextNode(11);
}
