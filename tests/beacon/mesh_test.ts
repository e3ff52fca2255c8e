import { assert, assertEquals } from "../assert.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { toHex } from "../../lib/wire/bytes.ts";
import { encodeBeacon, encodePunchTrailer } from "../../lib/wire/beacon.ts";
import { A, acquainted, discover, EVE, id, relay, SEALED } from "./bench.ts";

const PEER: Endpoint = { host: "203.0.113.200", port: 9001 };
const OTHER_PEER: Endpoint = { host: "203.0.113.201", port: 9001 };
const sync = (beacon: number, ...nodes: number[]) => toHex(encodeBeacon({ kind: "sync", beacon, nodes }));

Deno.test("mesh: node lists go to peers about every ten seconds, with fresh local nodes only", () => {
  const bench = acquainted({ id: 2, peers: [PEER] });
  bench.say(PEER, sync(3, 55));
  const lines = bench.wait(60_000);
  assert(lines.length >= 5 && lines.length <= 7, `${lines.length}`);
  assertEquals(lines[0], `203.0.113.200:9001 070000000200020000000100000002`);
  assertEquals(bench.wait(30_000).at(-1), "203.0.113.200:9001 07000000020000");
});

Deno.test("mesh: frames for a peer's node go there unchanged, and are never sent on again", () => {
  const bench = acquainted({ id: 2, peers: [PEER, OTHER_PEER] });
  assertEquals(bench.say(A, relay(1, 55)), []);
  bench.say(PEER, "07000000030001" + id(55));
  assertEquals(bench.say(A, relay(1, 55)), [`203.0.113.200:9001 ${relay(1, 55)}`]);
  assertEquals(bench.say(OTHER_PEER, relay(77, 55)), [], "one hop only");
  assertEquals(bench.say(OTHER_PEER, relay(77, 2)), [
    `198.51.100.9:50000 06${id(77)}${SEALED}`,
  ]);
  bench.wait(30_000);
  assertEquals(bench.say(A, relay(1, 55)), [], "the list has expired");
});

Deno.test("mesh: strangers' lists are refused", () => {
  const bench = acquainted({ peers: [PEER] });
  bench.say(EVE, sync(3, 55));
  assertEquals(bench.say(A, relay(1, 55)), []);
  assertEquals([bench.beacon.stats.syncs, bench.beacon.stats.syncsRefused], [0, 1]);
});

Deno.test("mesh: a local node is served here, a stale one where it was seen since", () => {
  const bench = acquainted({ peers: [PEER] });
  bench.say(PEER, sync(3, 2));
  assertEquals(bench.say(A, relay(1, 2))[0]?.split(" ")[0], "198.51.100.9:50000");
  bench.wait(75_000);
  bench.say(A, discover(1));
  bench.say(PEER, sync(3, 2));
  assertEquals(bench.say(A, relay(1, 2))[0]?.split(" ")[0], "203.0.113.200:9001");
});

Deno.test("mesh: two beacons with each other's forged lists do not send a frame in circles", () => {
  const one = acquainted({ peers: [PEER] });
  one.say(PEER, sync(3, 55));
  const [forwarded] = one.say(A, relay(1, 55));
  assertEquals(forwarded, `203.0.113.200:9001 ${relay(1, 55)}`);
  // The peer believes that node 55 is back here, and returns the frame.
  assertEquals(one.say(PEER, relay(1, 55)), []);
});

const NODE_C: Endpoint = { host: "192.0.2.33", port: 3333 };
const meshPunch = (requester: number, target: number, hops: number, from: Endpoint) =>
  toHex(encodeBeacon({ kind: "mesh_punch", requester, target, hops, from }));
const command = (node: number, endpoint: Endpoint) =>
  toHex(encodeBeacon({ kind: "punch_command", endpoint, trailer: encodePunchTrailer(node) }));
const request = (requester: number, target: number) => `03${id(requester)}${id(target)}`;

Deno.test("mesh: a punch for a peer's node goes there, and its answer commands the requester", () => {
  const bench = acquainted({ id: 2, peers: [PEER] });
  bench.say(PEER, sync(3, 55));
  assertEquals(bench.say(A, request(1, 55)), [`203.0.113.200:9001 ${meshPunch(1, 55, 1, A)}`]);
  assertEquals(bench.say(PEER, meshPunch(55, 1, 0, NODE_C)), [`203.0.113.7:40000 ${command(55, NODE_C)}`]);
  assertEquals(bench.beacon.stats.punchesForwarded, 1);
});

Deno.test("mesh: a punch from a peer commands the own node and is answered, once", () => {
  const bench = acquainted({ peers: [PEER] });
  assertEquals(bench.say(PEER, meshPunch(55, 2, 1, NODE_C)), [
    `198.51.100.9:50000 ${command(55, NODE_C)}`,
    `203.0.113.200:9001 ${meshPunch(2, 55, 0, { host: "198.51.100.9", port: 50_000 })}`,
  ]);
  assertEquals(bench.say(PEER, meshPunch(55, 2, 0, NODE_C)), [`198.51.100.9:50000 ${command(55, NODE_C)}`]);
});

Deno.test("mesh: punches of strangers, for unknown nodes, and too many of them bring about nothing", () => {
  const bench = acquainted({ peers: [PEER, OTHER_PEER] });
  bench.say(OTHER_PEER, sync(4, 77));
  assertEquals(bench.say(EVE, meshPunch(55, 2, 1, NODE_C)), []);
  assertEquals(bench.say(PEER, meshPunch(55, 66, 1, NODE_C)), []);
  assertEquals(bench.say(PEER, meshPunch(55, 77, 1, NODE_C)), [], "one hop only");
  let sent = 0;
  for (let i = 0; i < 1_000; i++) sent += bench.say(PEER, meshPunch(55, 2, 255, NODE_C)).length;
  assertEquals(sent, 16, "eight, each with its answer");
});

Deno.test("mesh: two beacons that point at each other do not keep each other busy with a punch", () => {
  const one = acquainted({ peers: [PEER] });
  one.say(PEER, sync(3, 55));
  const [forwarded] = one.say(A, request(1, 55));
  assertEquals(forwarded, `203.0.113.200:9001 ${meshPunch(1, 55, 1, A)}`);
  assertEquals(one.say(PEER, meshPunch(1, 55, 1, A)), []);
});
