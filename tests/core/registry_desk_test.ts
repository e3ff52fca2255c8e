import { RegistryDesk } from "../../lib/core/registry_desk.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { parseRegistryReply, type RegistryReply } from "../../lib/wire/registry.ts";
import { assert, assertEquals } from "../assert.ts";

const KEY = new Uint8Array(32).fill(7);
const MINUTE = 60_000;

function makeDesk(): RegistryDesk {
  return new RegistryDesk({ self: () => 1 });
}

function parse(json: Record<string, unknown>): RegistryReply {
  const reply = parseRegistryReply(json);
  assert(reply !== undefined, JSON.stringify(json));
  return reply;
}

const found = (key: string = encodeBase64(KEY)) =>
  parse({ type: "lookup_ok", node_id: 2, address: "0:0000.0000.0002", public_key: key, public: false });
const resolved = (address: string) =>
  parse({ type: "resolve_ok", node_id: 2, address: "0:0000.0000.0002", real_addr: address });
const refused = parse({ type: "error", error: "no" });

Deno.test("desk: a question is asked once while it is under way, and the answer is kept for five minutes", () => {
  const desk = makeDesk();
  assertEquals([desk.askIdentity(2, 0), desk.askIdentity(2, 0)], [true, true]);
  const asked = desk.pollRequest();
  assertEquals(asked, { tag: "identity:2", request: { type: "lookup", node_id: 2 } });
  assertEquals(desk.pollRequest(), undefined);
  assertEquals(desk.identity(2, 0), undefined);
  assertEquals(desk.handleReply("identity:2", found(), 10), {
    type: "identity",
    peer: 2,
    key: KEY,
    fresh: false,
  });
  assertEquals(desk.identity(2, 10 + 5 * MINUTE - 1), KEY);
  assertEquals(desk.identity(2, 10 + 5 * MINUTE), undefined);
});

Deno.test("desk: after a failure the same key is not asked for again for three seconds", () => {
  for (const reply of [refused, undefined, found("!!!"), found(encodeBase64(KEY.subarray(1)))]) {
    const desk = makeDesk();
    desk.askIdentity(2, 0);
    assertEquals(desk.handleReply("identity:2", reply, 0), {
      type: "identity",
      peer: 2,
      key: undefined,
      fresh: false,
    });
    assertEquals(desk.askIdentity(2, 2_999), false);
    assertEquals(desk.askIdentity(2, 3_000), true);
  }
});

Deno.test("desk: a fresh look-up passes by the cache and renews it", () => {
  const desk = makeDesk();
  desk.handleReply("identity:2", found(), 0);
  assertEquals(desk.askFreshIdentity(2), true);
  assertEquals(desk.pollRequest()?.tag, "fresh:2");
  const other = new Uint8Array(32).fill(8);
  const answer = desk.handleReply("fresh:2", found(encodeBase64(other)), 1);
  assertEquals(answer, { type: "identity", peer: 2, key: other, fresh: true });
  assertEquals(desk.identity(2, 1), other);
  desk.forgetIdentity(2);
  assertEquals(desk.identity(2, 1), undefined);
});

Deno.test("desk: endpoints, and why there is none", () => {
  const desk = makeDesk();
  desk.askEndpoint(2);
  assertEquals(desk.pollRequest()?.request, { type: "resolve", node_id: 2, requester_id: 1 });
  const ask = (reply: RegistryReply | undefined) => desk.handleReply("endpoint:2", reply, 0);
  const endpoint = { host: "192.0.2.7", port: 4_000 };
  assertEquals(ask(resolved("192.0.2.7:4000")), { type: "endpoint", peer: 2, endpoint });
  for (const text of ["", "192.0.2.7:0", "example.com:4000"]) {
    assertEquals(ask(resolved(text)), { type: "no_endpoint", peer: 2, reason: "no usable endpoint" }, text);
  }
  assertEquals(ask(refused), { type: "no_endpoint", peer: 2, reason: "no" });
  assertEquals(ask(undefined), { type: "no_endpoint", peer: 2, reason: undefined });
});

Deno.test("desk: other requests come back under their tag, whatever is in it", () => {
  const desk = makeDesk();
  desk.ask("a:b:c", { type: "lookup", node_id: 9 });
  assertEquals(desk.pollRequest()?.tag, "other:a:b:c");
  assertEquals(desk.handleReply("other:a:b:c", found(), 0), { type: "other", tag: "a:b:c", ok: true });
  assertEquals(desk.handleReply("other:a:b:c", refused, 0), { type: "other", tag: "a:b:c", ok: false });
  assertEquals(desk.handleReply("other:a:b:c", undefined, 0), { type: "other", tag: "a:b:c", ok: false });
});

Deno.test("desk: questions under way and remembered keys are bounded", () => {
  const desk = makeDesk();
  let accepted = 0;
  for (let peer = 1; peer <= 1_000; peer++) accepted += Number(desk.askIdentity(peer, 0));
  assertEquals(accepted, 256);
  for (let peer = 1; peer <= 5_000; peer++) desk.handleReply(`identity:${peer}`, found(), 0);
  let known = 0;
  for (let peer = 1; peer <= 5_000; peer++) known += Number(desk.identity(peer, 1) !== undefined);
  assertEquals(known, 4_096);
  assertEquals(desk.identity(5_000, 1), KEY, "the newest are kept");
});

Deno.test("desk: a peer that is relayed only has no endpoint to try", () => {
  const desk = makeDesk();
  desk.askEndpoint(2);
  const reply = parse({ type: "resolve_ok", node_id: 2, real_addr: "203.0.113.9:4000", relay_only: true });
  assertEquals(desk.handleReply("endpoint:2", reply, 0), { type: "relay_only", peer: 2 });
});
