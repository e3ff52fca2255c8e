import { assert, assertEquals } from "../assert.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import { A, acquainted, B, Bench, CLEAR_SYN, discover, EVE, id, relay, SEALED } from "./bench.ts";

/** Logs node `node` in on a connection. */
function attach(bench: Bench, node: number): number {
  const session = bench.beacon.attach({ node, host: "203.0.113.80" }, bench.now);
  assert(session !== undefined, "there is room");
  return session;
}

/** What sessions are to get, as `session hex`. */
function frames(bench: Bench): string[] {
  const list: string[] = [];
  for (let event = bench.beacon.pollEvent(); event !== undefined; event = bench.beacon.pollEvent()) {
    list.push(event.type === "frame" ? `${event.session} ${toHex(event.data)}` : `${event.session} replaced`);
  }
  return list;
}

const say = (bench: Bench, session: number, hex: string) =>
  bench.beacon.handleFrame(session, fromHex(hex), bench.now);

Deno.test("sessions: frames pass between sessions, and between a session and UDP, both ways", () => {
  const bench = acquainted();
  const [seven, eight] = [attach(bench, 7), attach(bench, 8)];
  say(bench, seven, relay(7, 8));
  assertEquals(frames(bench), [`${eight} 06${id(7)}${SEALED}`]);
  say(bench, seven, relay(7, 2));
  assertEquals(bench.sent(), [`198.51.100.9:50000 06${id(7)}${SEALED}`]);
  assertEquals(bench.say(B, relay(2, 7)), []);
  assertEquals(frames(bench), [`${seven} 06${id(2)}${SEALED}`]);
  assertEquals(bench.beacon.stats.sessions, 2);
});

Deno.test("sessions: DiscoverEx asks for the destination, Discover takes that back, neither is answered", () => {
  const bench = acquainted();
  const session = attach(bench, 7);
  say(bench, session, `08${id(7)}`);
  bench.say(B, relay(2, 7));
  say(bench, session, discover(7));
  bench.say(B, relay(2, 7));
  assertEquals(frames(bench), [`${session} 09${id(2)}${id(7)}${SEALED}`, `${session} 06${id(2)}${SEALED}`]);
});

Deno.test("sessions: a session speaks for its own node only, and only relays", () => {
  const bench = acquainted();
  const session = attach(bench, 7);
  for (const hex of [relay(1, 2), `03${id(7)}${id(2)}`, `07${id(9)}0001${id(2)}`, `06${id(1)}aa`, "ff", ""]) {
    say(bench, session, hex);
    assertEquals([bench.sent(), frames(bench)], [[], []], hex);
  }
  const { framesRefused, malformed } = bench.beacon.stats;
  assertEquals({ framesRefused, malformed }, { framesRefused: 4, malformed: 2 });
});

Deno.test("sessions: a second login replaces the first, whose end then changes nothing", () => {
  const bench = acquainted();
  const first = attach(bench, 7);
  const second = attach(bench, 7);
  assertEquals(frames(bench), [`${first} replaced`]);
  bench.beacon.detach(first);
  say(bench, first, relay(7, 2));
  assertEquals(bench.sent(), []);
  bench.say(B, relay(2, 7));
  assertEquals(frames(bench), [`${second} 06${id(2)}${SEALED}`]);
  bench.beacon.detach(second);
  bench.say(B, relay(2, 7));
  assertEquals([frames(bench), bench.beacon.stats.sessions], [[], 0]);
});

Deno.test("sessions: a thief on UDP does not take the traffic away, and never sees clear text", () => {
  const bench = acquainted();
  const session = attach(bench, 7);
  bench.say(EVE, discover(7));
  bench.say(EVE, discover(7));
  bench.say(A, relay(1, 7));
  bench.say(A, relay(1, 7, CLEAR_SYN));
  assertEquals(frames(bench), [`${session} 06${id(1)}${SEALED}`, `${session} 06${id(1)}${CLEAR_SYN}`]);
  bench.wait(1_000);
  bench.say(EVE, discover(7));
  assertEquals(bench.say(A, relay(1, 7, CLEAR_SYN)), []);
  assertEquals(frames(bench), [`${session} 06${id(1)}${CLEAR_SYN}`]);
});

Deno.test("sessions: a node that went back to UDP is reached there although its connection looks alive", () => {
  const bench = acquainted();
  const session = attach(bench, 1);
  bench.wait(1_000);
  bench.say(A, discover(1));
  assertEquals(bench.say(B, relay(2, 1)), [`203.0.113.7:40000 06${id(2)}${SEALED}`]);
  bench.beacon.noteAlive(session, bench.now);
  assertEquals(bench.say(B, relay(2, 1)), []);
  assertEquals(frames(bench).length, 2);
});

Deno.test("sessions: a silent session is tried together with the other beacons", () => {
  const peer = { host: "192.0.2.200", port: 9001 };
  const bench = acquainted({ peers: [peer] });
  const session = attach(bench, 7);
  bench.say(peer, `07${id(5)}0001${id(7)}`);
  assertEquals(bench.say(B, relay(2, 7)), []);
  bench.wait(46_000);
  bench.say(peer, `07${id(5)}0001${id(7)}`);
  bench.say(B, discover(2));
  assertEquals(bench.say(B, relay(2, 7)), [`192.0.2.200:9001 ${relay(2, 7)}`]);
  assertEquals(frames(bench), [`${session} 06${id(2)}${SEALED}`, `${session} 06${id(2)}${SEALED}`]);
});

Deno.test("sessions: other beacons are told of them, and relay to them", () => {
  const peer = { host: "192.0.2.200", port: 9001 };
  const bench = new Bench({ id: 3, peers: [peer] });
  const session = attach(bench, 7);
  assertEquals(bench.wait(12_000), [`192.0.2.200:9001 07${id(3)}0001${id(7)}`]);
  bench.say(peer, relay(9, 7));
  assertEquals(frames(bench), [`${session} 06${id(9)}${SEALED}`]);
});

Deno.test("sessions: the same budgets as on UDP, and a bounded number", () => {
  const bench = acquainted({ limits: { relay: { perSecond: 1, burst: 2 }, sessions: 2 } });
  const session = attach(bench, 7);
  for (let i = 0; i < 5; i++) say(bench, session, relay(7, 2));
  assertEquals(bench.sent().length, 2);
  assertEquals(bench.beacon.stats.relaysLimited, 3);
  attach(bench, 8);
  assertEquals(bench.beacon.attach({ node: 9, host: "203.0.113.80" }, bench.now), undefined);
  attach(bench, 8);
});

Deno.test("sessions: a node with a session is punched by nobody, and notified", () => {
  const bench = acquainted();
  const session = attach(bench, 7);
  assertEquals(bench.say(A, `03${id(1)}${id(7)}`), []);
  assert(bench.beacon.notify(7, 1, bench.now));
  assertEquals(frames(bench), [`${session} 0a01`]);
});

Deno.test("sessions: from UDP somebody else relays little in the name of a node with a session", () => {
  const bench = acquainted({ limits: { implausible: { perSecond: 0, burst: 1 } } });
  attach(bench, 7);
  assertEquals(bench.say(EVE, relay(7, 2)).length, 1);
  assertEquals(bench.say(EVE, relay(7, 2)).length, 0);
  assertEquals(bench.beacon.stats.relaysImplausible, 1);
});
