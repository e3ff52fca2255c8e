import { Directory } from "../../lib/registry/directory.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { assert, assertEquals, assertExists, assertMatch } from "../assert.ts";
import { identity, KEY_A, KEY_B, keyText, signed, World } from "./fixture.ts";

const MINUTE = 60_000;

Deno.test("a fresh registry numbers from 1000 and gives a returning key its number", () => {
  const world = new World();
  const a = world.join(KEY_A);
  const b = world.join(KEY_B);
  assertEquals([a.id, b.id], [1000, 1001]);
  assertEquals(a.reply.address, "0:0000.0000.03E8");
  assertEquals(a.reply.network_id, 0);
  assertEquals(world.join(KEY_A).id, 1000);
  a.ok({ type: "deregister", node_id: a.id });
  assertEquals(world.join(KEY_A).id, 1000);
});

Deno.test("the numbers 0 and 4294967295 are never given out", () => {
  const world = new World();
  world.store.setNextNode(0xfffffffe);
  assertEquals(world.join(KEY_A).id, 0xfffffffe);
  const request = { type: "register", public_key: keyText(KEY_B), listen_addr: ":1" } as const;
  assertEquals(world.refusal(request), "denied");
  assertEquals(world.join(KEY_A).id, 0xfffffffe);
  assertEquals(new World({ firstNode: 0 }).join(KEY_A).id, 1);
});

Deno.test("keys that are not canonical base64 of 32 bytes are refused", () => {
  const world = new World();
  const key = keyText(KEY_A);
  const bad = [
    "",
    "x",
    key.slice(0, 43),
    key.replaceAll("/", "_"),
    `${key}\n`,
    `${key.slice(0, 10)}\n${key.slice(10)}`,
    // The last digit before the padding carries two unused bits.
    `${key.slice(0, 42)}h=`,
    encodeBase64(KEY_A.publicKey.subarray(1)),
    encodeBase64(new Uint8Array(33)),
  ];
  for (const public_key of bad) {
    assertEquals(
      world.refusal({ type: "register", public_key, listen_addr: ":4000" }),
      "invalid",
      public_key,
    );
  }
});

Deno.test("the endpoint is the source of the connection with the announced port", () => {
  const cases = [
    ["198.51.100.7", "192.0.2.77:4000", "198.51.100.7:4000"],
    ["2001:db8::5", "[::]:4000", "[2001:db8::5]:4000"],
    ["198.51.100.7", ":65535", "198.51.100.7:65535"],
    ["198.51.100.7", "", "198.51.100.7:51000"],
    ["198.51.100.7", "no port", "198.51.100.7:51000"],
    ["198.51.100.7", "1.2.3.4:0", "198.51.100.7:51000"],
    ["198.51.100.7", "1.2.3.4:65536", "198.51.100.7:51000"],
    ["198.51.100.7", "1.2.3.4:port\n", "198.51.100.7:51000"],
  ] as const;
  for (const [host, listen, expected] of cases) {
    const world = new World();
    const node = world.join(KEY_A, { host, listen });
    node.ok({ type: "set_visibility", node_id: node.id, public: true });
    assertEquals(world.lookup(node.id).real_addr, expected, listen);
  }
});

Deno.test("a signed registration is checked and makes the signature mandatory", () => {
  const world = new World();
  const request = { type: "register", public_key: keyText(KEY_A), listen_addr: "203.0.113.5:4000" } as const;
  assertEquals(world.refusal({ ...signed(request, KEY_B) }), "bad_signature");
  assertEquals(
    world.refusal({ ...signed(request, KEY_A), listen_addr: "203.0.113.5:4001" }),
    "bad_signature",
  );
  const node = world.join(KEY_A, { sign: true });
  assertEquals(world.refusal(request), "bad_signature");
  assertEquals(world.join(KEY_A, { sign: true }).id, node.id);
  node.ok({ type: "deregister", node_id: node.id });
  assertEquals(world.refusal(request), "bad_signature");
  assertEquals(world.join(KEY_A, { sign: true }).id, node.id);
});

Deno.test("a signed registration advertises the extensions and keeps the announced addresses", () => {
  const world = new World();
  const request = signed({
    type: "register",
    public_key: keyText(KEY_A),
    listen_addr: "203.0.113.5:4000",
    lan_addrs: ["192.168.1.5:4000", "junk", "0.0.0.0:4000", "[fe80::1]:4000"],
    relay_only: true,
  }, KEY_A);
  const reply = world.ask(request, { host: "198.51.100.7", port: 1 });
  assertEquals(Reflect.get(reply, "features"), ["wait_ms", "ack", "codes"]);
  const record = world.store.node(1000);
  assertExists(record);
  assertEquals(record.announced, "203.0.113.5:4000");
  assertEquals(record.endpoint, "198.51.100.7:4000");
  const b = world.join(KEY_B);
  world.store.putNode({ ...record, public: true });
  assertEquals(b.ok({ type: "resolve", node_id: 1000, requester_id: b.id }), {
    type: "resolve_ok",
    node_id: 1000,
    real_addr: "198.51.100.7:4000",
    lan_addrs: ["192.168.1.5:4000", "[fe80::1]:4000"],
    relay_only: true,
  });
});

Deno.test("an unsigned stranger cannot move a node that is alive", () => {
  const world = new World();
  const node = world.join(KEY_A, { host: "198.51.100.7" });
  node.ok({ type: "set_visibility", node_id: node.id, public: true });
  const endpoint = () => world.lookup(node.id).real_addr;
  const moved = world.join(KEY_A, { host: "203.0.113.66", port: 6666 });
  assertEquals(moved.id, node.id);
  assertEquals(moved.reply.real_addr, undefined);
  assertEquals(endpoint(), "198.51.100.7:4000");
  node.heartbeat();
  assertEquals(endpoint(), "198.51.100.7:4000");
  // From its own address a node may change the port.
  world.join(KEY_A, { host: "198.51.100.7", port: 4001 });
  assertEquals(endpoint(), "198.51.100.7:4001");
});

Deno.test("an unsigned node that moved is believed once its heartbeat comes from there", () => {
  const world = new World();
  const node = world.join(KEY_A, { host: "198.51.100.7" });
  node.ok({ type: "set_visibility", node_id: node.id, public: true });
  const moved = world.join(KEY_A, { host: "203.0.113.9", port: 4100 });
  moved.heartbeat();
  assertEquals(world.lookup(node.id).real_addr, "203.0.113.9:4100");
});

Deno.test("an unsigned node that fell silent may come back from anywhere", () => {
  const world = new World();
  const node = world.join(KEY_A, { host: "198.51.100.7" });
  node.ok({ type: "set_visibility", node_id: node.id, public: true });
  world.now += 76_000;
  world.join(KEY_A, { host: "203.0.113.9", port: 4100 });
  assertEquals(world.lookup(node.id).real_addr, "203.0.113.9:4100");
});

Deno.test("a node that was moved by somebody else while it was silent gets back by its heartbeat", () => {
  const world = new World();
  const node = world.join(KEY_A, { host: "198.51.100.7" });
  node.ok({ type: "set_visibility", node_id: node.id, public: true });
  world.now += 76_000;
  world.join(KEY_A, { host: "203.0.113.66", port: 6666 });
  assertEquals(world.lookup(node.id).real_addr, "203.0.113.66:6666");
  for (const host of ["203.0.113.66", "203.0.113.67", "203.0.113.66"]) {
    world.join(KEY_A, { host, port: 6666 });
  }
  node.heartbeat();
  assertEquals(world.lookup(node.id).real_addr, "198.51.100.7:4000");
  node.heartbeat();
  assertEquals(world.lookup(node.id).real_addr, "198.51.100.7:4000");
});

Deno.test("a signed node moves at once", () => {
  const world = new World();
  const node = world.join(KEY_A, { host: "198.51.100.7", sign: true });
  node.ok({ type: "set_visibility", node_id: node.id, public: true });
  world.join(KEY_A, { host: "203.0.113.9", port: 4100, sign: true });
  assertEquals(world.lookup(node.id).real_addr, "203.0.113.9:4100");
});

Deno.test("an unsigned stranger cannot name, own or revive the settings of an existing node", () => {
  const world = new World();
  const node = world.join(KEY_A, { hostname: "alpha" });
  assertEquals(node.reply.hostname, "alpha");
  const stranger = world.join(KEY_A, { host: "203.0.113.66", hostname: "evil", owner: "evil@example.com" });
  assertEquals(stranger.reply.hostname, undefined);
  assertMatch(stranger.reply.hostname_error ?? "", /signed/);
  assertEquals(world.lookup(node.id).hostname, "alpha");
  assertEquals(world.store.node(node.id)?.owner, "");
  // The takeover of old: own the node first, then recover it with another key.
  node.ok({ type: "deregister", node_id: node.id });
  const thief = world.join(KEY_B, { owner: "evil@example.com" });
  assertEquals(thief.id === node.id, false);
});

Deno.test("a signed registration may fill an empty owner, but not take one over", () => {
  const world = new World();
  world.join(KEY_A, { sign: true });
  world.join(KEY_A, { sign: true, owner: "ops@example.com" });
  assertEquals(world.store.nodeByOwner("ops@example.com")?.id, 1000);
  const b = world.join(KEY_B, { sign: true });
  world.join(KEY_B, { sign: true, owner: "ops@example.com" });
  assertEquals(world.store.node(b.id)?.owner, "");
  assertEquals(world.store.nodeByOwner("ops@example.com")?.id, 1000);
  world.join(KEY_A, { sign: true, owner: "other@example.com" });
  assertEquals(world.store.node(1000)?.owner, "ops@example.com");
});

Deno.test("an owner recovers a node with a new key only after the old one has gone", () => {
  const world = new World();
  const a = world.join(KEY_A, { owner: "ops@example.com" });
  const request = {
    type: "register",
    public_key: keyText(KEY_B),
    listen_addr: ":4000",
    owner: "ops@example.com",
  } as const;
  const refused = world.ask(request);
  assert(refused.type === "error" && refused.code === "taken" && (refused.retry_after_ms ?? 0) >= 3 * MINUTE);
  assertEquals(world.lookup(a.id).public_key, keyText(KEY_A));
  world.now += 4 * MINUTE;
  world.directory.maintain(world.now);
  const b = world.join(KEY_B, { owner: "ops@example.com" });
  assertEquals(b.id, a.id);
  assertEquals(world.lookup(a.id).public_key, keyText(KEY_B));
  b.heartbeat();
  assertEquals(a.refused({ type: "heartbeat", node_id: a.id }), "bad_signature");
  // The old key is not an alias of the number any more.
  const again = world.join(KEY_A, { port: 4002 });
  assertEquals(again.id === a.id, false);
});

Deno.test("a node that signs is recovered by a signature of the new key only", () => {
  const world = new World();
  const a = world.join(KEY_A, { sign: true, owner: "ops@example.com" });
  a.ok({ type: "deregister", node_id: a.id });
  const request = {
    type: "register",
    public_key: keyText(KEY_B),
    listen_addr: ":4000",
    owner: "ops@example.com",
  } as const;
  assertEquals(world.refusal(request), "bad_signature");
  assertEquals(world.join(KEY_B, { sign: true, owner: "ops@example.com" }).id, a.id);
});

Deno.test("an invalid, reserved or taken hostname does not keep a node out", () => {
  const world = new World();
  const error = (hostname: string, key = KEY_A) => world.join(key, { hostname }).reply;
  assertEquals(error("localhost").hostname_error, 'hostname "localhost" is reserved');
  assertEquals(
    error("Bad_Name", identity(1)).hostname_error,
    "hostname must be lowercase alphanumeric with hyphens, start/end with alphanumeric",
  );
  assertEquals(error("a".repeat(64), identity(2)).hostname_error, "hostname too long (max 63 chars)");
  assertEquals(error("alpha", identity(3)).hostname, "alpha");
  assertEquals(error("alpha", identity(4)).hostname_error, 'hostname "alpha" is taken');
  assertEquals(error("", identity(5)).hostname_error, undefined);
});

Deno.test("a silent node goes after three minutes, not before, and keeps its number, tags and score", () => {
  const world = new World();
  const a = world.join(KEY_A, { hostname: "alpha" });
  a.ok({ type: "set_visibility", node_id: a.id, public: true });
  a.ok({ type: "set_tags", node_id: a.id, tags: ["api"] });
  a.ok({ type: "set_task_exec", node_id: a.id, enabled: true });
  world.ask({ type: "set_polo_score", node_id: a.id, polo_score: 7 });
  world.now += 3 * MINUTE;
  world.directory.maintain(world.now);
  assertEquals(world.lookup(a.id).hostname, "alpha");
  world.now += 1;
  world.directory.maintain(world.now);
  assertEquals(world.refusal({ type: "lookup", node_id: a.id }), "not_found");
  assertEquals(a.refused({ type: "heartbeat", node_id: a.id }), "not_registered");
  assertEquals(world.directory.stats.reaped, 1);
  assertEquals(world.join(KEY_A).id, a.id);
  assertEquals(world.lookup(a.id), {
    type: "lookup_ok",
    node_id: a.id,
    address: "0:0000.0000.03E8",
    networks: [0],
    public_key: keyText(KEY_A),
    public: false,
    polo_score: 7,
    tags: ["api"],
  });
});

Deno.test("heartbeats keep a node; a registry that was down gives it time to send one", () => {
  const world = new World();
  const a = world.join(KEY_A);
  for (let i = 0; i < 20; i++) {
    world.now += 30_000;
    const reply = a.heartbeat();
    assert(
      reply.type === "heartbeat_ok" && reply.time === Math.floor(world.now / 1000) && reply.pending === 0,
    );
    world.directory.maintain(world.now);
  }
  world.now += 60 * MINUTE;
  const restarted = new Directory({ store: world.store, startedAt: world.now });
  world.now += 3 * MINUTE;
  restarted.maintain(world.now);
  assertEquals(world.store.node(a.id)?.live, true);
  world.now += 1_000;
  restarted.maintain(world.now);
  assertEquals(world.store.node(a.id)?.live, false);
});

Deno.test("a name is kept for the key that had it for a day", () => {
  const world = new World();
  const a = world.join(KEY_A, { hostname: "alpha" });
  world.now += 4 * MINUTE;
  world.directory.maintain(world.now);
  assertEquals(world.refusal({ type: "resolve_hostname", hostname: "alpha" }), "not_found");
  const b = world.join(KEY_B, { hostname: "alpha" });
  assertEquals(b.reply.hostname, undefined);
  assertEquals(b.refused({ type: "set_hostname", node_id: b.id, hostname: "alpha" }), "taken");
  // Registering alone does not bring the name back, asking for it does, signed or not.
  assertEquals(world.join(KEY_A).reply.hostname, undefined);
  assertEquals(world.refusal({ type: "resolve_hostname", hostname: "alpha" }), "not_found");
  assertEquals(world.join(KEY_A, { hostname: "alpha" }).reply.hostname, "alpha");
  a.ok({ type: "deregister", node_id: a.id });
  world.now += 24 * 60 * MINUTE;
  b.ok({ type: "set_hostname", node_id: b.id, hostname: "alpha" });
  assertEquals(world.join(KEY_A, { hostname: "alpha" }).reply.hostname, undefined);
});

Deno.test("a rotation replaces the key for good", () => {
  const world = new World();
  const a = world.join(KEY_A);
  const b = world.join(KEY_B);
  const c = identity(99);
  const rotate = (new_public_key: string) => ({ type: "rotate_key", node_id: a.id, new_public_key } as const);
  assertEquals(a.refused(rotate("junk")), "invalid");
  assertEquals(a.refused(rotate(keyText(KEY_B))), "taken");
  assertEquals(b.refused(rotate(keyText(c))), "bad_signature");
  assertEquals(a.ok(rotate(keyText(c))), {
    type: "rotate_key_ok",
    node_id: a.id,
    address: a.reply.address,
    public_key: keyText(c),
  });
  assertEquals(a.refused({ type: "heartbeat", node_id: a.id }), "bad_signature");
  assertEquals(world.join(c).id, a.id);
  const old = { type: "register", public_key: keyText(KEY_A), listen_addr: ":4000" } as const;
  assertEquals(world.refusal(old), "denied");
  assertEquals(b.refused({ type: "rotate_key", node_id: b.id, new_public_key: keyText(KEY_A) }), "denied");
});

Deno.test("deregistration needs the node's signature, and none when there is no node", () => {
  const world = new World();
  const a = world.join(KEY_A);
  assertEquals(world.refusal({ type: "deregister", node_id: a.id }), "bad_signature");
  assertEquals(a.ok({ type: "deregister", node_id: a.id }), { type: "deregister_ok" });
  assertEquals(world.ask({ type: "deregister", node_id: a.id }), { type: "deregister_ok" });
  assertEquals(world.ask({ type: "deregister", node_id: 7 }), { type: "deregister_ok" });
});

Deno.test("a node moves by port with its heartbeat, from its own address only", () => {
  const world = new World();
  const a = world.join(KEY_A, { host: "198.51.100.7" });
  a.ok({ type: "set_visibility", node_id: a.id, public: true });
  a.ok({ type: "heartbeat", node_id: a.id, listen_addr: "9.9.9.9:4444" });
  assertEquals(world.lookup(a.id).real_addr, "198.51.100.7:4444");
  a.ok({ type: "heartbeat", node_id: a.id, listen_addr: "junk" });
  assertEquals(world.lookup(a.id).real_addr, "198.51.100.7:4444");
  const replayed = signed({ type: "heartbeat", node_id: a.id, listen_addr: ":1" }, KEY_A);
  world.ask(replayed, { host: "203.0.113.66", port: 1 });
  assertEquals(world.lookup(a.id).real_addr, "198.51.100.7:4444");
});

Deno.test("an owner text has a limit", () => {
  const world = new World();
  const request = { type: "register", public_key: keyText(KEY_A), listen_addr: ":1" } as const;
  assertEquals(world.refusal({ ...request, owner: "é".repeat(129) }), "invalid");
  assertEquals(world.ask({ ...request, owner: "é".repeat(128) }).type, "register_ok");
});
