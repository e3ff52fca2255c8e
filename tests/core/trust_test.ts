/** Trust between two books: every sequence of the handshake. */

import { assert, assertEquals, assertThrows } from "../assert.ts";
import { mutual, TrustWorld } from "./trust_world.ts";

Deno.test("one-sided, both public: a direct request waits, approval makes both trusted", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.isPublic = b.isPublic = true;
  world.connect(a, b);
  assertEquals(a.trust.request(b.id, { justification: "let us talk", now: world.now }), "sent");
  world.settle();
  assertEquals(a.takeActions(), ["save", "handshake_request->7"]);
  assertEquals(b.takeEvents(), ["handshake.received", "handshake.pending"]);
  assertEquals(b.trust.pending().map((entry) => [entry.node, entry.justification]), [[5, "let us talk"]]);
  assertEquals(b.trust.pending()[0]?.publicKey, a.identity.publicKey);
  assert(!b.trust.isTrusted(a.id));

  assert(b.trust.approve(a.id, world.now));
  world.settle();
  assertEquals(b.takeActions().slice(-4), [
    "save",
    "report_trust",
    "handshake_accept->5",
    "respond_handshake",
  ]);
  assert(mutual(world));
  assertEquals(b.takeEvents(), ["handshake.approved", "trust.established"]);
  assertEquals(a.takeEvents(), ["trust.established"]);
  assertEquals([...world.stated].sort(), ["5>7", "7>5"]);
  assertEquals(a.trust.outgoing(), []);
  assertEquals(b.trust.pending(), []);
  assertEquals(a.trust.pinnedKey(b.id), b.identity.publicKey);
  assertEquals(a.trust.trusted()[0]?.mutual, true);
  assertEquals(b.trust.trusted()[0]?.mutual, false);
});

Deno.test("the approval that also comes by relay changes nothing the second time", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.isPublic = b.isPublic = true;
  world.connect(a, b);
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  b.trust.approve(a.id, world.now);
  world.settle();
  const before = a.trust.trusted();
  a.takeActions();
  a.takeEvents();
  world.advance(5_000);
  world.poll();
  assertEquals(a.trust.trusted(), before);
  assertEquals(a.takeActions(), []);
  assertEquals(a.takeEvents(), []);
});

Deno.test("mutual: when both ask, both trust, without an approval", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.isPublic = b.isPublic = true;
  world.connect(a, b);
  a.trust.request(b.id, { justification: "", now: world.now });
  b.trust.request(a.id, { justification: "", now: world.now });
  world.settle();
  assert(mutual(world));
  assertEquals(a.trust.trusted()[0]?.mutual, true);
  assertEquals(b.trust.trusted()[0]?.mutual, true);
  const events = [...a.takeEvents(), ...b.takeEvents()];
  assert(events.includes("handshake.auto_approved"));
  assertEquals([...world.stated].sort(), ["5>7", "7>5"]);
});

Deno.test("asking a peer whose request waits approves at once", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.isPublic = b.isPublic = true;
  world.connect(a, b);
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  assertEquals(b.trust.request(a.id, { justification: "", now: world.now }), "approved");
  assertEquals(b.trust.trusted()[0]?.mutual, true);
  assertEquals(b.trust.pending(), []);
  world.settle();
  assert(mutual(world));
});

Deno.test("both private: the request goes by relay at once and nothing is sent directly before trust", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "hi", now: world.now });
  world.settle();
  assertEquals(a.takeActions(), ["save", "request_handshake"]);
  assertEquals(world.sent, []);
  world.poll();
  assertEquals(b.trust.pending()[0]?.justification, "hi");
  assertEquals(b.trust.pending()[0]?.publicKey, a.identity.publicKey, "its key is looked up");
  assertEquals(b.events.map((event) => event.via), ["relay", "relay"]);
  assertEquals(b.takeEvents(), ["handshake.received", "handshake.pending"]);

  b.takeActions();
  b.trust.approve(a.id, world.now);
  world.settle();
  assertEquals(b.takeActions(), ["save", "report_trust", "respond_handshake", "handshake_accept->5"]);
  assert(!a.trust.isTrusted(b.id));
  world.poll();
  assert(mutual(world));
  assertEquals(a.trust.pinnedKey(b.id), b.identity.publicKey);
  assertEquals(b.trust.pinnedKey(a.id), a.identity.publicKey);
  assertEquals([...world.stated].sort(), ["5>7", "7>5"]);
});

Deno.test("both private and both ask: one poll on each side makes them trusted", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  b.trust.request(a.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  assert(mutual(world));
  world.poll();
  assert(mutual(world));
  assertEquals(a.trust.pinnedKey(b.id), b.identity.publicKey);
});

Deno.test("a rejection ends the request on both sides and tells the reason directly", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.isPublic = b.isPublic = true;
  world.connect(a, b);
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  assert(b.trust.reject(a.id, "not now", world.now));
  world.settle();
  assertEquals(a.trust.outgoing(), []);
  assertEquals(a.events.filter((event) => event.type === "handshake.rejected").map((event) => event.detail), [
    "not now",
  ]);
  assertEquals(b.trust.pending(), []);
  assert(!b.trust.reject(a.id, "", world.now), "nothing waits any more");
});

Deno.test("the relayed echo of a rejection does not end a request made in between", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.isPublic = b.isPublic = true;
  world.connect(a, b);
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  b.trust.reject(a.id, "", world.now);
  world.settle();
  world.advance(1_000);
  a.trust.request(b.id, { justification: "please", now: world.now });
  world.settle();
  world.poll();
  assert(a.trust.awaits(b.id));
  assertEquals(b.trust.pending()[0]?.justification, "please");
});

Deno.test("a rejection by relay reaches a private requester", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  b.trust.reject(a.id, "no", world.now);
  world.settle();
  assertEquals(world.sent, []);
  world.poll();
  assertEquals(a.trust.outgoing(), []);
});

Deno.test("misuse is refused loudly", () => {
  const world = new TrustWorld();
  const { a } = world;
  const now = world.now;
  for (const peer of [0, -1, 1.5, 2 ** 32 - 1, NaN]) {
    assertThrows(() => a.trust.request(peer, { justification: "", now }), RangeError, "no node number");
  }
  assertThrows(() => a.trust.request(a.id, { justification: "", now }), RangeError, "itself");
  const long = "é".repeat(513);
  assertThrows(() => a.trust.request(7, { justification: long, now }), RangeError, "1026 bytes");
  assertThrows(() => a.trust.reject(7, long, now), RangeError, "1024");
  assertEquals(a.trust.outgoing(), []);
});

Deno.test("answers are expected for two minutes after a handshake message", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  assert(!a.trust.expectsAnswer(world.now));
  a.trust.request(b.id, { justification: "", now: world.now });
  assert(a.trust.expectsAnswer(world.now));
  assert(!a.trust.expectsAnswer(world.now + 120_000));
});

Deno.test("a book that nobody has touched has no deadline and nothing to do", () => {
  const { a } = new TrustWorld();
  assertEquals(a.trust.pollTimeout(), undefined);
  assertEquals(a.trust.pollAction(), undefined);
  assertEquals(a.trust.pollEvent(), undefined);
});
