import { assertEquals } from "../assert.ts";
import { identity, KEY_A, KEY_B, World } from "./fixture.ts";

const DAY = 24 * 60 * 60_000;

function pair(policy = {}, options = { sign: false }) {
  const world = new World(policy);
  const a = world.join(KEY_A, { host: "198.51.100.7", ...options });
  const b = world.join(KEY_B, { host: "203.0.113.9", ...options });
  return { world, a, b };
}

const A_AT = "198.51.100.7:4000";
const B_AT = "203.0.113.9:4000";

Deno.test("one side's word makes no pair, both sides' does", () => {
  const { a, b } = pair();
  assertEquals(a.resolve(b), "denied");
  a.trust(b);
  assertEquals([a.resolve(b), b.resolve(a)], ["denied", "denied"]);
  a.trust(b);
  b.trust(a);
  assertEquals([a.resolve(b), b.resolve(a)], [B_AT, A_AT]);
});

Deno.test("an answer to what was really asked makes a pair", () => {
  for (const answer of ["respond", "trust"] as const) {
    const { a, b } = pair();
    a.ask(b);
    b.poll();
    assertEquals(a.resolve(b), "denied");
    b[answer](a);
    assertEquals([a.resolve(b), b.resolve(a)], [B_AT, A_AT]);
  }
});

Deno.test("an answer to nothing makes no pair and does not reach older programs", () => {
  const { a, b } = pair();
  b.respond(a);
  assertEquals([a.resolve(b), b.resolve(a)], ["denied", "denied"]);
  assertEquals(a.poll().responses, []);
});

Deno.test("an answer to a direct request reaches a program that knows what it asked", () => {
  const { a, b } = pair({}, { sign: true });
  b.respond(a);
  assertEquals(a.poll().responses.length, 1);
  assertEquals(a.resolve(b), "denied");
  a.trust(b);
  assertEquals(a.resolve(b), B_AT);
});

Deno.test("a rejection makes no pair and breaks none", () => {
  const { a, b } = pair();
  a.ask(b);
  b.respond(a, false);
  assertEquals(a.poll().responses.map((response) => response.accept), [false]);
  assertEquals(a.resolve(b), "denied");
  b.respond(a, true);
  b.respond(a, false);
  assertEquals(a.resolve(b), B_AT);
});

Deno.test("a request through the relay can be answered for thirty days", () => {
  const { world, a, b } = pair();
  a.ask(b);
  for (const days of [30, 31]) {
    const late = pair();
    late.a.ask(late.b);
    late.world.now += days * DAY;
    late.b.respond(late.a);
    assertEquals(late.a.resolve(late.b), days === 30 ? B_AT : "denied");
  }
  world.now += 29 * DAY;
  a.ask(b);
  world.now += 29 * DAY;
  b.respond(a);
  assertEquals(a.resolve(b), B_AT);
});

Deno.test("after a revocation only the revoker's own word restores the pair", () => {
  for (const legacyTrust of [false, true]) {
    const { a, b } = pair({ legacyTrust });
    a.trust(b);
    b.trust(a);
    a.ok({ type: "revoke_trust", node_id: a.id, peer_id: b.id });
    assertEquals([a.resolve(b), b.resolve(a)], ["denied", "denied"]);
    b.trust(a);
    b.ask(a);
    b.respond(a);
    assertEquals([a.resolve(b), b.resolve(a)], ["denied", "denied"], `legacy ${legacyTrust}`);
    a.trust(b);
    assertEquals([a.resolve(b), b.resolve(a)], [B_AT, A_AT]);
  }
});

Deno.test("the revoker may ask again", () => {
  const { a, b } = pair();
  a.trust(b);
  b.trust(a);
  a.ok({ type: "revoke_trust", node_id: a.id, peer_id: b.id });
  a.ask(b);
  assertEquals(a.resolve(b), "denied");
  b.respond(a);
  assertEquals(a.resolve(b), B_AT);
});

Deno.test("a revocation needs something to revoke, and no living peer", () => {
  const { a, b } = pair();
  const revoke = { type: "revoke_trust", node_id: a.id, peer_id: b.id } as const;
  assertEquals(a.refused(revoke), "not_found");
  b.ask(a);
  assertEquals(a.refused(revoke), "not_found");
  b.trust(a);
  a.ok(revoke);
  assertEquals(a.refused(revoke), "not_found");
  a.trust(b);
  b.ok({ type: "deregister", node_id: b.id });
  a.ok(revoke);
  assertEquals(a.refused({ ...revoke, peer_id: 4242 }), "not_found");
});

Deno.test("a request that was taken back cannot be answered any more", () => {
  const { a, b } = pair();
  a.ask(b);
  a.ok({ type: "revoke_trust", node_id: a.id, peer_id: b.id });
  b.respond(a);
  assertEquals(a.resolve(b), "denied");
});

Deno.test("with legacy trust one side's word is enough", () => {
  const { a, b } = pair({ legacyTrust: true });
  b.respond(a);
  assertEquals([a.resolve(b), b.resolve(a)], [B_AT, A_AT]);
  assertEquals(a.poll().responses.length, 1);
});

Deno.test("a pair outlives the nodes' absence", () => {
  const { world, a, b } = pair();
  a.trust(b);
  b.trust(a);
  b.ok({ type: "deregister", node_id: b.id });
  assertEquals(a.resolve(b), "not_found");
  world.join(KEY_B, { host: "203.0.113.10" });
  assertEquals(a.resolve(b), "203.0.113.10:4000");
});

Deno.test("both must be registered, and the one who speaks must sign", () => {
  const { world, a, b } = pair();
  const report = { type: "report_trust", node_id: a.id, peer_id: b.id } as const;
  assertEquals(world.refusal(report), "bad_signature");
  assertEquals(b.refused(report), "bad_signature");
  assertEquals(a.refused({ ...report, peer_id: 4242 }), "not_found");
  assertEquals(a.refused({ ...report, node_id: 4242 }), "not_registered");
  assertEquals(
    a.refused({ type: "respond_handshake", node_id: a.id, peer_id: 4242, accept: true }),
    "not_found",
  );
  assertEquals(
    b.refused({ type: "respond_handshake", node_id: a.id, peer_id: b.id, accept: true }),
    "bad_signature",
  );
});

Deno.test("a node cannot fill the registry with relations", () => {
  const { world, a, b } = pair({ maxRelations: 1 });
  const c = world.join(identity(7));
  a.trust(b);
  a.trust(b);
  assertEquals(a.refused({ type: "report_trust", node_id: a.id, peer_id: c.id }), "denied");
  a.ok({ type: "revoke_trust", node_id: a.id, peer_id: b.id });
  assertEquals(
    a.refused({ type: "request_handshake", from_node_id: a.id, to_node_id: c.id, justification: "" }),
    "denied",
  );
});

Deno.test("punch tells endpoints to the two nodes only, and only when they trust each other", () => {
  const { world, a, b } = pair();
  const punch = { type: "punch", requester_id: a.id, node_a: a.id, node_b: b.id } as const;
  assertEquals(a.refused(punch), "denied");
  a.trust(b);
  b.trust(a);
  const addresses = {
    type: "punch_ok" as const,
    node_a: a.id,
    node_a_addr: A_AT,
    node_b: b.id,
    node_b_addr: B_AT,
  };
  assertEquals(a.ok(punch), addresses);
  assertEquals(b.ok({ ...punch, requester_id: b.id }), addresses);
  assertEquals(world.refusal(punch), "bad_signature");
  const c = world.join(identity(7));
  assertEquals(c.refused({ ...punch, requester_id: c.id }), "denied");
  assertEquals(a.refused({ ...punch, node_b: 4242 }), "not_found");
});
