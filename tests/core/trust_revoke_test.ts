/** The end of trust, and that it stays ended. */

import { assert, assertEquals } from "../assert.ts";
import { PORT_HANDSHAKE } from "../../lib/core/constants.ts";
import { mutual, TrustWorld } from "./trust_world.ts";

const HOUR_MS = 3_600_000;

Deno.test("revocation: the notice goes out first, then the tunnel ends, then the registry hears of it", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  assert(a.trust.revoke(b.id, world.now));
  assert(!a.trust.isTrusted(b.id), "effective at once");
  assert(!a.trust.admits(b.id, 1000, world.now));
  assert(!a.trust.admits(b.id, PORT_HANDSHAKE, world.now));
  assert(!a.trust.mayContinue(b.id, 1000), "old streams end");
  assert(a.trust.mayContinue(b.id, PORT_HANDSHAKE), "the notice may finish");
  assert(a.trust.mayExchangeKeys(b.id, world.now));
  assertEquals(a.dropped, []);
  world.settle();
  assertEquals(a.takeActions(), ["save", "handshake_revoke->7", "drop", "revoke_trust"]);
  assertEquals(a.takeEvents(), ["trust.revoked"]);
  assert(!a.trust.mayContinue(b.id, PORT_HANDSHAKE));
  assert(!a.trust.mayExchangeKeys(b.id, world.now));
  assert(a.trust.isDenied(b.id));
  assertEquals([...world.stated], []);

  assert(!b.trust.isTrusted(a.id), "the peer learned of it");
  assertEquals(b.takeEvents(), ["trust.revoked_by_peer"]);
  assertEquals(b.dropped, [], "its acknowledgement leaves first");
  world.advance(500);
  assertEquals(b.dropped, [a.id]);
  assert(!b.trust.isDenied(a.id));
});

Deno.test("revocation: a notice that nobody acknowledges is given up after two seconds", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  a.trust.revoke(b.id, world.now);
  const notice = [];
  for (let action = a.trust.pollAction(); action !== undefined; action = a.trust.pollAction()) {
    notice.push(action.type);
  }
  assertEquals(notice, ["save", "send"]);
  world.advance(1_999);
  assertEquals(a.dropped, []);
  world.advance(1);
  assertEquals(a.dropped, [b.id]);
  assertEquals(a.takeActions().slice(0, 2), ["drop", "revoke_trust"]);
  a.trust.handleDelivery(b.id, "handshake_revoke", true, world.now);
  world.settle();
  assertEquals(a.dropped, [b.id], "a late report changes nothing");
});

Deno.test("revocation holds against everything the peer sends, and over a restart", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  world.disconnect();
  a.trust.revoke(b.id, world.now);
  world.settle();
  assert(b.trust.isTrusted(a.id), "the notice was lost");
  world.connect(a, b);
  a.restart();
  b.trust.handleRegistered(world.now);
  world.settle();
  b.trust.request(a.id, { justification: "again", now: world.now });
  world.settle();
  world.poll();
  a.trust.handleRelayedResponse({ from: b.id, accept: true }, world.now);
  a.trust.handleRelayedRequest({ from: b.id, justification: "again" }, world.now);
  world.settle();
  assert(!a.trust.isTrusted(b.id));
  assertEquals(a.trust.pending(), []);
  assert(!a.trust.mayExchangeKeys(b.id, world.now));
  a.isPublic = true;
  assert(!a.trust.mayExchangeKeys(b.id, world.now), "not even when we are public");
  assert(!a.trust.admits(b.id, PORT_HANDSHAKE, world.now));
});

Deno.test("a denied key is denied under another node number", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  a.trust.revoke(b.id, world.now);
  world.settle();
  assert(!a.trust.acceptsKey(99, b.identity.publicKey));
  assert(a.trust.acceptsKey(99, world.c.identity.publicKey));
  a.trust.handleRelayedRequest({ from: 99, justification: "a stranger, really" }, world.now);
  a.trust.handleKey(99, b.identity.publicKey, world.now);
  assertEquals(a.trust.pending(), []);
});

Deno.test("the operator lifts a revocation by asking again", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  a.trust.revoke(b.id, world.now);
  world.settle();
  world.advance(1_000);
  assertEquals(a.trust.request(b.id, { justification: "sorry", now: world.now }), "sent");
  assert(!a.trust.isDenied(b.id));
  world.settle();
  world.poll();
  assertEquals(b.trust.request(a.id, { justification: "", now: world.now }), "approved");
  world.settle();
  world.poll();
  assert(mutual(world));
});

Deno.test("asking again while the notice is under way ends the tunnel first", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  a.trust.revoke(b.id, world.now);
  a.trust.request(b.id, { justification: "", now: world.now });
  world.disconnect();
  world.settle();
  assertEquals(a.takeActions().slice(0, 4), [
    "save",
    "handshake_revoke->7",
    "drop",
    "revoke_trust",
  ]);
  assert(a.trust.awaits(b.id));
  assert(!a.trust.isDenied(b.id));
});

Deno.test("revoking an untrusted peer says so, and clears what waited", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  assert(!b.trust.revoke(a.id, world.now));
  assertEquals(b.trust.pending(), []);
  assert(!a.trust.revoke(b.id, world.now));
  assertEquals(a.trust.outgoing(), []);
  assert(!b.trust.isDenied(a.id));
});

Deno.test("after registration a revocation is stated again", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  a.trust.revoke(b.id, world.now);
  world.settle();
  world.stated.add("7>5");
  a.restart();
  assertEquals([...world.stated], []);
});

Deno.test("a revocation that the registry never heard of is not stated after the operator asked again", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  world.registryUp = false;
  a.trust.revoke(b.id, world.now);
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  a.takeActions();
  world.registryUp = true;
  world.advance(HOUR_MS);
  assert(!a.takeActions().includes("revoke_trust"));
});

Deno.test("trust that ends takes its unfinished errands along", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.registryUp = false;
  world.befriend(a, b);
  a.trust.revoke(b.id, world.now);
  world.settle();
  a.takeActions();
  world.registryUp = true;
  world.advance(HOUR_MS);
  assertEquals(a.takeActions(), ["revoke_trust", "revoke_trust", "revoke_trust", "revoke_trust"]);
});
