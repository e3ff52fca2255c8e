import { assert, assertEquals } from "../assert.ts";
import { fromHex } from "../../lib/wire/bytes.ts";
import { A, acquainted, B, Bench, CLEAR_SYN, discover, EVE, id, relay, SEALED } from "./bench.ts";

Deno.test("hijack: a thief cuts nobody off and never sees frames in the clear", () => {
  const bench = acquainted();
  bench.say(EVE, discover(2));
  assertEquals(bench.beacon.stats.contested, 1);
  assertEquals(bench.say(A, relay(1, 2)), [
    `198.51.100.9:50000 0600000001${SEALED}`,
    `192.0.2.66:6666 0600000001${SEALED}`,
  ]);
  assertEquals(bench.say(A, relay(1, 2, CLEAR_SYN)), [`198.51.100.9:50000 0600000001${CLEAR_SYN}`]);
  // The owner renews every 30 s: however long the thief tries, and whatever it sends, the owner is served first.
  for (let round = 0; round < 20; round++) {
    bench.say(EVE, round % 2 === 0 ? discover(2) : "030000000200000001");
    bench.say(B, discover(2));
    const [first] = bench.say(A, relay(1, 2, CLEAR_SYN));
    assertEquals(first, `198.51.100.9:50000 0600000001${CLEAR_SYN}`);
    bench.wait(30_000);
  }
});

Deno.test("hijack: a second thief is not even kept", () => {
  const bench = acquainted();
  bench.say(EVE, discover(2));
  bench.say({ host: "192.0.2.67", port: 1 }, discover(2));
  assertEquals(bench.beacon.stats.claimsRefused, 1);
  assertEquals(bench.say(A, relay(1, 2)).length, 2);
});

Deno.test("spoof: a sender claimed from elsewhere is throttled hard, its owner is not", () => {
  const bench = acquainted();
  let delivered = 0;
  for (let i = 0; i < 200; i++) delivered += bench.say(EVE, relay(1, 2)).length;
  assertEquals(delivered, 20);
  assertEquals(bench.beacon.stats.relaysImplausible, 180);
  assertEquals(bench.say(A, relay(1, 2)).length, 1);
  assertEquals(bench.say({ ...A, port: A.port + 1 }, relay(1, 2)).length, 1, "its NAT may have moved it");
  assertEquals(bench.say(EVE, relay(77, 2)).length, 1, "an unknown sender may have lost its Discover");
});

Deno.test("reflector: an endpoint planted by one datagram gets little", () => {
  const bench = acquainted();
  bench.say(EVE, discover(9)); // source forged
  let delivered = 0;
  for (let i = 0; i < 1000; i++) delivered += bench.say(A, relay(1, 9)).length;
  assertEquals(delivered, 64);
  bench.wait(1000);
  bench.say(EVE, relay(9, 1)); // it is there after all
  for (let i = 0; i < 1000; i++) delivered += bench.say(A, relay(1, 9)).length;
  assertEquals(delivered, 1064);
});

Deno.test("flood: Discover, punch and relay are limited per source, others are not touched", () => {
  const bench = acquainted();
  let answers = 0;
  for (let i = 0; i < 5000; i++) answers += bench.say(EVE, discover(1000 + i)).length;
  assertEquals([answers, bench.beacon.stats.nodes], [200, 202]);
  assertEquals(bench.say({ host: "192.0.2.1", port: 1 }, discover(5)).length, 1);

  let commands = 0;
  for (let i = 0; i < 500; i++) commands += bench.say(EVE, `03${id(1000)}${id(2)}`).length;
  assertEquals(commands, 16, "eight requests towards one node");
  for (let i = 0; i < 500; i++) commands += bench.say(EVE, `03${id(1000)}${id(1001 + i)}`).length;
  assert(bench.beacon.stats.punches <= 40);

  let relayed = 0;
  for (let i = 0; i < 20_000; i++) relayed += bench.say(EVE, relay(1000, 2)).length;
  assertEquals(relayed, 8000);
  assertEquals(bench.say(A, relay(1, 2)).length, 1);
});

Deno.test("flood: Discovers over the limit still renew their node", () => {
  const bench = new Bench();
  for (let second = 0; second < 300; second++) {
    for (let i = 0; i < 100; i++) bench.say(A, discover(1));
    bench.wait(1000);
  }
  assertEquals(bench.beacon.stats.nodes, 1);
  assertEquals(bench.say(B, relay(2, 1)).length, 1);
});

Deno.test("flood: the table is bounded", () => {
  const bench = new Bench({ limits: { nodes: 50 } });
  for (let i = 1; i <= 500; i++) bench.say({ host: `10.0.${i >> 8}.${i & 255}`, port: 1 }, discover(i));
  assertEquals(bench.beacon.stats.nodes, 50);
});

Deno.test("flood: what waits to be sent is bounded", () => {
  const bench = acquainted();
  const data = fromHex(relay(1, 2));
  for (let i = 0; i < 6000; i++) bench.beacon.handleDatagram(A, data, bench.now);
  assertEquals([bench.beacon.stats.queued, bench.beacon.stats.overflows], [4096, 6000 - 4096]);
  assertEquals(bench.sent().length, 4096);
});
