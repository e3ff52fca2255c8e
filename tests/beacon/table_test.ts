import { assertEquals } from "../assert.ts";
import { EXPIRY_MS, FRESH_MS, NodeTable } from "../../lib/beacon/table.ts";
import { LIST_LIFE_MS, MAX_PEERS, Mesh } from "../../lib/beacon/mesh.ts";
import { type BeaconLimits, Budgets, DEFAULT_LIMITS } from "../../lib/beacon/budget.ts";

const at = (number: number) => ({ host: `203.0.113.${number}`, port: 4000 });
const hosts = (table: NodeTable, node: number, now: number) =>
  table.claims(node, now).map((claim) => claim.endpoint.host);

Deno.test("table: a node stays while it is seen and expires when it is not", () => {
  const table = new NodeTable(10);
  assertEquals(table.learn(1, { endpoint: at(1) }, 0), "new");
  assertEquals(table.learn(1, { endpoint: at(1) }, 30_000), "known");
  assertEquals(hosts(table, 1, 30_000 + EXPIRY_MS - 1), ["203.0.113.1"]);
  assertEquals(hosts(table, 1, 30_000 + EXPIRY_MS), []);
  assertEquals([table.size, table.sweep(30_000 + EXPIRY_MS - 1), table.size], [1, 0, 1]);
  assertEquals([table.sweep(30_000 + EXPIRY_MS), table.size], [1, 0]);
});

Deno.test("table: beside a fresh endpoint a second one is kept, a third one refused", () => {
  const table = new NodeTable(10);
  table.learn(1, { endpoint: at(1) }, 0);
  assertEquals(table.learn(1, { endpoint: at(2) }, 10), "contested");
  assertEquals(table.learn(1, { endpoint: at(3) }, 20), "refused");
  assertEquals(hosts(table, 1, 20), ["203.0.113.1", "203.0.113.2"]);
  // The owner goes on renewing, the other one gives up.
  table.learn(1, { endpoint: at(1) }, 60_000);
  assertEquals(hosts(table, 1, 10 + FRESH_MS), ["203.0.113.1"]);
  assertEquals(table.learn(1, { endpoint: at(3) }, 10 + FRESH_MS), "contested");
});

Deno.test("table: a third endpoint takes the place of a silent one at the same address, of no other", () => {
  const table = new NodeTable(10);
  const life = (port: number) => ({ endpoint: { host: "203.0.113.1", port } });
  table.learn(1, life(1), 0);
  table.learn(1, life(2), 20_000);
  assertEquals(table.learn(1, life(3), 30_000), "refused");
  assertEquals(table.learn(1, { endpoint: at(2) }, 40_000), "refused");
  assertEquals(table.learn(1, life(3), 40_000), "contested");
  assertEquals(table.claims(1, 40_000).map((claim) => claim.endpoint.port), [2, 3]);
  // Who goes on renewing keeps the place.
  table.learn(1, life(2), 60_000);
  table.learn(1, life(3), 60_000);
  assertEquals(table.learn(1, life(4), 70_000), "refused");
});

Deno.test("table: the same address with another port is another endpoint", () => {
  const table = new NodeTable(10);
  table.learn(1, { endpoint: { host: "203.0.113.1", port: 1 } }, 0);
  assertEquals(table.learn(1, { endpoint: { host: "203.0.113.1", port: 2 } }, 1), "contested");
  assertEquals(table.claims(1, 2).map((claim) => claim.endpoint.port), [1, 2]);
});

Deno.test("table: a stale endpoint serves until it expires or another one turns up", () => {
  const table = new NodeTable(10);
  table.learn(1, { endpoint: at(1) }, 0);
  assertEquals(hosts(table, 1, FRESH_MS + 1), ["203.0.113.1"]);
  assertEquals(table.learn(1, { endpoint: at(2) }, FRESH_MS + 1), "known");
  assertEquals(hosts(table, 1, FRESH_MS + 2), ["203.0.113.2"]);
});

Deno.test("table: who sent one Discover only is unconfirmed; a later one, or a better message, confirms", () => {
  const table = new NodeTable(10);
  const confirmed = (node: number) => table.claims(node, 2000).map((claim) => claim.confirmed);
  table.learn(1, { endpoint: at(1) }, 0);
  table.learn(1, { endpoint: at(1) }, 999);
  assertEquals(confirmed(1), [false]);
  table.learn(1, { endpoint: at(1) }, 1000);
  assertEquals(confirmed(1), [true]);
  table.learn(2, { endpoint: at(2), confirms: true }, 0);
  assertEquals(confirmed(2), [true]);
});

Deno.test("table: a full table gives up unconfirmed nodes, never confirmed ones", () => {
  const table = new NodeTable(3);
  table.learn(1, { endpoint: at(1), confirms: true }, 0);
  table.learn(2, { endpoint: at(2) }, 1);
  table.learn(3, { endpoint: at(3) }, 2);
  assertEquals(table.learn(4, { endpoint: at(4), confirms: true }, 3), "new");
  assertEquals([hosts(table, 2, 4).length, hosts(table, 3, 4).length], [0, 1]);
  assertEquals(table.learn(5, { endpoint: at(5), confirms: true }, 4), "new");
  assertEquals(table.learn(6, { endpoint: at(6) }, 5), "full");
  assertEquals(table.learn(1, { endpoint: at(1) }, 6), "known");
  assertEquals(table.size, 3);
});

Deno.test("table: lists the latest fresh nodes first", () => {
  const table = new NodeTable(100);
  for (let node = 1; node <= 5; node++) {
    table.learn(node, { endpoint: at(node), confirms: node % 2 === 0 }, node * 1000);
  }
  table.learn(1, { endpoint: at(1) }, 9000);
  assertEquals(table.freshNodes(10, 10_000), [1, 5, 4, 3, 2]);
  assertEquals(table.freshNodes(2, 10_000), [1, 5]);
  assertEquals(table.freshNodes(10, 4000 + FRESH_MS), [1, 5]);
});

Deno.test("table: a wish for destinations is the last one expressed", () => {
  const table = new NodeTable(10);
  const wants = () => table.claims(1, 5)[0]?.wantsDestination;
  table.learn(1, { endpoint: at(1), wantsDestination: true }, 0);
  assertEquals(wants(), true);
  table.learn(1, { endpoint: at(1), confirms: true }, 1);
  assertEquals(wants(), true);
  table.learn(1, { endpoint: at(1), wantsDestination: false }, 2);
  assertEquals(wants(), false);
});

Deno.test("mesh: configured peers stay, discovered ones are replaced, lists survive", () => {
  const mesh = new Mesh([at(1)]);
  mesh.setDiscovered([at(2), at(1)]);
  assertEquals(mesh.peers, [at(1), at(2)]);
  mesh.handleList(at(2), [7], 0);
  mesh.setDiscovered([at(3), at(2)]);
  assertEquals([mesh.peers.length, mesh.ownerOf(7, 1)], [3, at(2)]);
  mesh.setDiscovered([]);
  assertEquals([mesh.peers, mesh.ownerOf(7, 2)], [[at(1)], undefined]);
  mesh.setDiscovered(Array.from({ length: 200 }, (_, i) => at(i)));
  assertEquals(mesh.peers.length, MAX_PEERS);
});

Deno.test("mesh: strangers are ignored, lists replace each other and expire", () => {
  const mesh = new Mesh([at(1)]);
  mesh.handleList(at(9), [5], 0);
  assertEquals(mesh.ownerOf(5, 0), undefined);
  mesh.handleList(at(1), [5, 6], 0);
  assertEquals(mesh.ownerOf(5, LIST_LIFE_MS - 1), at(1));
  assertEquals(mesh.ownerOf(5, LIST_LIFE_MS), undefined);
  mesh.handleList(at(1), [6], 100);
  assertEquals([mesh.ownerOf(5, 101), mesh.ownerOf(6, 101)], [undefined, at(1)]);
});

Deno.test("mesh: of two owners the one where the node turned up last wins, however often both repeat", () => {
  const mesh = new Mesh([at(1), at(2)]);
  mesh.handleList(at(1), [5], 0);
  mesh.handleList(at(2), [5], 1000);
  mesh.handleList(at(1), [5], 2000);
  assertEquals(mesh.ownerOf(5, 2001), at(2));
  mesh.handleList(at(2), [], 3000);
  assertEquals(mesh.ownerOf(5, 3001), at(1));
});

Deno.test("budgets: an IPv6 /64 is one source, long frames cost more", () => {
  const rate = { perSecond: 1, burst: 4 };
  const limits: BeaconLimits = { ...DEFAULT_LIMITS, relay: rate, discover: { perSecond: 1, burst: 2 } };
  const budgets = new Budgets(limits);
  const asks = ["2001:db8::1", "2001:db8::2:0:0:1", "2001:db8::ffff", "2001:db8:0:1::1"];
  assertEquals(asks.map((host) => budgets.mayDiscover(host, 0)), [true, true, false, true]);
  assertEquals([1280 * 4, 1].map((bytes) => budgets.mayRelay("203.0.113.1", bytes, 0)), [true, false]);
  assertEquals([1280, 1].map((bytes) => budgets.mayRelay("203.0.113.1", bytes, 1000)), [true, false]);
});
