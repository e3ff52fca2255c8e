import { assert, assertEquals } from "../assert.ts";
import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import { parseJson } from "../../lib/wire/json.ts";
import { decodeJson, encodeJson, hostnameError, parseRegistryReply } from "../../lib/wire/registry.ts";
import { SeededRandom } from "../sim/random.ts";
import { fuzz } from "./fuzz.ts";

const key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

/** One reply of each type as it travels. */
const golden: readonly string[] = [
  `{"error":"request failed","type":"error"}`,
  `{"error":"slow down","type":"error","code":"rate_limited","hint":"wait","retry_after_ms":6000}`,
  `{"address":"0:0000.0000.000B","hostname":"alpha","network_id":0,"node_id":11,"public_key":"${key}","type":"register_ok"}`,
  `{"address":"0:0000.0000.000B","hostname_error":"hostname \\"localhost\\" is reserved","network_id":0,"node_id":11,"public_key":"${key}","type":"register_ok"}`,
  `{"address":"0:0000.0000.000B","node_id":11,"public_key":"${key}","type":"rotate_key_ok"}`,
  `{"time":1768471200,"type":"heartbeat_ok"}`,
  `{"time":1768471200,"pending":2,"type":"heartbeat_ok"}`,
  `{"type":"deregister_ok"}`,
  `{"address":"0:0000.0000.000B","hostname":"alpha","networks":[0],"node_id":11,"polo_score":3,"public":true,"public_key":"${key}","real_addr":"198.51.100.7:4000","tags":["api","webserver"],"task_exec":true,"type":"lookup_ok"}`,
  `{"address":"0:0000.0000.000C","networks":[0],"node_id":12,"polo_score":0,"public":false,"public_key":"${key}","type":"lookup_ok"}`,
  `{"node_id":12,"real_addr":"203.0.113.9:4000","type":"resolve_ok"}`,
  `{"node_id":12,"real_addr":"203.0.113.9:4000","lan_addrs":["10.0.0.1:4000"],"relay_only":true,"version":"1","type":"resolve_ok"}`,
  `{"address":"0:0000.0000.000B","hostname":"alpha","node_id":11,"public":true,"type":"resolve_hostname_ok"}`,
  `{"hostname":"alpha","node_id":11,"type":"set_hostname_ok"}`,
  `{"node_id":11,"type":"set_visibility_ok","visibility":"public"}`,
  `{"node_id":11,"tags":["webserver","api"],"type":"set_tags_ok"}`,
  `{"node_id":11,"tags":null,"type":"set_tags_ok"}`,
  `{"node_id":11,"task_exec":true,"type":"set_task_exec_ok"}`,
  `{"type":"report_trust_ok"}`,
  `{"type":"revoke_trust_ok"}`,
  `{"status":"delivered","type":"request_handshake_ok"}`,
  `{"status":"delivered","to_node_id":12,"type":"request_handshake_ok"}`,
  `{"requests":[{"from_node_id":11,"justification":"want to exchange data","timestamp":1768471200}],"responses":[],"type":"poll_handshakes_ok"}`,
  `{"requests":[],"responses":[{"accept":true,"from_node_id":12,"timestamp":1768471260}],"ack":9,"type":"poll_handshakes_ok"}`,
  `{"accept":true,"peer_id":11,"type":"respond_handshake_ok"}`,
  `{"node_a":11,"node_a_addr":"198.51.100.7:4000","node_b":12,"node_b_addr":"203.0.113.9:4000","type":"punch_ok"}`,
  `{"networks":[{"id":0,"join_rule":"open","members":2,"name":"backbone"}],"type":"list_networks_ok"}`,
  `{"nodes":[{"address":"7:0007.0000.000B","hostname":"alpha","node_id":11,"real_addr":"198.51.100.7:4000","task_exec":true},{"address":"7:0007.0000.000C","node_id":12}],"type":"list_nodes_ok"}`,
  `{"type":"create_network_ok","network_id":1,"name":"research-lab"}`,
  `{"type":"join_network_ok","network_id":1,"address":"1:0001.0000.000C"}`,
  `{"type":"leave_network_ok","network_id":1}`,
  `{"address":"0:0000.0000.000B","node_id":11,"polo_score":3,"type":"get_polo_score_ok"}`,
  `{"address":"0:0000.0000.000B","node_id":11,"polo_score":-50,"type":"set_polo_score_ok"}`,
  `{"address":"0:0000.0000.000B","node_id":11,"polo_score":2,"type":"update_polo_score_ok"}`,
  `{"beacon_id":7,"type":"beacon_register_ok"}`,
  `{"beacons":[{"addr":"192.0.2.40:9001","id":7}],"type":"beacon_list_ok"}`,
];

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, sorted(member)]).sort(),
  );
}

Deno.test("registry reply: every type keeps all of its members", () => {
  for (const text of golden) {
    const reply = parseRegistryReply(parseJson(text));
    assertEquals(sorted(reply), sorted(parseJson(text)), text);
    assertEquals(parseRegistryReply(decodeJson(encodeJson(reply))), reply, text);
  }
});

Deno.test("registry reply: unknown members are dropped", () => {
  const reply = parseRegistryReply({ type: "heartbeat_ok", time: 5, extra: { a: 1 }, pending: "2" });
  assertEquals(reply, { type: "heartbeat_ok", time: 5 });
});

Deno.test("registry reply: what it needs must be there", () => {
  const wrong: unknown[] = [
    undefined,
    null,
    [],
    "ok",
    {},
    { type: "unknown_ok" },
    { type: "error" },
    { type: "error", error: 7 },
    { type: "register_ok", address: "0:0000.0000.000B" },
    { type: "register_ok", node_id: 11 },
    { type: "register_ok", node_id: "11", address: "0:0000.0000.000B" },
    { type: "register_ok", node_id: -1, address: "0:0000.0000.000B" },
    { type: "lookup_ok", node_id: 11 },
    { type: "resolve_ok", node_id: 11 },
    { type: "resolve_hostname_ok", address: "x" },
    { type: "poll_handshakes_ok", requests: [] },
    { type: "poll_handshakes_ok", requests: [{}], responses: [] },
    { type: "poll_handshakes_ok", requests: [7], responses: [] },
    { type: "poll_handshakes_ok", requests: {}, responses: [] },
    { type: "beacon_list_ok" },
    { type: "beacon_list_ok", beacons: [{ id: 7 }] },
    { type: "punch_ok", node_a: 1, node_b: 2, node_a_addr: "x" },
  ];
  for (const json of wrong) assertEquals(parseRegistryReply(json), undefined, JSON.stringify(json));
});

Deno.test("registry reply: an empty list may be null", () => {
  assertEquals(parseRegistryReply({ type: "beacon_list_ok", beacons: null }), {
    type: "beacon_list_ok",
    beacons: [],
  });
  const lookup = parseRegistryReply({ type: "lookup_ok", node_id: 1, public_key: key, networks: null });
  assert(lookup?.type === "lookup_ok");
  assertEquals(lookup.networks, []);
});

Deno.test("registry reply: any mixture of member types gives a value or nothing", () => {
  const random = new SeededRandom(72);
  const values = [0, -1, 1.5, 2 ** 32, "", "x", true, null, [], ["a", 1], [{}], {}, { a: 1 }];
  const parsed = golden.map(parseJson);
  for (let round = 0; round < 20_000; round++) {
    const model = random.pick(parsed);
    assert(typeof model === "object" && model !== null);
    const changed = Object.entries(model).filter(() => random.chance(0.9)).map((
      [name, value],
    ) => [name, name !== "type" && random.chance(0.4) ? random.pick(values) : value]);
    const reply = parseRegistryReply(Object.fromEntries(changed));
    if (reply === undefined) continue;
    assertEquals(parseRegistryReply(decodeJson(encodeJson(reply))), reply, `seed 72 round ${round}`);
  }
});

Deno.test("registry reply: maltreated input", () => {
  fuzz((data) => parseRegistryReply(decodeJson(data)), {
    valid: golden.map((text) => encodeUtf8(text)),
    refused: (result) => result === undefined,
  });
});

Deno.test("registry: hostnames", () => {
  for (const good of ["a", "0", "alpha", "a-b", "a--b", "1-2", "x".repeat(63), "12"]) {
    assertEquals(hostnameError(good), undefined, good);
  }
  const grammar = "hostname must be lowercase alphanumeric with hyphens, start/end with alphanumeric";
  for (const wrong of ["", "-", "-a", "a-", "A", "a.b", "a_b", "é", "a b", "a\n", "\na"]) {
    assertEquals(hostnameError(wrong), grammar, JSON.stringify(wrong));
  }
  assertEquals(hostnameError("x".repeat(64)), "hostname too long (max 63 chars)");
  assertEquals(hostnameError("é".repeat(32)), "hostname too long (max 63 chars)");
  for (const name of ["localhost", "backbone", "broadcast"]) {
    assertEquals(hostnameError(name), `hostname "${name}" is reserved`);
  }
});
