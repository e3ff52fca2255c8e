import { assert, assertEquals } from "../assert.ts";
import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import { parseJson } from "../../lib/wire/json.ts";
import {
  decodeJson,
  encodeJson,
  parseRegistryRequest,
  registryChallenge,
  type RegistryRequest,
} from "../../lib/wire/registry.ts";
import { SeededRandom } from "../sim/random.ts";
import { fuzz } from "./fuzz.ts";

const key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
const newKey = "Kay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc=";
const signature = "q45BbCdaUZcwk2S8n6vVi4fP2JqzOXBTjYngOXnVulNhT94DXKa4bzuuD05VyQPMLk72eNsf2njNteDnQO74AQ==";

/** One request of each type as it travels, and the text that is signed for it. */
const golden: readonly [string, RegistryRequest, string | undefined][] = [
  [
    `{"type":"register","listen_addr":"192.0.2.77:4000","public_key":"${key}","owner":"ops@example.com","hostname":"alpha"}`,
    {
      type: "register",
      listen_addr: "192.0.2.77:4000",
      public_key: key,
      owner: "ops@example.com",
      hostname: "alpha",
    },
    `register:192.0.2.77:4000:${key}`,
  ],
  [
    `{"type":"register","listen_addr":":4000","public_key":"${key}","version":"1","lan_addrs":["10.0.0.1:4000"],"relay_only":true,"signature":"s"}`,
    {
      type: "register",
      listen_addr: ":4000",
      public_key: key,
      version: "1",
      lan_addrs: ["10.0.0.1:4000"],
      relay_only: true,
      signature: "s",
    },
    `register::4000:${key}`,
  ],
  [
    `{"type":"rotate_key","node_id":11,"signature":"s","new_public_key":"${newKey}"}`,
    { type: "rotate_key", node_id: 11, signature: "s", new_public_key: newKey },
    "rotate:11",
  ],
  [
    `{"type":"heartbeat","node_id":11,"signature":"${signature}"}`,
    { type: "heartbeat", node_id: 11, signature },
    "heartbeat:11",
  ],
  [
    `{"type":"heartbeat","node_id":11,"listen_addr":"192.0.2.1:5"}`,
    { type: "heartbeat", node_id: 11, listen_addr: "192.0.2.1:5" },
    "heartbeat:11",
  ],
  [`{"type":"deregister","node_id":11}`, { type: "deregister", node_id: 11 }, "deregister:11"],
  [`{"type":"lookup","node_id":11}`, { type: "lookup", node_id: 11 }, undefined],
  [
    `{"type":"resolve","node_id":12,"requester_id":11,"signature":"s"}`,
    { type: "resolve", node_id: 12, requester_id: 11, signature: "s" },
    "resolve:11:12",
  ],
  [
    `{"type":"resolve_hostname","hostname":"alpha"}`,
    { type: "resolve_hostname", hostname: "alpha" },
    undefined,
  ],
  [
    `{"type":"resolve_hostname","hostname":"alpha","requester_id":11,"signature":"s"}`,
    { type: "resolve_hostname", hostname: "alpha", requester_id: 11, signature: "s" },
    "resolve_hostname:11:alpha",
  ],
  [
    `{"type":"set_hostname","node_id":11,"hostname":"alpha"}`,
    { type: "set_hostname", node_id: 11, hostname: "alpha" },
    "set_hostname:11",
  ],
  [
    `{"type":"set_visibility","node_id":11,"public":true}`,
    { type: "set_visibility", node_id: 11, public: true },
    "set_visibility:11",
  ],
  [
    `{"type":"set_tags","node_id":11,"tags":["#webserver","api"]}`,
    { type: "set_tags", node_id: 11, tags: ["#webserver", "api"] },
    "set_tags:11",
  ],
  [
    `{"type":"set_task_exec","node_id":11,"enabled":true}`,
    { type: "set_task_exec", node_id: 11, enabled: true },
    "set_task_exec:11",
  ],
  [
    `{"type":"report_trust","node_id":11,"peer_id":12}`,
    { type: "report_trust", node_id: 11, peer_id: 12 },
    "report_trust:11:12",
  ],
  [
    `{"type":"revoke_trust","node_id":11,"peer_id":12}`,
    { type: "revoke_trust", node_id: 11, peer_id: 12 },
    "revoke_trust:11:12",
  ],
  [
    `{"type":"request_handshake","from_node_id":11,"to_node_id":12,"justification":"want to exchange data"}`,
    { type: "request_handshake", from_node_id: 11, to_node_id: 12, justification: "want to exchange data" },
    "handshake:11:12",
  ],
  [
    `{"type":"request_handshake","from_node_id":11,"to_node_id":0,"justification":"","to_hostname":"12"}`,
    { type: "request_handshake", from_node_id: 11, to_node_id: 0, justification: "", to_hostname: "12" },
    "handshake_hostname:11:12",
  ],
  [
    `{"type":"poll_handshakes","node_id":12,"wait_ms":30000,"ack":7}`,
    { type: "poll_handshakes", node_id: 12, wait_ms: 30000, ack: 7 },
    "poll_handshakes:12",
  ],
  [
    `{"type":"respond_handshake","node_id":12,"peer_id":11,"accept":true}`,
    { type: "respond_handshake", node_id: 12, peer_id: 11, accept: true },
    "respond:12:11",
  ],
  [
    `{"type":"punch","requester_id":11,"node_a":11,"node_b":12}`,
    { type: "punch", requester_id: 11, node_a: 11, node_b: 12 },
    "punch:11:12",
  ],
  [`{"type":"list_networks"}`, { type: "list_networks" }, undefined],
  [`{"type":"list_nodes","network_id":7}`, { type: "list_nodes", network_id: 7 }, undefined],
  [
    `{"type":"create_network","node_id":11,"name":"research-lab","join_rule":"token","token":"s3cret","admin_token":"adm"}`,
    {
      type: "create_network",
      node_id: 11,
      name: "research-lab",
      join_rule: "token",
      token: "s3cret",
      admin_token: "adm",
    },
    undefined,
  ],
  [
    `{"type":"join_network","node_id":12,"network_id":1,"token":"s3cret","inviter_id":0,"admin_token":"adm"}`,
    { type: "join_network", node_id: 12, network_id: 1, token: "s3cret", inviter_id: 0, admin_token: "adm" },
    undefined,
  ],
  [
    `{"type":"leave_network","node_id":12,"network_id":1,"admin_token":"adm"}`,
    { type: "leave_network", node_id: 12, network_id: 1, admin_token: "adm" },
    undefined,
  ],
  [`{"type":"get_polo_score","node_id":11}`, { type: "get_polo_score", node_id: 11 }, undefined],
  [
    `{"type":"set_polo_score","node_id":11,"polo_score":-50}`,
    { type: "set_polo_score", node_id: 11, polo_score: -50 },
    undefined,
  ],
  [
    `{"type":"update_polo_score","node_id":11,"delta":-1}`,
    { type: "update_polo_score", node_id: 11, delta: -1 },
    undefined,
  ],
  [
    `{"type":"beacon_register","beacon_id":7,"addr":"192.0.2.40:9001"}`,
    { type: "beacon_register", beacon_id: 7, addr: "192.0.2.40:9001" },
    undefined,
  ],
  [`{"type":"beacon_list"}`, { type: "beacon_list" }, undefined],
  [
    `{"type":"subscribe_replication","token":"repl-secret"}`,
    { type: "subscribe_replication", token: "repl-secret" },
    undefined,
  ],
];

Deno.test("registry request: every type both ways, and what is signed", () => {
  for (const [text, request, challenge] of golden) {
    assertEquals(parseRegistryRequest(parseJson(text)), request, text);
    assertEquals(parseRegistryRequest(decodeJson(encodeJson(request))), request, text);
    assertEquals(registryChallenge(request), challenge, text);
  }
});

Deno.test("registry request: missing members and wrong types read as zero values", () => {
  const zero: RegistryRequest = { type: "set_tags", node_id: 0, tags: [] };
  assertEquals(parseRegistryRequest({ type: "set_tags" }), zero);
  assertEquals(parseRegistryRequest({ type: "set_tags", node_id: "11", tags: "api", signature: 7 }), zero);
  assertEquals(parseRegistryRequest({ type: "set_tags", node_id: null, tags: null }), zero);
  assertEquals(parseRegistryRequest({ type: "set_tags", node_id: 11, tags: ["a", 1, null, "b"] }), {
    type: "set_tags",
    node_id: 11,
    tags: ["a", "b"],
  });
  assertEquals(parseRegistryRequest({ type: "set_visibility", node_id: 1, public: "true" }), {
    type: "set_visibility",
    node_id: 1,
    public: false,
  });
  assertEquals(parseRegistryRequest({ type: "respond_handshake", node_id: 1, peer_id: 2, accept: 1 }), {
    type: "respond_handshake",
    node_id: 1,
    peer_id: 2,
    accept: false,
  });
});

Deno.test("registry request: numbers are cut towards zero, out of range is 0", () => {
  const cases: readonly [unknown, number][] = [
    [11, 11],
    [11.9, 11],
    [0.9, 0],
    [-0.5, 0],
    [-1, 0],
    [4294967295, 4294967295],
    [4294967295.5, 4294967295],
    [4294967296, 0],
    [1e300, 0],
    ["11", 0],
    [true, 0],
    [null, 0],
    [[11], 0],
  ];
  for (const [value, expected] of cases) {
    const request = parseRegistryRequest({ type: "lookup", node_id: value });
    assertEquals(request, { type: "lookup", node_id: expected }, String(value));
  }
  assertEquals(parseRegistryRequest({ type: "list_nodes", network_id: 65536 }), {
    type: "list_nodes",
    network_id: 0,
  });
  assertEquals(parseRegistryRequest({ type: "update_polo_score", node_id: 1, delta: -1.7 }), {
    type: "update_polo_score",
    node_id: 1,
    delta: -1,
  });
  const half = parseRegistryRequest({ type: "update_polo_score", node_id: 1, delta: -0.7 });
  assert("delta" in half && Object.is(half.delta, 0), "no negative zero");
});

Deno.test("registry request: why something is none", () => {
  const reasons: readonly [unknown, string][] = [
    [undefined, "not a JSON object"],
    [null, "not a JSON object"],
    [[], "not a JSON object"],
    ["register", "not a JSON object"],
    [{}, "type is missing"],
    [{ type: 7 }, "type is missing"],
    [{ type: "add_trust" }, "unknown type"],
    [{ type: "toString" }, "unknown type"],
    [{ type: "register" }, "register: public_key is missing"],
    [{ type: "register", public_key: 1 }, "register: public_key is missing"],
    [{ type: "rotate_key", node_id: 1 }, "rotate_key: new_public_key is missing"],
    [{ type: "resolve_hostname", hostname: "" }, "resolve_hostname: hostname is missing"],
    [{ type: "set_polo_score", node_id: 1 }, "set_polo_score: polo_score is missing"],
    [{ type: "set_polo_score", node_id: 1, polo_score: "5" }, "set_polo_score: polo_score is missing"],
    [{ type: "update_polo_score", node_id: 1, delta: 1e300 }, "update_polo_score: delta is missing"],
  ];
  for (const [json, invalid] of reasons) assertEquals(parseRegistryRequest(json), { invalid });
});

Deno.test("registry request: any mixture of member types gives a value", () => {
  const random = new SeededRandom(71);
  const values = [0, -1, 1.5, 2 ** 32, 1e300, "", "x", true, false, null, [], ["a", 1], {}, { a: 1 }];
  const parsed = golden.map(([text]) => parseJson(text));
  for (let round = 0; round < 20_000; round++) {
    const model = random.pick(parsed);
    assert(typeof model === "object" && model !== null);
    const changed = Object.entries(model).filter(() => random.chance(0.9)).map((
      [name, value],
    ) => [name, name !== "type" && random.chance(0.5) ? random.pick(values) : value]);
    const request = parseRegistryRequest(Object.fromEntries(changed));
    if ("invalid" in request) continue;
    assertEquals(parseRegistryRequest(decodeJson(encodeJson(request))), request, `seed 71 round ${round}`);
    registryChallenge(request);
  }
});

Deno.test("registry request: maltreated input", () => {
  fuzz((data) => parseRegistryRequest(decodeJson(data)), {
    valid: golden.map(([text]) => encodeUtf8(text)),
    refused: (result) => typeof result === "object" && result !== null && "invalid" in result,
  });
});
