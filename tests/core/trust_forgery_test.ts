/** Messages that must not be believed, and messages that come in the wrong order. */

import { assert, assertEquals } from "../assert.ts";
import { decodeUtf8, encodeBase64, encodeUtf8 } from "../../lib/wire/bytes.ts";
import { handshakeChallenge, type HandshakeDocument, parseHandshake } from "../../lib/wire/handshake.ts";
import { generateIdentity, signBase64 } from "../../lib/crypto/identity.ts";
import { composeMessage, disbelieve } from "../../lib/core/trust_message.ts";
import { EPOCH_MS, forge, identityOf, type TrustNode, TrustWorld } from "./trust_world.ts";

const KINDS: readonly HandshakeDocument["type"][] = [
  "handshake_request",
  "handshake_accept",
  "handshake_reject",
  "handshake_revoke",
];

/** A world in which A trusts B, awaits nobody, and C is a stranger; A is public so that strangers reach it. */
function friends(): TrustWorld {
  const world = new TrustWorld();
  world.befriend(world.a, world.b);
  world.a.isPublic = true;
  return world;
}

/** Delivers and checks that nothing at all came of it but the counter `reason`. */
function assertIgnored(world: TrustWorld, to: TrustNode, reason: string, deliver: () => void): void {
  const before = JSON.stringify([to.trust.snapshot(), to.actions.length, to.events.length, to.dropped]);
  const count = to.trust.drops[reason] ?? 0;
  deliver();
  world.settle();
  assertEquals(
    JSON.stringify([to.trust.snapshot(), to.actions.length, to.events.length, to.dropped]),
    before,
  );
  assertEquals(to.trust.drops[reason], count + 1, `${reason}: ${JSON.stringify(to.trust.drops)}`);
}

Deno.test("unsigned messages are ignored, whatever they say", () => {
  const world = friends();
  const { a, b } = world;
  for (const type of KINDS) {
    const bytes = forge(b.identity, {
      from: b.id,
      to: a.id,
      at: world.now,
      type,
      public_key: "",
      signature: "",
    });
    assertIgnored(world, a, "key", () => world.deliver(b, a, bytes));
    const keyOnly = forge(b.identity, { from: b.id, to: a.id, at: world.now, type, signature: "" });
    assertIgnored(world, a, "signature", () => world.deliver(b, a, keyOnly));
  }
  assert(a.trust.isTrusted(b.id));
});

Deno.test("keys and signatures of a wrong length or form are ignored and harm nothing", () => {
  const world = friends();
  const { a, b } = world;
  const base = { from: b.id, to: a.id, at: world.now };
  for (const length of [1, 16, 31, 33, 64, 1000]) {
    const publicKey = encodeBase64(new Uint8Array(length).fill(7));
    const bytes = forge(b.identity, { ...base, public_key: publicKey });
    assertIgnored(world, a, "key", () => world.deliver(b, a, bytes));
  }
  for (const key of ["!!!!", "AAA", encodeBase64(b.identity.publicKey).replace("=", "")]) {
    const bytes = forge(b.identity, { ...base, public_key: key });
    assertIgnored(world, a, "key", () => world.deliver(b, a, bytes));
  }
  for (const length of [0, 1, 63, 65, 128]) {
    const signature = encodeBase64(new Uint8Array(length).fill(7));
    const bytes = forge(b.identity, { ...base, signature });
    assertIgnored(world, a, "signature", () => world.deliver(b, a, bytes));
  }
});

Deno.test("a message signed with a self-made key speaks for nobody", () => {
  const world = friends();
  const { a, b, c } = world;
  for (const type of KINDS) {
    // C claims to be B with C's own key, through C's tunnel and even through B's.
    const bytes = forge(c.identity, { from: b.id, to: a.id, at: world.now, type });
    assertIgnored(world, a, "sender", () => world.deliver(c, a, bytes));
    assertIgnored(world, a, "key", () => world.deliver(b, a, bytes));
  }
});

Deno.test("a genuine message of another node is ignored when a third one brings it", () => {
  const world = friends();
  const { a, b, c } = world;
  for (const type of KINDS) {
    const genuine = forge(b.identity, { from: b.id, to: a.id, at: world.now, type });
    assertIgnored(world, a, "sender", () => world.deliver(c, a, genuine));
  }
  assert(a.trust.isTrusted(b.id));
});

Deno.test("a message meant for another recipient is ignored", () => {
  const world = friends();
  const { a, b, c } = world;
  const bytes = forge(b.identity, { from: b.id, to: c.id, at: world.now, type: "handshake_revoke" });
  assertIgnored(world, a, "signature", () => world.deliver(b, a, bytes));
});

Deno.test("a message that claims to be from us is ignored", () => {
  const world = friends();
  const { a, b } = world;
  const bytes = forge(a.identity, { from: a.id, to: a.id, at: world.now });
  assertIgnored(world, a, "self", () => world.deliver(b, a, bytes));
});

Deno.test("a message is taken from 300 s ago to 30 s ahead, not beyond", () => {
  const world = friends();
  const { a, c } = world;
  world.now = 1_000_000;
  const at = (seconds: number) => forge(c.identity, { from: c.id, to: a.id, at: world.now + seconds * 1000 });
  assertIgnored(world, a, "age", () => world.deliver(c, a, at(-301)));
  assertIgnored(world, a, "age", () => world.deliver(c, a, at(31)));
  world.deliver(c, a, at(-300));
  assertEquals(a.trust.pending().map((entry) => entry.node), [c.id]);
  a.trust.reject(c.id, "", world.now);
  world.settle();
  world.deliver(c, a, at(30));
  assertEquals(a.trust.pending().map((entry) => entry.node), [c.id]);
});

Deno.test("bytes that are no handshake document are ignored", () => {
  const world = friends();
  const { a, b } = world;
  const cases: readonly (readonly [string, string])[] = [
    ["", "json"],
    ["nonsense", "json"],
    ["[]", "json"],
    ['{"type":"handshake_dance","node_id":7}', "type"],
    ['{"type":"handshake_accept","node_id":-1}', "field"],
    ['{"type":"handshake_accept","node_id":7,"public_key":5}', "field"],
  ];
  for (const [text, reason] of cases) {
    assertIgnored(world, a, reason, () => world.deliver(b, a, encodeUtf8(text)));
  }
  assertIgnored(world, a, "size", () => world.deliver(b, a, new Uint8Array(65_537)));
});

Deno.test("a repeated message acts once", () => {
  const world = friends();
  const { a, c } = world;
  const bytes = forge(c.identity, { from: c.id, to: a.id, at: world.now, justification: "hello" });
  world.deliver(c, a, bytes);
  assertEquals(a.trust.pending().length, 1);
  a.trust.reject(c.id, "", world.now);
  world.settle();
  assertIgnored(world, a, "replay", () => world.deliver(c, a, bytes));
  world.advance(299_000);
  assertIgnored(world, a, "replay", () => world.deliver(c, a, bytes));
  world.advance(60_000);
  assertIgnored(world, a, "age", () => world.deliver(c, a, bytes));
});

Deno.test("an old message that arrives after a newer one of the same peer is ignored", () => {
  const world = friends();
  const { a, b } = world;
  const revoke = forge(b.identity, { from: b.id, to: a.id, at: world.now, type: "handshake_revoke" });
  world.advance(10_000);
  world.deliver(b, a, forge(b.identity, { from: b.id, to: a.id, at: world.now }));
  assertIgnored(world, a, "overtaken", () => world.deliver(b, a, revoke));
  assert(a.trust.isTrusted(b.id));
});

Deno.test("an acceptance that nobody asked for waits for the operator", () => {
  const world = friends();
  const { a, c } = world;
  const bytes = forge(c.identity, { from: c.id, to: a.id, at: world.now, type: "handshake_accept" });
  world.deliver(c, a, bytes);
  assert(!a.trust.isTrusted(c.id));
  assertEquals(a.trust.pending().map((entry) => entry.node), [c.id]);
  assertEquals(a.takeActions(), [], "nothing is reported to the registry");
  assertEquals(a.takeEvents(), ["handshake.received", "handshake.pending"]);
});

Deno.test("a relayed acceptance that nobody asked for is ignored", () => {
  const world = friends();
  const { a, c } = world;
  assertIgnored(
    world,
    a,
    "unsolicited",
    () => a.trust.handleRelayedResponse({ from: c.id, accept: true }, world.now),
  );
  assertIgnored(
    world,
    a,
    "unsolicited",
    () => a.trust.handleRelayedResponse({ from: c.id, accept: false }, world.now),
  );
});

Deno.test("an acceptance counts only from the peer that was asked", () => {
  const world = new TrustWorld();
  const { a, b, c } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  a.trust.handleRelayedResponse({ from: c.id, accept: true }, world.now);
  assert(!a.trust.isTrusted(c.id) && !a.trust.isTrusted(b.id));
  world.deliver(c, a, forge(c.identity, { from: b.id, to: a.id, at: world.now, type: "handshake_accept" }));
  assert(!a.trust.isTrusted(b.id));
  world.deliver(b, a, forge(b.identity, { from: b.id, to: a.id, at: world.now, type: "handshake_accept" }));
  assert(a.trust.isTrusted(b.id));
  assertEquals(a.trust.pinnedKey(b.id), b.identity.publicKey);
});

Deno.test("a revocation by a stranger or an awaited peer changes nothing", () => {
  const world = friends();
  const { a, c } = world;
  const revoke = (at: number) =>
    forge(c.identity, { from: c.id, to: a.id, at, type: "handshake_revoke", reason: "trust revoked" });
  assertIgnored(world, a, "unsolicited", () => world.deliver(c, a, revoke(world.now)));
  a.trust.request(c.id, { justification: "", now: world.now });
  world.settle();
  world.advance(1_000);
  assertIgnored(world, a, "unsolicited", () => world.deliver(c, a, revoke(world.now)));
  assert(a.trust.awaits(c.id));
});

Deno.test("a revocation by a waiting peer withdraws its request and leaves its tunnel alone", () => {
  const world = friends();
  const { a, c } = world;
  world.deliver(c, a, forge(c.identity, { from: c.id, to: a.id, at: world.now }));
  world.deliver(c, a, forge(c.identity, { from: c.id, to: a.id, at: world.now, type: "handshake_revoke" }));
  assertEquals(a.trust.pending(), []);
  world.advance(1_000);
  assertEquals(a.dropped, []);
});

Deno.test("a trusted peer's acceptance does not overwrite its record", () => {
  const world = friends();
  const { a, b } = world;
  const before = a.trust.trusted();
  world.advance(5_000);
  world.deliver(b, a, forge(b.identity, { from: b.id, to: a.id, at: world.now, type: "handshake_accept" }));
  assertEquals(a.trust.trusted(), before);
  assertEquals(a.takeActions(), []);
});

Deno.test("a changed key of a trusted peer is refused and reported once, never taken over", () => {
  const world = friends();
  const { a, b } = world;
  const other = identityOf(77);
  const bytes = forge(other, { from: b.id, to: a.id, at: world.now });
  const source = { node: b.id, publicKey: other.publicKey };
  a.trust.handleMessage(bytes, source, world.now);
  a.trust.handleMessage(bytes, source, world.now);
  world.settle();
  assertEquals(a.takeEvents(), ["trust.key_changed"]);
  assertEquals(a.trust.pinnedKey(b.id), b.identity.publicKey);
  assert(!a.trust.acceptsKey(b.id, other.publicKey));
  assert(a.trust.acceptsKey(b.id, b.identity.publicKey));
  a.trust.handleKey(b.id, other.publicKey, world.now);
  assertEquals(a.trust.pinnedKey(b.id), b.identity.publicKey);
  assertEquals(a.takeEvents(), [], "the same wrong key is no news");
  assert(!a.trust.acceptsKey(b.id, identityOf(78).publicKey));
  world.settle();
  assertEquals(a.takeEvents(), [], "a key that only a stranger shows is not reported");
});

Deno.test("a node number that the registry gave to another key gets no answer by relay", () => {
  const world = friends();
  const { a, b } = world;
  world.wrongKeys.set(b.id, identityOf(77).publicKey);
  a.trust.handleRelayedRequest({ from: b.id, justification: "it is me" }, world.now);
  world.settle();
  assertEquals(a.takeActions(), ["lookup"]);
  assertEquals(a.takeEvents(), ["handshake.received", "trust.key_changed"]);
  world.wrongKeys.clear();
  world.advance(2_000);
  a.trust.handleRelayedRequest({ from: b.id, justification: "it is me" }, world.now);
  world.settle();
  assertEquals(a.takeActions(), ["lookup", "respond_handshake"]);
});

Deno.test("a waiting request keeps its key when the registry's changes", () => {
  const world = friends();
  const { a, c } = world;
  world.deliver(c, a, forge(c.identity, { from: c.id, to: a.id, at: world.now }));
  world.wrongKeys.set(c.id, identityOf(77).publicKey);
  a.trust.handleRelayedRequest({ from: c.id, justification: "other" }, world.now);
  world.settle();
  assertEquals(a.trust.pending()[0]?.publicKey, c.identity.publicKey);
  assert(a.takeEvents().includes("trust.key_changed"));
});

Deno.test("a key of a wrong length from the registry is as good as none", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.wrongKeys.set(b.id, new Uint8Array(31));
  a.trust.handleRelayedResponse({ from: b.id, accept: true }, world.now);
  world.settle();
  assert(a.trust.isTrusted(b.id));
  assertEquals(a.trust.pinnedKey(b.id), undefined);
  world.wrongKeys.clear();
  world.advance(5_000);
  assertEquals(a.trust.pinnedKey(b.id), b.identity.publicKey, "asked again");
});

Deno.test("a trusted peer that asks again and again is answered once per second", () => {
  const world = friends();
  const { a, b } = world;
  for (let i = 0; i < 20; i++) {
    world.deliver(b, a, forge(b.identity, { from: b.id, to: a.id, at: world.now, justification: `${i}` }));
  }
  assertEquals(a.takeActions(), ["handshake_accept->7"]);
});

Deno.test("a message is byte for byte the one of the Pilot Protocol, plus the second signature", () => {
  const identity = generateIdentity((target) => {
    target.forEach((_, index) => target[index] = index);
    return target;
  });
  const bytes = composeMessage(identity, {
    kind: "handshake_request",
    from: 5,
    to: 7,
    justification: "want to collaborate",
    unixSeconds: EPOCH_MS / 1000,
  });
  const text = decodeUtf8(bytes).replace(/,"signature_v2":"[^"]{88}"/, "");
  assertEquals(
    text,
    '{"type":"handshake_request","node_id":5,"public_key":"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",' +
      '"justification":"want to collaborate","signature":"yBdocyty6OCYiqjxKHmuTjtmWlXQHis/nxx75nh15dpUh7jYWbewBy' +
      'E/j9tcKdhDKZv5bD7TnHN196WCDGYVBw==","reason":"","timestamp":1767225600}',
  );
  assertEquals(text.length, 276);
});

Deno.test("the second signature covers every field; the old one only who speaks to whom", () => {
  const [us, them] = [identityOf(5), identityOf(7)];
  const unixSeconds = EPOCH_MS / 1000;
  const bytes = composeMessage(them, {
    kind: "handshake_reject",
    from: 7,
    to: 5,
    reason: "not now",
    unixSeconds,
  });
  const document = parseHandshake(bytes);
  if (typeof document === "string") throw new Error(document);
  assertEquals(document.signature, signBase64(them, handshakeChallenge(7, 5)));
  const context = { self: 5, source: { node: 7, publicKey: them.publicKey }, unixSeconds };
  assertEquals(disbelieve(document, context), undefined);
  const { signature_v2: _second, ...old } = document;
  assertEquals(disbelieve(old, context), undefined, "foreign nodes send none");
  const changes: readonly Partial<HandshakeDocument>[] = [
    { type: "handshake_accept" },
    { justification: "x" },
    { reason: "now" },
    { timestamp: document.timestamp - 1 },
    { signature_v2: document.signature },
    { signature_v2: "" },
    { signature_v2: signBase64(us, "whatever") },
  ];
  for (const change of changes) {
    assertEquals(disbelieve({ ...document, ...change }, context), "signature-v2", JSON.stringify(change));
  }
});

Deno.test("fields cannot be shifted into each other under the second signature", () => {
  const them = identityOf(7);
  const unixSeconds = EPOCH_MS / 1000;
  const content = { kind: "handshake_reject", from: 7, to: 5, unixSeconds } as const;
  const one = parseHandshake(composeMessage(them, { ...content, justification: "ab", reason: "c" }));
  const two = parseHandshake(composeMessage(them, { ...content, justification: "a", reason: "bc" }));
  if (typeof one === "string" || typeof two === "string") throw new Error("parse");
  assert(one.signature_v2 !== two.signature_v2);
});

Deno.test("a document with the largest texts still fits one segment", () => {
  const content = {
    kind: "handshake_request",
    from: 2 ** 32 - 2,
    to: 5,
    unixSeconds: EPOCH_MS / 1000,
  } as const;
  assert(composeMessage(identityOf(7), { ...content, justification: '"'.repeat(1024) }).length <= 4096);
});
