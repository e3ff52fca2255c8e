import { decodeUtf8, encodeUtf8 } from "../../lib/wire/bytes.ts";
import { assert, assertEquals, assertNotEquals } from "../assert.ts";
import { NAT_CLASSES } from "../sim/net.ts";
import type { SimAgent } from "../sim/agent.ts";
import { World } from "../sim/world.ts";

const PORT = 1000;

/** Dials, sends `text`, and waits until all of it has arrived. */
function say(world: World, options: { from: SimAgent; to: SimAgent; text: string; maxMs?: number }): string {
  const { from, to, text, maxMs = 10_000 } = options;
  to.act((node) => node.ports.listen(PORT));
  const before = to.accepted(PORT).length;
  const id = from.connect(to, PORT, maxMs);
  if (typeof id === "string") return id;
  from.write(id, encodeUtf8(text));
  world.net.runUntil(() => to.received(to.accepted(PORT)[before] ?? 0).length >= text.length, maxMs);
  return decodeUtf8(to.received(to.accepted(PORT)[before] ?? 0));
}

Deno.test("two agents that trust each other exchange messages, both ways", () => {
  const world = new World({ seed: 1 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  assertEquals(say(world, { from: a, to: b, text: "hello b" }), "hello b");
  assertEquals(say(world, { from: b, to: a, text: "hello a" }), "hello a");
  assertEquals(a.node.tunnels.peer(b.id)?.paths.describe(true).path, "direct");
  assertEquals(a.node.tunnels.peer(b.id)?.dialect, "current");
});

Deno.test("the same seed gives the same trace, another seed another", () => {
  const run = (seed: number) => {
    const world = new World({ seed, trace: true, link: { delayMs: 5, jitterMs: 3, loss: 0.05 } });
    const a = world.addAgent("agent-a");
    const b = world.addAgent("agent-b");
    world.befriend(a, b);
    assertEquals(say(world, { from: a, to: b, text: "x".repeat(20_000) }).length, 20_000);
    return world.net.traceHash;
  };
  assertEquals(run(7), run(7));
  assertNotEquals(run(7), run(8));
});

Deno.test("no packet ever leaves in clear", () => {
  const world = new World({ seed: 2 });
  const kinds = new Set<string>();
  world.net.forbid(({ flight }) => {
    kinds.add(decodeUtf8(flight.data.subarray(0, 4)));
    return false;
  });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  say(world, { from: a, to: b, text: "secret" });
  assert(kinds.has("PILA") && kinds.has("PILS"), [...kinds].join());
  assert(!kinds.has("PILT"));
});

Deno.test("the first message needs no more than a few round trips", () => {
  const world = new World({ seed: 3 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  world.net.run(60_000);
  const start = world.net.now;
  assertEquals(say(world, { from: a, to: b, text: "now" }), "now");
  // Key exchange, SYN, data: three times 20 ms, with the relay's detour.
  assert(world.net.now - start <= 100, `${world.net.now - start} ms`);
});

Deno.test("a silent direct path does not matter: the relay carries the traffic, sealed", () => {
  const world = new World({ seed: 4 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.net.cut(a.host, b.host);
  world.befriend(a, b);
  const start = world.net.now;
  assertEquals(say(world, { from: a, to: b, text: "over the relay" }), "over the relay");
  assert(world.net.now - start < 500, `${world.net.now - start} ms`);
  assertEquals(a.node.tunnels.peer(b.id)?.paths.describe(true).path, "relay");
});

Deno.test("a direct path that dies under a stream is replaced by the relay, and taken again when it heals", () => {
  const world = new World({ seed: 5 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  b.act((node) => node.ports.listen(PORT));
  const id = a.connect(b, PORT);
  assert(typeof id === "number", String(id));
  world.net.run(2_000);
  assertEquals(a.node.tunnels.peer(b.id)?.paths.describe(true).path, "direct");

  const heal = world.net.cut(a.host, b.host);
  a.write(id, encodeUtf8("during the cut"));
  const arrived = () => decodeUtf8(b.received(b.accepted(PORT)[0] ?? 0)) === "during the cut";
  assert(world.net.runUntil(arrived, 10_000), "the stream did not survive the cut");

  heal();
  for (let second = 0; second < 40; second++) {
    a.write(id, encodeUtf8("."));
    world.net.run(1_000);
  }
  assertEquals(a.node.tunnels.peer(b.id)?.paths.describe(true).path, "direct");
});

Deno.test("behind port-restricted NATs the punch makes the path direct", () => {
  const world = new World({ seed: 6 });
  const natA = world.net.addNat("home-a", { ip: "198.51.100.1", ...NAT_CLASSES.portRestricted });
  const natB = world.net.addNat("home-b", { ip: "198.51.100.2", ...NAT_CLASSES.portRestricted });
  const a = world.addAgent("agent-a", { ip: "192.168.1.2", nat: natA });
  const b = world.addAgent("agent-b", { ip: "192.168.1.2", nat: natB });
  world.befriend(a, b);
  assertEquals(say(world, { from: a, to: b, text: "through two NATs" }), "through two NATs");
  world.net.run(3_000);
  assertEquals(a.node.tunnels.peer(b.id)?.paths.describe(true).path, "direct");
});

Deno.test("behind random symmetric NATs the relay carries the traffic", () => {
  const world = new World({ seed: 7 });
  const natA = world.net.addNat("home-a", { ip: "198.51.100.1", ...NAT_CLASSES.symmetricRandom });
  const natB = world.net.addNat("home-b", { ip: "198.51.100.2", ...NAT_CLASSES.symmetricRandom });
  const a = world.addAgent("agent-a", { ip: "192.168.1.2", nat: natA });
  const b = world.addAgent("agent-b", { ip: "192.168.1.2", nat: natB });
  world.befriend(a, b);
  assertEquals(say(world, { from: a, to: b, text: "relayed" }), "relayed");
  world.net.run(3_000);
  assertEquals(a.node.tunnels.peer(b.id)?.paths.describe(true).path, "relay");
});

Deno.test("without the registry messages go on, and new streams too", () => {
  const world = new World({ seed: 8 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  assertEquals(say(world, { from: a, to: b, text: "one" }), "one");
  world.registryUp = false;
  assertEquals(say(world, { from: a, to: b, text: "two" }), "two");
  assertEquals(say(world, { from: b, to: a, text: "three" }), "three");
});

Deno.test("without the registry a trusted peer is even found anew, through the relay", () => {
  const world = new World({ seed: 9 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  world.net.run(1_000);
  a.act((node) => node.tunnels.forget(b.id));
  b.act((node) => node.tunnels.forget(a.id));
  world.registryUp = false;
  assertEquals(say(world, { from: a, to: b, text: "found" }), "found");
});

Deno.test("a dial to a peer that is offline fails, and says so once", () => {
  const world = new World({ seed: 10 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  b.stop();
  const id = a.dial(b, PORT);
  assert(world.net.runUntil(() => a.outcome(id) !== undefined, 60_000), "no answer within a minute");
  assertEquals(a.outcome(id), "timeout");
  world.net.run(60_000);
  const failures = a.events.filter((event) => event.type === "dial_failed" && event.id === id).length;
  const closings = a.streamEvents().filter((event) => event.type === "closed" && event.id === id).length;
  assert(failures + closings >= 1 && failures <= 1 && closings <= 1);
});

Deno.test("a dial to an unknown node fails with the registry's reason", () => {
  const world = new World({ seed: 11 });
  const a = world.addAgent("agent-a");
  const id = a.act((node, now) => node.connect({ network: 0, node: 424_242 }, PORT, now));
  assert(world.net.runUntil(() => a.outcome(id) !== undefined, 5_000));
  assertEquals(a.outcome(id), "unresolved");
});

Deno.test("datagrams arrive at trusted peers and nowhere else", () => {
  const world = new World({ seed: 12 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  a.act((node, now) => node.sendDatagram(b.address, 5000, { data: encodeUtf8("dg"), now }));
  world.net.run(1_000);
  const datagrams = b.events.flatMap((event) => event.type === "datagram" ? [event] : []);
  assertEquals(datagrams.map(({ data }) => decodeUtf8(data)), ["dg"]);
  assertEquals(datagrams[0]?.destinationPort, 5000);
  assertEquals(datagrams[0]?.source.node, a.id);
});

Deno.test("lossy, duplicating, reordering links change nothing but the time", () => {
  for (let seed = 0; seed < 20; seed++) {
    const world = new World({
      seed,
      link: { delayMs: 10, jitterMs: 10, loss: 0.1, duplicate: 0.1, reorder: 0.1 },
    });
    const a = world.addAgent("agent-a");
    const b = world.addAgent("agent-b");
    world.befriend(a, b);
    const text = "0123456789".repeat(3_000);
    assertEquals(say(world, { from: a, to: b, text, maxMs: 120_000 }), text, `seed ${seed}`);
  }
});
