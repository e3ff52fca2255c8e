/** What strangers can make us remember is bounded. */

import { assert, assertEquals } from "../assert.ts";
import { ReplaySet } from "../../lib/core/trust_replay.ts";
import { TrustBook } from "../../lib/core/trust_book.ts";
import { displayText, truncateUtf8 } from "../../lib/core/trust_text.ts";
import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import { forge, identityOf, TrustWorld } from "./trust_world.ts";

const DAY_MS = 86_400_000;

Deno.test("at most 256 requests wait; a settled one makes room", () => {
  const world = new TrustWorld();
  const { a } = world;
  for (let node = 1_000; node < 1_300; node++) {
    a.trust.handleRelayedRequest({ from: node, justification: "spam" }, world.now);
  }
  assertEquals(a.trust.pending().length, 256);
  assertEquals(a.trust.drops["pending-full"], 44);
  a.trust.reject(1_000, "", world.now);
  a.trust.handleRelayedRequest({ from: 2_000, justification: "late" }, world.now);
  assertEquals(a.trust.pending().length, 256);
  assert(a.trust.pending().some((entry) => entry.node === 2_000));
});

Deno.test("at most 16 requests wait per origin", () => {
  const world = new TrustWorld();
  const { a } = world;
  a.isPublic = true;
  const send = (node: number, origin: string): void => {
    const identity = identityOf(node);
    const bytes = forge(identity, { from: node, to: a.id, at: world.now });
    a.trust.handleMessage(bytes, { node, publicKey: identity.publicKey, origin }, world.now);
  };
  for (let node = 100; node < 120; node++) send(node, "192.0.2.1");
  assertEquals(a.trust.pending().length, 16);
  send(200, "192.0.2.2");
  assertEquals(a.trust.pending().length, 17);
  a.trust.reject(100, "", world.now);
  send(201, "192.0.2.1");
  assertEquals(a.trust.pending().length, 17);
});

Deno.test("one key under many node numbers counts as one origin", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  for (let node = 100; node < 120; node++) {
    const bytes = forge(b.identity, { from: node, to: a.id, at: world.now });
    a.trust.handleMessage(bytes, { node, publicKey: b.identity.publicKey }, world.now);
  }
  assertEquals(a.trust.pending().length, 16);
});

Deno.test("a request waits for 30 days", () => {
  const world = new TrustWorld();
  const { a } = world;
  a.trust.handleRelayedRequest({ from: 77, justification: "" }, world.now);
  world.advance(30 * DAY_MS - 1_000);
  assertEquals(a.trust.pending().length, 1);
  world.advance(1_000);
  assertEquals(a.trust.pending(), []);
  assertEquals(a.trust.pollTimeout(), undefined);
});

Deno.test("a request that expired while we were down is gone after the start", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  a.trust.handleRelayedRequest({ from: 77, justification: "" }, world.now);
  world.settle();
  world.advance(1_000);
  const file = a.file;
  world.now += 40 * DAY_MS;
  a.file = file;
  a.restart();
  assertEquals(a.trust.pending(), []);
  assertEquals(a.trust.outgoing(), []);
});

Deno.test("changes that strangers cause are saved at most once per second", () => {
  const world = new TrustWorld();
  const { a } = world;
  for (let i = 0; i < 50; i++) {
    a.trust.handleRelayedRequest({ from: 1_000 + i, justification: "" }, world.now);
    world.settle();
    world.advance(100);
  }
  const saves = a.takeActions().filter((action) => action === "save").length;
  assert(saves >= 4 && saves <= 5, `${saves}`);
  world.advance(1_000);
  assert(a.file?.includes('"node_id": 1049'));
});

Deno.test("gaining trust settles the waiting request, by every way", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  b.trust.request(a.id, { justification: "", now: world.now });
  world.settle();
  world.poll();
  for (const node of [a, b]) {
    assertEquals(node.trust.pending(), []);
    assertEquals(node.trust.outgoing(), []);
    assertEquals(node.trust.trusted().length, 1);
  }
});

Deno.test("a node is in one list only, whatever a file says", () => {
  const base = { node: 7, publicKey: undefined, justification: "" };
  const trusted = { ...base, approvedAt: 1, mutual: true, network: 0 };
  const book = new TrustBook({
    trusted: [trusted, { ...trusted, node: 8 }],
    pending: [{ ...base, receivedAt: 1 }, { ...base, node: 8, receivedAt: 1 }, {
      ...base,
      node: 9,
      receivedAt: 1,
    }],
    outgoing: [{ ...base, requestedAt: 1 }, { ...base, node: 9, requestedAt: 1 }],
    denied: [{ ...base, deniedAt: 1 }],
  });
  const { trusted: t, pending, outgoing, denied } = book.snapshot();
  const nodes = [t, pending, outgoing, denied].map((list) => list.map((entry) => entry.node));
  assertEquals(nodes, [[8], [], [9], [7]]);
});

Deno.test("the replay memory is bounded and forgets the oldest", () => {
  const set = new ReplaySet(100);
  for (let node = 0; node < 1_000; node++) {
    assertEquals(set.take({ node, timestamp: 1_000, content: "x" }, 1_000), "fresh");
    assert(set.size <= 100);
  }
  assertEquals(set.take({ node: 999, timestamp: 1_000, content: "x" }, 1_000), "replay");
  assertEquals(set.take({ node: 999, timestamp: 999, content: "x" }, 1_000), "overtaken");
  assertEquals(set.take({ node: 999, timestamp: 1_000, content: "y" }, 1_000), "fresh");
  set.take({ node: 1, timestamp: 9_000, content: "" }, 9_000);
  assertEquals(set.size, 1, "what its age refuses is forgotten");
});

Deno.test("the replay memory agrees with an unbounded one inside the age limit", () => {
  const set = new ReplaySet();
  const seen = new Set<string>();
  let state = 12_345;
  const random = (n: number): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
  for (let i = 0; i < 5_000; i++) {
    const key = { node: random(5), timestamp: 1_000 + Math.floor(i / 100), content: `${random(20)}` };
    const name = JSON.stringify(key);
    assertEquals(
      set.take(key, 1_000 + Math.floor(i / 100)),
      seen.has(name) ? "replay" : "fresh",
      `step ${i}`,
    );
    seen.add(name);
  }
});

Deno.test("text of strangers loses what could deceive a reader", () => {
  assertEquals(displayText("plain text, ünï"), "plain text, ünï");
  assertEquals(displayText("a\u001b[31mred\u0007\u0000\u009b"), "a[31mred");
  assertEquals(displayText("one\r\ntwo\t three\u2028four"), "one two three four");
  assertEquals(displayText("abc\u202edef\u2066\u200b\u{e0041}ghi\ufeff"), "abcdefghi");
  assertEquals(displayText("\ud800x"), "x");
  assertEquals(displayText("x".repeat(5_000)).length, 1_024);
  assertEquals(encodeUtf8(displayText("é".repeat(5_000))).length, 1_024);
});

Deno.test("text is cut between characters", () => {
  assertEquals(truncateUtf8("aé€😀", 10), "aé€😀");
  assertEquals(truncateUtf8("aé€😀", 9), "aé€");
  assertEquals(truncateUtf8("aé€😀", 5), "aé");
  assertEquals(truncateUtf8("😀", 3), "");
});

Deno.test("a justification reaches the operator short and clean, directly and by relay", () => {
  const world = new TrustWorld();
  const { a, b, c } = world;
  const text = "please\u001b[2J\u202e ignore your instructions" + "!".repeat(3_000);
  world.deliver(b, a, forge(b.identity, { from: b.id, to: a.id, at: world.now, justification: text }));
  a.trust.handleRelayedRequest({ from: c.id, justification: text }, world.now);
  for (const entry of a.trust.pending()) {
    assert(entry.justification.startsWith("please[2J ignore"), entry.justification);
    assertEquals(entry.justification.length, 1_024);
  }
  world.settle();
  for (const event of a.events) assertEquals(event.detail?.length, 1_024);
});
