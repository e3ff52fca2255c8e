/** Lost messages, silent peers, restarts of one side: trust comes about nevertheless. */

import { assert, assertEquals } from "../assert.ts";
import { UNANSWERED_RETRY_MS } from "../../lib/core/trust_constants.ts";
import { forge, mutual, TrustWorld } from "./trust_world.ts";

const HOUR_MS = 3_600_000;

Deno.test("an unanswered request is repeated ever more seldom, each time with a new time", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  b.isPublic = true;
  world.ways.add("5>7");
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  assertEquals(a.trust.outgoing()[0]?.delivery, "direct");
  a.takeActions();
  world.advance(59_999);
  assertEquals(a.takeActions(), []);
  world.advance(1);
  assertEquals(a.takeActions(), ["request_handshake"], "after a minute without reaction by relay");
  assertEquals(a.trust.outgoing()[0]?.delivery, "relay");
  world.advance(UNANSWERED_RETRY_MS[1] ?? 0);
  assertEquals(a.takeActions(), ["handshake_request->7"]);
  world.advance(23 * HOUR_MS - world.now);
  const later = a.takeActions().length;
  assert(later >= 6 && later <= 20, `${later} more in a day`);
  assertEquals(new Set(world.sent.map((message) => message.document.join())).size, world.sent.length);
  assertEquals(b.trust.pending().length, 1);
  assertEquals(b.takeEvents(), ["handshake.received", "handshake.pending"], "repetitions are no news");
});

Deno.test("a direct request that fails goes by relay at once", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.connect(a, b);
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  assertEquals(a.takeActions(), ["save", "handshake_request->7", "request_handshake"], "b is private");
  world.poll();
  assertEquals(b.trust.pending().length, 1);
});

Deno.test("a direct request without any report goes by relay after a minute", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.connect(a, b);
  a.trust.request(b.id, { justification: "", now: world.now });
  while (a.trust.pollAction() !== undefined);
  world.advance(60_000);
  assertEquals(a.takeActions(), ["request_handshake"]);
});

Deno.test("a relay that is down is tried again soon, and the request arrives", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.registryUp = false;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  assertEquals(a.trust.outgoing()[0]?.delivery, "failed");
  world.advance(10_000);
  world.registryUp = true;
  world.advance(15_000);
  assertEquals(a.trust.outgoing()[0]?.delivery, "relay");
  world.poll();
  assertEquals(b.trust.pending().length, 1);
});

Deno.test("an acceptance lost at the registry is repaired by the next repetition", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  world.losesRelayed = true;
  b.trust.approve(a.id, world.now);
  world.settle();
  world.poll();
  assert(!a.trust.isTrusted(b.id));
  world.losesRelayed = false;
  world.advance(60_000);
  world.poll();
  world.poll();
  assert(mutual(world));
});

Deno.test("our request counts for 24 hours: then it is reported and an acceptance is only a request", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.advance(24 * HOUR_MS - 1_000);
  assert(a.trust.awaits(b.id));
  assert(a.trust.mayExchangeKeys(b.id, world.now));
  world.advance(1_000);
  assert(!a.trust.awaits(b.id));
  assert(!a.trust.mayExchangeKeys(b.id, world.now));
  assertEquals(a.takeEvents(), ["handshake.expired"]);
  a.takeActions();
  world.advance(24 * HOUR_MS);
  assertEquals(a.takeActions(), [], "no further repetition");
});

Deno.test("a restart keeps our request: an acceptance that comes afterwards counts", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "before", now: world.now });
  world.settle();
  world.poll();
  b.trust.approve(a.id, world.now);
  world.settle();
  a.restart();
  assert(a.trust.awaits(b.id));
  world.poll();
  assert(mutual(world));
});

Deno.test("a restart keeps trusted peers with their keys and reports them again after registration", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  world.stated.clear();
  a.restart();
  assert(a.trust.isTrusted(b.id));
  assertEquals(a.trust.pinnedKey(b.id), b.identity.publicKey);
  assertEquals([...world.stated], ["5>7"]);
});

Deno.test("one side loses its memory and asks: the other answers at once, directly or by relay", () => {
  for (const direct of [true, false]) {
    const world = new TrustWorld();
    const { a, b } = world;
    world.befriend(a, b);
    if (!direct) world.disconnect();
    b.restart({ keepFile: false });
    assert(!b.trust.isTrusted(a.id));
    world.advance(2_000);
    b.trust.request(a.id, { justification: "", now: world.now });
    world.settle();
    world.poll();
    world.poll();
    assert(mutual(world), direct ? "direct" : "relay");
    assertEquals(a.trust.pending(), []);
  }
});

Deno.test("one side loses its memory and the other asks: the request waits there", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  world.disconnect();
  b.restart({ keepFile: false });
  assertEquals(a.trust.request(b.id, { justification: "remember me", now: world.now }), "already_trusted");
  world.settle();
  world.poll();
  assertEquals(b.trust.pending()[0]?.justification, "remember me");
  b.trust.approve(a.id, world.now);
  world.settle();
  world.poll();
  assert(mutual(world));
});

Deno.test("what the operator decides before registration is carried out after it", () => {
  const world = new TrustWorld();
  const { a, b, c } = world;
  world.befriend(b, c);
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  world.disconnect();
  b.registered = false;
  b.trust.approve(a.id, world.now);
  b.trust.revoke(c.id, world.now);
  b.trust.request(99, { justification: "", now: world.now });
  world.settle();
  assertEquals(b.takeActions().filter((action) => action !== "save"), ["lookup", "drop"]);
  assertEquals(b.trust.pollTimeout() === undefined, false);
  b.registered = true;
  b.trust.handleRegistered(world.now);
  world.settle();
  assertEquals(b.takeActions(), [
    "report_trust",
    "revoke_trust",
    "request_handshake",
    "respond_handshake",
    "handshake_accept->5",
  ]);
  world.poll();
  assert(mutual(world));
});

Deno.test("an approval is not said after registration when the trust was revoked before", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  b.registered = false;
  b.trust.approve(a.id, world.now);
  b.trust.revoke(a.id, world.now);
  b.registered = true;
  b.trust.handleRegistered(world.now);
  b.takeActions();
  world.settle();
  assert(!b.takeActions().includes("respond_handshake"));
  world.poll();
  assert(!a.trust.isTrusted(b.id));
});

Deno.test("an acceptance that cannot be delivered directly goes by relay", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.isPublic = b.isPublic = true;
  world.ways.add("5>7");
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.disconnect();
  b.trust.handleRelayedRequest({ from: a.id, justification: "" }, world.now);
  world.ways.add("5>7");
  b.trust.approve(a.id, world.now);
  world.settle();
  b.takeActions();
  world.advance(60_000);
  world.deliver(a, b, forge(a.identity, { from: a.id, to: b.id, at: world.now }));
  assertEquals(b.takeActions(), ["handshake_accept->5", "respond_handshake"]);
});

Deno.test("what the registry refuses is stated again", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  world.registryUp = false;
  b.trust.approve(a.id, world.now);
  world.settle();
  world.poll();
  assert(!a.trust.isTrusted(b.id));
  world.registryUp = true;
  world.advance(5_000);
  world.poll();
  assert(mutual(world), "the errands were repeated");
});

Deno.test("errands at the registry end after some repetitions", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  world.registryUp = false;
  b.takeActions();
  b.trust.approve(a.id, world.now);
  world.settle();
  world.advance(24 * HOUR_MS);
  assertEquals(b.takeActions().filter((action) => action === "report_trust").length, 6);
  assertEquals(b.trust.pollTimeout(), undefined);
});
