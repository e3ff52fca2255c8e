import { assert, assertEquals } from "../assert.ts";
import { identity, KEY_A, KEY_B, START, World } from "./fixture.ts";

const DAY = 24 * 60 * 60_000;
const FROM = { host: "198.51.100.7", port: 51000 };

Deno.test("a program that does not acknowledge gets every message once", () => {
  const world = new World();
  const a = world.join(KEY_A);
  const b = world.join(KEY_B);
  a.ask(b, "one");
  const polled = b.poll();
  assertEquals(polled.requests, [{ from_node_id: a.id, justification: "one", timestamp: START / 1000 }]);
  assertEquals(Object.keys(polled).includes("ack"), false);
  assertEquals(b.poll().requests, []);
});

Deno.test("a program that acknowledges gets every message until it does", () => {
  const world = new World();
  const [a, b, c] = [world.join(KEY_A), world.join(KEY_B), world.join(identity(7))];
  a.ask(b, "one");
  const first = b.poll(0);
  assertEquals(first.requests.map((request) => request.justification), ["one"]);
  assertEquals(b.poll(0).requests, first.requests);
  c.ask(b, "two");
  const second = b.poll(first.ack);
  assertEquals(second.requests.map((request) => request.justification), ["two"]);
  const third = b.poll(second.ack);
  assertEquals([third.requests, third.ack], [[], second.ack]);
});

Deno.test("an acknowledgement removes nothing that was not handed out", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  a.ask(b);
  // As a program does that has the number from another registry, or of a lost store.
  assertEquals(b.poll(1_000_000).requests.length, 1);
  assertEquals(b.poll(0).requests.length, 1);
});

Deno.test("messages outlive the absence of their target, but not for ever", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  a.ask(b);
  b.ok({ type: "deregister", node_id: b.id });
  world.now += 7 * DAY;
  world.directory.maintain(world.now);
  assertEquals(world.join(KEY_B).poll(0).requests.length, 1);
  world.now += 1;
  world.directory.maintain(world.now);
  assertEquals(world.join(KEY_B).poll(0).requests.length, 0);
});

Deno.test("a second request of the same node replaces the first, also one that is being handed out", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  a.ask(b, "one");
  a.ask(b, "two");
  const polled = b.poll(0);
  assertEquals(polled.requests.map((request) => request.justification), ["two"]);
  a.ask(b, "two");
  assertEquals(b.poll(polled.ack).requests.map((request) => request.justification), ["two"]);
});

Deno.test("a full inbox lets the oldest go, requests and responses apart", () => {
  const world = new World({ inboxLimit: 3 });
  const target = world.join(KEY_A);
  const senders = [1, 2, 3, 4].map((n) => world.join(identity(100 + n), { sign: false }));
  for (const sender of senders) {
    sender.ask(target);
    target.ask(sender);
    sender.respond(target);
  }
  const { requests, responses } = target.poll();
  const last = senders.slice(1).map((sender) => sender.id);
  assertEquals(requests.map((request) => request.from_node_id), last);
  assertEquals(responses.map((response) => response.from_node_id), last);
});

Deno.test("the last of several answers counts", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  a.ask(b);
  b.respond(a, false);
  b.respond(a, true);
  b.respond(a, true);
  assertEquals(a.poll().responses.map((response) => response.accept), [true]);
});

Deno.test("a long justification is cut between characters", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  a.ask(b, "x".repeat(1022) + "日本");
  assertEquals(b.poll().requests[0]?.justification, "x".repeat(1022));
  a.ask(b, "x".repeat(1021) + "日本");
  assertEquals(b.poll().requests[0]?.justification, "x".repeat(1021) + "日");
});

Deno.test("a handshake can name its target", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B, { hostname: "beta" })];
  const ask = { type: "request_handshake", from_node_id: a.id, to_node_id: 0, justification: "" } as const;
  assertEquals(a.ok({ ...ask, to_hostname: "beta" }), {
    type: "request_handshake_ok",
    status: "delivered",
    to_node_id: b.id,
  });
  assertEquals(a.refused({ ...ask, to_hostname: "gamma" }), "not_found");
  assertEquals(a.refused(ask), "not_found");
  assertEquals(world.refusal({ ...ask, to_hostname: "beta" }), "bad_signature");
  assertEquals(b.poll().requests.length, 1);
});

Deno.test("one node cannot send messages without end", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  for (let i = 0; i < 200; i++) a.ask(b);
  const request = {
    type: "request_handshake",
    from_node_id: a.id,
    to_node_id: b.id,
    justification: "",
  } as const;
  assertEquals(a.refused(request), "rate_limited");
  world.now += 1_000;
  a.ask(b);
});

Deno.test("a heartbeat tells how many messages wait", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  a.ask(b);
  const reply = b.heartbeat();
  assert(reply.type === "heartbeat_ok");
  assertEquals(reply.pending, 1);
});

Deno.test("a poll that may wait is parked while the inbox is empty, and told of arrivals", () => {
  const world = new World();
  const [a, b] = [world.join(KEY_A), world.join(KEY_B)];
  const poll = (wait_ms: unknown) => {
    const request = { ...b.sign({ type: "poll_handshakes", node_id: b.id, ack: 0 }), wait_ms };
    return world.directory.answer(request, FROM, world.now);
  };
  const parked = poll(25_000);
  assert(parked.type === "parked");
  assertEquals([parked.node, parked.until], [b.id, world.now + 25_000]);
  assertEquals(poll(0).type, "poll_handshakes_ok");
  assertEquals(poll("soon").type, "poll_handshakes_ok");
  const long = poll(4_000_000_000);
  assert(long.type === "parked");
  assertEquals(long.until, world.now + 60_000);

  assertEquals(world.directory.takeArrivals(), []);
  a.ask(b);
  assertEquals(world.directory.takeArrivals(), [b.id]);
  assertEquals(world.directory.takeArrivals(), []);
  const reply = world.directory.handle(parked.request, FROM, world.now);
  assert(reply.type === "poll_handshakes_ok");
  assertEquals(reply.requests.length, 1);
  // What waits already is given at once.
  assertEquals(poll(25_000).type, "poll_handshakes_ok");
});

Deno.test("a poll without a good signature is refused, not parked", () => {
  const world = new World();
  const b = world.join(KEY_B);
  const request = { type: "poll_handshakes", node_id: b.id, wait_ms: 1000 };
  assertEquals(world.directory.answer(request, FROM, world.now).type, "error");
});
