import { assert, assertEquals, assertMatch } from "../assert.ts";
import { identity, KEY_A, KEY_B, keyText, signed, World } from "./fixture.ts";

const FROM = { host: "192.0.2.1", port: 50000 };

Deno.test("every signed request is refused unsigned, wrongly signed, and for a node that is not there", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  const requests = [
    { type: "heartbeat", node_id: a.id },
    { type: "deregister", node_id: a.id },
    { type: "set_visibility", node_id: a.id, public: true },
    { type: "set_hostname", node_id: a.id, hostname: "alpha" },
    { type: "set_tags", node_id: a.id, tags: ["x"] },
    { type: "set_task_exec", node_id: a.id, enabled: true },
    { type: "poll_handshakes", node_id: a.id },
    { type: "resolve", node_id: b.id, requester_id: a.id },
    { type: "report_trust", node_id: a.id, peer_id: b.id },
    { type: "revoke_trust", node_id: a.id, peer_id: b.id },
    { type: "request_handshake", from_node_id: a.id, to_node_id: b.id, justification: "" },
    { type: "respond_handshake", node_id: a.id, peer_id: b.id, accept: true },
    { type: "punch", requester_id: a.id, node_a: a.id, node_b: b.id },
    { type: "rotate_key", node_id: a.id, new_public_key: keyText(identity(7)) },
  ] as const;
  for (const request of requests) {
    const { type } = request;
    assertEquals(world.refusal(request), "bad_signature", type);
    assertEquals(world.refusal({ ...request, signature: "" }), "bad_signature", type);
    assertEquals(world.refusal({ ...request, signature: "AAAA" }), "bad_signature", type);
    assertEquals(world.refusal({ ...request, signature: "not base64" }), "bad_signature", type);
    assertEquals(world.refusal(signed(request, KEY_B)), "bad_signature", type);
  }
  for (const request of requests) {
    if (request.type === "deregister") continue;
    const self = request.type === "request_handshake"
      ? { ...request, from_node_id: 4242 }
      : request.type === "resolve" || request.type === "punch"
      ? { ...request, requester_id: 4242 }
      : { ...request, node_id: 4242 };
    assertEquals(world.refusal(signed(self, KEY_A)), "not_registered", request.type);
  }
});

Deno.test("public nodes can be resolved by everybody who is registered", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  assertEquals(a.resolve(b), "denied");
  b.ok({ type: "set_visibility", node_id: b.id, public: true });
  assertEquals(a.resolve(b), "198.51.100.7:4000");
  b.ok({ type: "set_visibility", node_id: b.id, public: false });
  assertEquals(a.resolve(b), "denied");
  b.ok({ type: "deregister", node_id: b.id });
  assertEquals(a.resolve(b), "not_found");
});

Deno.test("hostnames: set, change, clear, unique, grammar", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  const set = (hostname: string, node = a) => ({ type: "set_hostname", node_id: node.id, hostname } as const);
  for (
    const bad of [
      "Alpha",
      "-a",
      "a-",
      "a.b",
      "a_b",
      "backbone",
      "broadcast",
      "localhost",
      "ä",
      "a".repeat(64),
    ]
  ) {
    assertEquals(a.refused(set(bad)), "invalid", bad);
  }
  a.ok(set("alpha"));
  a.ok(set("alpha"));
  assertEquals(b.refused(set("alpha", b)), "taken");
  a.ok(set("a--b"));
  b.ok(set("alpha", b));
  assertEquals(world.lookup(b.id).hostname, "alpha");
  assertEquals(a.ok(set("")), { type: "set_hostname_ok", node_id: a.id, hostname: "" });
  assertEquals(world.lookup(a.id).hostname, undefined);
  assertEquals(world.refusal({ type: "resolve_hostname", hostname: "a--b" }), "not_found");
  b.ok(set("a--b", b));
  const reply = world.ask({ type: "resolve_hostname", hostname: "a--b" });
  assertEquals(reply, {
    type: "resolve_hostname_ok",
    node_id: b.id,
    address: b.reply.address,
    public: false,
    hostname: "a--b",
  });
});

Deno.test("tags: normalised, limited, cleared to null", () => {
  const world = new World();
  const a = world.join(KEY_A);
  const set = (tags: readonly string[]) => ({ type: "set_tags", node_id: a.id, tags } as const);
  const bad = [["#"], [""], ["##a"], ["A"], ["a b"], ["-a"], ["a".repeat(33)], Array(11).fill("a")];
  for (const tags of bad) assertEquals(a.refused(set(tags)), "invalid", JSON.stringify(tags));
  const ten = Array.from({ length: 10 }, (_, i) => `tag-${i}`);
  assertEquals(a.ok(set(ten)), { type: "set_tags_ok", node_id: a.id, tags: ten });
  assertEquals(a.ok(set(["#x", "x", "a".repeat(32)])), {
    type: "set_tags_ok",
    node_id: a.id,
    tags: ["x", "x", "a".repeat(32)],
  });
  assertEquals(a.ok(set([])), { type: "set_tags_ok", node_id: a.id, tags: null });
  assertEquals(Object.hasOwn(world.lookup(a.id), "tags"), false);
});

Deno.test("scores are bounded and keep nobody alive", () => {
  const world = new World();
  const a = world.join(KEY_A);
  const update = (delta: number) => ({ type: "update_polo_score", node_id: a.id, delta } as const);
  const set = (polo_score: number) => ({ type: "set_polo_score", node_id: a.id, polo_score } as const);
  assertEquals(world.ask(update(-1)), {
    type: "update_polo_score_ok",
    node_id: a.id,
    address: a.reply.address,
    polo_score: -1,
  });
  assertEquals(world.refusal(update(1_001)), "invalid");
  assertEquals(world.refusal(update(Number.MAX_SAFE_INTEGER)), "invalid");
  assertEquals(world.refusal(set(1_000_001)), "invalid");
  assertEquals(world.ask(set(1_000_000)).type, "set_polo_score_ok");
  assertEquals(world.refusal(update(1)), "invalid");
  assertEquals(world.lookup(a.id).polo_score, 1_000_000);
  assertEquals(world.refusal({ ...update(1), node_id: 4242 }), "not_found");
  assertEquals(world.refusal({ type: "get_polo_score", node_id: 4242 }), "not_found");
  world.now += 179_000;
  world.ask(update(-1));
  world.now += 2_000;
  world.directory.maintain(world.now);
  assertEquals(world.refusal({ type: "get_polo_score", node_id: a.id }), "not_found");
});

Deno.test("one source cannot rewrite scores without end", () => {
  const world = new World();
  const a = world.join(KEY_A);
  const update = { type: "update_polo_score", node_id: a.id, delta: 1 } as const;
  for (let i = 0; i < 60; i++) assertEquals(world.ask(update).type, "update_polo_score_ok");
  const refused = world.ask(update);
  assert(refused.type === "error" && refused.code === "rate_limited" && refused.retry_after_ms === 1_000);
  assertEquals(world.ask(update, { host: "203.0.113.1", port: 1 }).type, "update_polo_score_ok");
});

Deno.test("ten new identities per source and minute; known keys are not counted out", () => {
  const world = new World();
  const register = (n: number, host: string) => {
    const request = { type: "register", public_key: keyText(identity(n)), listen_addr: ":4000" } as const;
    return world.ask(request, { host, port: 1 });
  };
  for (let n = 0; n < 10; n++) assertEquals(register(n, "198.51.100.1").type, "register_ok");
  const refused = register(10, "198.51.100.1");
  assert(refused.type === "error" && refused.code === "rate_limited" && refused.retry_after_ms === 6_000);
  assertEquals(register(3, "198.51.100.1").type, "register_ok");
  assertEquals(register(10, "198.51.100.2").type, "register_ok");
  world.now += 6_000;
  assertEquals(register(11, "198.51.100.1").type, "register_ok");
  assertEquals(register(12, "198.51.100.1").type, "error");
});

Deno.test("IPv6 sources count by /64, this computer does not count", () => {
  const world = new World();
  const register = (n: number, host: string) => {
    const request = { type: "register", public_key: keyText(identity(n)), listen_addr: ":4000" } as const;
    return world.ask(request, { host, port: 1 }).type;
  };
  for (let n = 0; n < 10; n++) assertEquals(register(n, `2001:db8:0:1::${n + 1}`), "register_ok");
  assertEquals(register(10, "2001:db8:0:1:ffff::1"), "error");
  assertEquals(register(10, "2001:db8:0:2::1"), "register_ok");
  for (let n = 20; n < 50; n++) assertEquals(register(n, n % 2 === 0 ? "127.0.0.1" : "::1"), "register_ok");
});

Deno.test("questions of one source are limited, and so are all its requests", () => {
  const world = new World({
    rates: {
      register: { burst: 10, perSecond: 1 },
      ask: { burst: 3, perSecond: 2 },
      score: { burst: 10, perSecond: 1 },
      handshake: { burst: 10, perSecond: 1 },
      any: { burst: 8, perSecond: 4 },
    },
  });
  const lookup = { type: "lookup", node_id: 1 } as const;
  const codes = [1, 2, 3, 4].map(() => world.refusal(lookup, FROM));
  assertEquals(codes, ["not_found", "not_found", "not_found", "rate_limited"]);
  const others = [1, 2, 3, 4, 5].map(() => world.ask({ type: "beacon_list" }, FROM).type);
  assertEquals(others, ["beacon_list_ok", "beacon_list_ok", "beacon_list_ok", "beacon_list_ok", "error"]);
  const refused = world.directory.answer({ type: "nonsense" }, FROM, world.now);
  assert(refused.type === "error" && refused.code === "rate_limited" && refused.retry_after_ms === 250);
});

Deno.test("networks: the backbone is counted, its nodes are not told, others are refused", () => {
  const world = new World();
  const [a] = [world.join(KEY_A), world.join(KEY_B)];
  a.ok({ type: "deregister", node_id: a.id });
  assertEquals(world.ask({ type: "list_networks" }), {
    type: "list_networks_ok",
    networks: [{ id: 0, name: "backbone", members: 1, join_rule: "open" }],
  });
  assertEquals(world.refusal({ type: "list_nodes", network_id: 0 }), "denied");
  assertEquals(world.refusal({ type: "list_nodes", network_id: 7 }), "not_found");
});

Deno.test("beacons speak for themselves, for a minute", () => {
  const world = new World({ maxBeacons: 2 });
  const register = (beacon_id: number, addr: string, host = "192.0.2.40") => {
    const reply = world.ask({ type: "beacon_register", beacon_id, addr }, { host, port: 1 });
    return reply.type === "error" ? reply.code : reply.type;
  };
  const list = () => {
    const reply = world.ask({ type: "beacon_list" });
    assert(reply.type === "beacon_list_ok");
    return reply.beacons;
  };
  assertEquals(list(), []);
  assertEquals(register(7, "192.0.2.40:9001"), "beacon_register_ok");
  assertEquals(register(0, "192.0.2.40:9001"), "invalid");
  for (const addr of ["", "192.0.2.40", "192.0.2.40:0", "name:9001", "192.0.2.40:99999"]) {
    assertEquals(register(8, addr), "invalid", addr);
  }
  assertEquals(register(8, "192.0.2.41:9001"), "denied");
  assertEquals(register(7, "203.0.113.1:9001", "203.0.113.1"), "taken");
  assertEquals(register(8, "203.0.113.2:9001", "127.0.0.1"), "beacon_register_ok");
  assertEquals(register(9, "203.0.113.3:9001", "203.0.113.3"), "denied");
  assertEquals(list(), [{ id: 7, addr: "192.0.2.40:9001" }, { id: 8, addr: "203.0.113.2:9001" }]);
  world.now += 60_000;
  assertEquals(register(7, "192.0.2.40:9002"), "beacon_register_ok");
  world.now += 1;
  assertEquals(list(), [{ id: 7, addr: "192.0.2.40:9002" }]);
  assertEquals(register(9, "203.0.113.3:9001", "203.0.113.3"), "beacon_register_ok");
});

Deno.test("what is no request is refused with the words that old programs know", () => {
  const world = new World();
  const cases: readonly (readonly [unknown, string])[] = [
    [null, "unknown_type"],
    [{}, "unknown_type"],
    [{ type: 5 }, "unknown_type"],
    [{ type: "add_trust" }, "unknown_type"],
    [{ type: "__proto__" }, "unknown_type"],
    [{ type: "register" }, "invalid"],
    [{ type: "update_polo_score", node_id: 1, delta: "1" }, "invalid"],
    [{ type: "resolve_hostname", hostname: 7 }, "invalid"],
    [{ type: "lookup", node_id: "1000" }, "not_found"],
    [{ type: "lookup", node_id: 1e300 }, "not_found"],
    [{ type: "subscribe_replication", token: "x" }, "denied"],
  ];
  for (const [json, code] of cases) {
    const reply = world.directory.answer(json, FROM, world.now);
    assert(reply.type === "error", JSON.stringify(json));
    assertEquals(reply.code, code, JSON.stringify(json));
    assertMatch(reply.error, /^request failed: /);
  }
  assertEquals(world.directory.stats.requests, cases.length);
  assertEquals(world.directory.stats.refusals, cases.length);
});
