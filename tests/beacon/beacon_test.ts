import { assertEquals } from "../assert.ts";
import { fromHex } from "../../lib/wire/bytes.ts";
import { SeededRandom } from "../sim/random.ts";
import { A, acquainted, B, Bench, CLEAR_SYN, discover, EVE, relay } from "./bench.ts";

Deno.test("beacon: the golden bytes, end to end", () => {
  const bench = new Bench();
  assertEquals(bench.say(A, "0100000001"), ["203.0.113.7:40000 0204cb0071079c40"]);
  assertEquals(bench.say(B, "0100000002"), ["198.51.100.9:50000 0204c6336409c350"]);
  const six = { host: "2001:db8::7", port: 40000 };
  assertEquals(bench.say(six, "0100000003"), [
    "[2001:db8::7]:40000 021020010db80000000000000000000000079c40",
  ]);
  assertEquals(bench.say(A, "030000000100000002"), [
    "203.0.113.7:40000 0404c6336409c350" + "00000002",
    "198.51.100.9:50000 0404cb0071079c40" + "00000001",
  ]);
  assertEquals(bench.say(A, `050000000100000002${CLEAR_SYN}`), [
    `198.51.100.9:50000 0600000001${CLEAR_SYN}`,
  ]);
});

Deno.test("beacon: surplus bytes are ignored, short and foreign messages too", () => {
  const bench = acquainted();
  assertEquals(bench.say(A, `0100000001${"ab".repeat(32)}`).length, 1);
  assertEquals(bench.say(A, "030000000100000002ffff").length, 2);
  for (const hex of ["", "01", "01000000", "0300000001000000", "0500000001000000", "0b00000001", "ff"]) {
    assertEquals(bench.say(A, hex), [], hex);
  }
  for (const hex of ["0204cb0071079c40", "0404cb0071079c40", "0600000001aabb", "0a01", CLEAR_SYN]) {
    assertEquals(bench.say(A, hex), [], hex);
  }
  assertEquals(bench.say(A, relay(1, 2, "")), ["198.51.100.9:50000 0600000001"]);
});

Deno.test("beacon: node 0 and the broadcast node get an answer but no entry", () => {
  const bench = new Bench();
  assertEquals(bench.say(A, discover(0)).length, 1);
  assertEquals(bench.say(A, discover(0xffffffff)).length, 1);
  assertEquals(bench.beacon.stats.nodes, 0);
  assertEquals(bench.say(B, relay(2, 0)), []);
});

Deno.test("beacon: nodes that ask by DiscoverEx get the destination with each frame", () => {
  const bench = acquainted();
  assertEquals(bench.say(B, "0800000002"), ["198.51.100.9:50000 0204c6336409c350"]);
  assertEquals(bench.say(A, relay(1, 2, "aabb")), ["198.51.100.9:50000 090000000100000002aabb"]);
  bench.say(B, discover(2));
  assertEquals(bench.say(A, relay(1, 2, "aabb")), ["198.51.100.9:50000 0600000001aabb"]);
});

Deno.test("beacon: unknown targets and oneself get no punch", () => {
  const bench = acquainted();
  assertEquals(bench.say(A, "030000000100000063"), []);
  assertEquals(bench.say(A, "030000000100000001"), []);
  assertEquals(bench.say(A, "030000000000000002"), []);
  assertEquals(bench.beacon.stats.punchesUnknown, 3);
});

Deno.test("beacon: a punch request registers a node whose Discover was lost", () => {
  const bench = new Bench();
  bench.say(B, discover(2));
  assertEquals(bench.say(A, "030000000100000002").length, 2);
  assertEquals(bench.say(B, relay(2, 1, "aa")), ["203.0.113.7:40000 0600000002aa"]);
});

Deno.test("roaming: a node that moved gets its frames at once, and only there after a while", () => {
  const bench = acquainted();
  const lte = { host: "198.18.0.5", port: 7 };
  bench.say(lte, discover(2));
  assertEquals(bench.say(A, relay(1, 2)).map((line) => line.split(" ")[0]), [
    "198.51.100.9:50000",
    "198.18.0.5:7",
  ]);
  assertEquals(bench.say(A, "030000000100000002").map((line) => line.split(" ")[0]), [
    "203.0.113.7:40000",
    "203.0.113.7:40000",
    "198.51.100.9:50000",
    "198.18.0.5:7",
  ]);
  for (let round = 0; round < 3; round++) {
    bench.wait(29_000);
    bench.say(lte, discover(2));
    bench.say(A, discover(1));
  }
  assertEquals(bench.say(A, relay(1, 2)).map((line) => line.split(" ")[0]), ["198.18.0.5:7"]);
});

Deno.test("expiry: silent nodes are forgotten after 120 s", () => {
  const bench = acquainted();
  bench.wait(90_000);
  bench.say(A, discover(1));
  assertEquals(bench.say(A, relay(1, 2)).length, 1);
  bench.wait(31_000);
  assertEquals(bench.say(A, relay(1, 2)), []);
  assertEquals([bench.beacon.stats.nodes, bench.beacon.stats.expired], [1, 1]);
});

Deno.test("expiry: relaying keeps a node known", () => {
  const bench = acquainted();
  for (let i = 0; i < 10; i++) {
    bench.wait(60_000);
    bench.say(A, relay(1, 2));
  }
  assertEquals(bench.beacon.stats.nodes, 1);
});

Deno.test("relay: order is kept", () => {
  const bench = acquainted();
  const numbers = Array.from({ length: 300 }, (_, i) => i.toString(16).padStart(4, "0"));
  for (const number of numbers) {
    bench.beacon.handleDatagram(A, fromHex(relay(1, 2, number)), bench.now);
  }
  assertEquals(bench.sent().map((line) => line.slice(-4)), numbers);
});

Deno.test("notify: reaches a known node wherever it claims to be", () => {
  const bench = acquainted();
  assertEquals(bench.beacon.notify(2, 1, bench.now), true);
  assertEquals(bench.sent(), ["198.51.100.9:50000 0a01"]);
  assertEquals(bench.beacon.notify(99, 1, bench.now), false);
});

Deno.test("beacon: any bytes are survived, and inputs are never written", () => {
  const bench = acquainted({ peers: [{ host: "203.0.113.200", port: 9001 }] });
  const seed = 20240;
  const random = new SeededRandom(seed);
  for (let i = 0; i < 20_000; i++) {
    const data = random.bytes(new Uint8Array(random.int(40)));
    if (data.length > 0) data[0] = random.int(12);
    const copy = data.slice();
    bench.beacon.handleDatagram(
      random.pick([A, B, EVE, { host: "203.0.113.200", port: 9001 }]) ?? A,
      data,
      bench.now,
    );
    assertEquals(data, copy, `seed ${seed}, input ${i}`);
    if (i % 100 === 0) bench.wait(10);
    bench.sent();
  }
});
