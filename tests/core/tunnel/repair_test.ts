/**
 * Every one-sided state of a tunnel and the message that repairs it. In each test exactly one side restarts, forgets,
 * or does not hear.
 */

import { EXCHANGE_SCHEDULE_MS } from "../../../lib/core/constants.ts";
import { decodeUtf8, encodeUtf8 } from "../../../lib/wire/bytes.ts";
import { encodeUnauthenticated } from "../../../lib/wire/tunnel.ts";
import { generateExchangeKey } from "../../../lib/crypto/exchange.ts";
import { assert, assertEquals } from "../../assert.ts";
import { ForeignNode } from "../../sim/foreign_node.ts";
import type { Flight } from "../../sim/flight.ts";
import type { SimAgent } from "../../sim/agent.ts";
import { World } from "../../sim/world.ts";

const PORT = 1000;

interface Pair {
  readonly world: World;
  readonly a: SimAgent;
  readonly b: SimAgent;
}

/** Two friends with a proven tunnel, both listening. */
function makePair(seed: number): Pair {
  const world = new World({ seed });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  listen(a, b);
  assert(typeof a.connect(b, PORT) === "number");
  world.net.run(1_000);
  return { world, a, b };
}

function listen(...agents: SimAgent[]): void {
  for (const agent of agents) agent.act((node) => node.ports.listen(PORT));
}

/** Milliseconds until `from` has said something to `to`. */
function talk({ world }: Pair, from: SimAgent, to: SimAgent, maxMs: number): number {
  const start = world.net.now;
  const before = to.accepted(PORT).length;
  const id = from.connect(to, PORT, maxMs);
  assert(typeof id === "number", `dial: ${id}`);
  from.write(id, encodeUtf8("hi"));
  const heard = () => decodeUtf8(to.received(to.accepted(PORT)[before] ?? 0)) === "hi";
  assert(world.net.runUntil(heard, maxMs), "not heard");
  return world.net.now - start;
}

function magic(flight: Flight): string {
  const { data } = flight;
  // Relayed frames carry a wrapper of 9 bytes towards the beacon and of 5 bytes from it.
  const skip = data[0] === 5 ? 9 : data[0] === 6 ? 5 : data[0] === 9 ? 9 : 0;
  return decodeUtf8(data.subarray(skip, skip + 4));
}

/** Counts frames of each kind between hosts while `run` runs. */
function count(world: World, run: () => void): Map<string, number> {
  const counts = new Map<string, number>();
  const stop = world.net.forbid(({ flight }) => {
    counts.set(magic(flight), (counts.get(magic(flight)) ?? 0) + 1);
    return false;
  });
  run();
  stop();
  return counts;
}

Deno.test("one side restarts, the other one dials it", () => {
  const pair = makePair(1);
  pair.a.restart();
  listen(pair.a);
  const ms = talk(pair, pair.b, pair.a, 10_000);
  assert(ms < 1_000, `${ms} ms`);
});

Deno.test("one side restarts and dials the other one", () => {
  const pair = makePair(2);
  pair.a.restart();
  listen(pair.a);
  const ms = talk(pair, pair.a, pair.b, 10_000);
  assert(ms < 500, `${ms} ms`);
});

Deno.test("one side restarts while the other one is sending on a stream: the stream ends, new ones work", () => {
  const pair = makePair(3);
  const { world, a, b } = pair;
  const id = b.connect(a, PORT);
  assert(typeof id === "number");
  a.restart();
  listen(a);
  b.write(id, encodeUtf8("to the one that was"));
  assert(world.net.runUntil(() => b.closed(id) !== undefined, 10_000), "the stream hangs");
  assertEquals(b.closed(id), "reset");
  assert(talk(pair, b, a, 10_000) < 1_000);
});

Deno.test("one side restarts many times", () => {
  const pair = makePair(4);
  for (let round = 0; round < 30; round++) {
    pair.a.restart();
    listen(pair.a);
    talk(pair, round % 2 === 0 ? pair.b : pair.a, round % 2 === 0 ? pair.a : pair.b, 10_000);
  }
});

Deno.test("one side has lost only its keys", () => {
  const pair = makePair(5);
  pair.a.act((node) => node.tunnels.forget(pair.b.id));
  assert(talk(pair, pair.b, pair.a, 10_000) < 1_000);
  pair.b.act((node) => node.tunnels.forget(pair.a.id));
  assert(talk(pair, pair.b, pair.a, 10_000) < 1_000);
});

Deno.test("the answer of one side is lost, on every path", () => {
  for (let lost = 1; lost <= 4; lost++) {
    const world = new World({ seed: 6 });
    const a = world.addAgent("agent-a");
    const b = world.addAgent("agent-b");
    world.befriend(a, b);
    listen(a, b);
    let left = lost;
    const restore = world.net.forbid(({ from, flight }) =>
      from === "agent-b" && magic(flight) === "PILA" && left-- > 0
    );
    talk({ world, a, b }, a, b, 15_000);
    assert(left <= 0, "nothing was lost");
    restore();
  }
});

Deno.test("one direction drops everything for a while during the exchange", () => {
  for (const deaf of ["agent-a", "agent-b"]) {
    const world = new World({ seed: 7 });
    const a = world.addAgent("agent-a");
    const b = world.addAgent("agent-b");
    world.befriend(a, b);
    listen(a, b);
    const heal = world.net.forbid(({ to }) => to === deaf);
    const id = a.dial(b, PORT);
    world.net.run(1_200);
    heal();
    assert(world.net.runUntil(() => a.outcome(id) !== undefined, 15_000), `${deaf} was deaf`);
    assertEquals(a.outcome(id), "connected", `${deaf} was deaf`);
  }
});

Deno.test("a peer that believes to share a key with us is asked with a PILK", () => {
  const world = new World({ seed: 8 });
  const a = world.addAgent("agent-a", { isPublic: true });
  const foreign = new ForeignNode(world, { dialect: "current", ip: "192.0.2.200" });
  foreign.register();
  // The foreign node takes our key; its one answer is lost, and repeated announcements are no news to it.
  let lost = 0;
  const restore = world.net.forbid(({ from, flight }) =>
    from === foreign.host.name && magic(flight) === "PILA" && lost++ === 0
  );
  a.act((node, now) => node.connect({ network: 0, node: foreign.id }, PORT, now));
  const ready = () => a.node.tunnels.peer(foreign.id)?.hasSession === true;
  assert(world.net.runUntil(ready, 10_000), "the pair stays wedged");
  restore();
  assertEquals(lost >= 2, true);
  assert(foreign.frames.includes("unauthenticated"), "no PILK was sent");
});

Deno.test("a PILK is answered with a PILA and believed by nobody", () => {
  const pair = makePair(9);
  const { world, a, b } = pair;
  const key = generateExchangeKey(world.random.bytes).publicKey;
  const probe = world.net.addHost("elsewhere", { ip: "192.0.2.201" }).open(5_000);
  const before = b.node.tunnels.stats.counted("exchanges");
  probe.send({ host: b.host.ip, port: 4_000 }, encodeUnauthenticated({ sender: a.id, exchangeKey: key }));
  world.net.run(500);
  assertEquals(decodeUtf8(probe.received[0]?.data.subarray(0, 4) ?? new Uint8Array(0)), "PILA");
  assertEquals(b.node.tunnels.stats.counted("exchanges"), before);
  assert(talk(pair, a, b, 2_000) < 200);
});

Deno.test("two nodes that have agreed do not answer each other for ever", () => {
  const pair = makePair(10);
  const quiet = count(pair.world, () => pair.world.net.run(60_000));
  assert((quiet.get("PILA") ?? 0) <= 2, `${quiet.get("PILA")} PILA in a quiet minute`);
  assertEquals(quiet.get("PILK") ?? 0, 0);
  // Both are told to announce themselves at once: each may answer once, and that is all.
  const both = count(pair.world, () => {
    pair.a.restart();
    pair.b.restart();
    listen(pair.a, pair.b);
    pair.a.act((node, now) => node.tunnels.open(pair.b.id, now));
    pair.b.act((node, now) => node.tunnels.open(pair.a.id, now));
    pair.world.net.run(30_000);
  });
  assert((both.get("PILA") ?? 0) <= 24, `${both.get("PILA")} PILA after both restarted`);
});

Deno.test("sealed frames nobody can open are answered at a bounded rate", () => {
  const pair = makePair(11);
  const { world, a, b } = pair;
  b.act((node) => node.tunnels.forget(a.id));
  const heal = world.net.forbid(({ to, flight }) => to === "agent-a" && magic(flight) === "PILA");
  const counts = count(world, () => {
    for (let round = 0; round < 100; round++) {
      a.act((node, now) => node.sendDatagram(b.address, 5_000, { data: encodeUtf8("x"), now }));
      world.net.run(100);
    }
  });
  assert((counts.get("PILA") ?? 0) < 60, `${counts.get("PILA")} PILA in 10 s`);
  heal();
  talk(pair, a, b, 10_000);
});

Deno.test("packets that wait for a key are bounded, and the newest are kept", () => {
  const world = new World({ seed: 12 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  const heal = world.net.forbid(({ to }) => to === "agent-b");
  for (let n = 0; n < 1_000; n++) {
    a.act((node, now) => node.sendDatagram(b.address, 5_000, { data: encodeUtf8(`${n}`), now }));
  }
  assertEquals(a.node.tunnels.peer(b.id)?.pendingCount, 64);
  heal();
  world.net.run(3_000);
  const heard = b.events.flatMap((event) => event.type === "datagram" ? [decodeUtf8(event.data)] : []);
  assertEquals(heard[0], "936");
  assertEquals(heard.at(-1), "999");
});

Deno.test("an exchange that nobody answers ends, and drops what waited", () => {
  const world = new World({ seed: 13 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  b.stop();
  a.act((node, now) => node.sendDatagram(b.address, 5_000, { data: encodeUtf8("x"), now }));
  const sum = EXCHANGE_SCHEDULE_MS.reduce((total, wait) => total + wait, 0);
  const counts = count(world, () => world.net.run(sum + 60_000));
  assertEquals(a.node.tunnels.peer(b.id)?.pendingCount, 0);
  assert((counts.get("PILA") ?? 0) <= 4 * (EXCHANGE_SCHEDULE_MS.length + 1), `${counts.get("PILA")} PILA`);
});
