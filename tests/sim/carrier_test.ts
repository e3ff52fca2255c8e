import { assert, assertEquals } from "../assert.ts";
import type { SimAgent } from "./agent.ts";
import { World } from "./world.ts";

const SEED = 0x77_55;
const SIZE = 300_000;

/** Sends `SIZE` bytes on a new stream and sees them arrive. */
function converse(world: World, from: SimAgent, to: SimAgent): void {
  const id = from.connect(to, 9000, 10_000);
  assert(typeof id === "number", `${from.name} dials ${to.name}: ${id} (seed ${SEED})`);
  transfer(world, { from, to, id });
}

function transfer(world: World, line: { from: SimAgent; to: SimAgent; id: number }): void {
  const { from, to, id } = line;
  const data = world.random.bytes(new Uint8Array(SIZE));
  let written = 0;
  const accepted = () => to.accepted(9000).at(-1) ?? -1;
  const before = to.received(accepted()).length;
  const arrived = world.net.runUntil(() => {
    if (written < SIZE) written += from.write(id, data.subarray(written));
    return to.received(accepted()).length === before + SIZE;
  }, 60_000);
  assert(arrived, `all of it arrives at ${to.name} (seed ${SEED})`);
  assertEquals(to.received(accepted()).subarray(before), data);
}

function pair(carriers: { a?: boolean; b?: boolean }): { world: World; a: SimAgent; b: SimAgent } {
  const world = new World({ seed: SEED });
  const side = (on: boolean | undefined) =>
    on === true ? { carrier: true, firewall: "blocked" as const } : {};
  const [a, b] = [world.addAgent("a", side(carriers.a)), world.addAgent("b", side(carriers.b))];
  world.befriend(a, b);
  b.act((node) => node.ports.listen(9000));
  a.act((node) => node.ports.listen(9000));
  return { world, a, b };
}

const path = (agent: SimAgent, peer: SimAgent) => agent.node.tunnels.peer(peer.id)?.paths.describe(true).path;

for (const carriers of [{ a: true, b: true }, { a: true }, { b: true }]) {
  Deno.test(`carrier: without UDP at ${Object.keys(carriers).join(" and ")}, everything goes by the relay`, () => {
    const { world, a, b } = pair(carriers);
    converse(world, a, b);
    converse(world, b, a);
    assertEquals([path(a, b), path(b, a)], ["relay", "relay"]);
    const [one] = carriers.a === true ? [a] : [b];
    assert(one.node.beacon.isReachable);
  });
}

Deno.test("carrier: a peer known as relay_only is not tried directly", () => {
  const { world, a, b } = pair({ b: true });
  converse(world, a, b);
  assertEquals(a.node.tunnels.peer(b.id)?.paths.candidates(), []);
});

Deno.test("carrier: a stream lives on when UDP is blocked in mid-transfer, and becomes direct again", () => {
  const { world, a, b } = pair({});
  const id = a.connect(b, 9000);
  assert(typeof id === "number");
  const line = { from: a, to: b, id };
  transfer(world, line);
  assertEquals(path(a, b), "direct");

  b.host.firewall = "blocked";
  a.write(id, new Uint8Array(1));
  const silent = () => b.events.some((event) => event.type === "beacon" && !event.reachable);
  b.act((node, now) => node.beacon.check(now));
  assert(world.net.runUntil(silent, 5_000), "b notices that its beacon is silent");
  b.setCarrier(true);
  const [accepted = -1] = b.accepted(9000);
  const before = b.received(accepted).length;
  assert(world.net.runUntil(() => b.received(accepted).length > before, 3_000), "the stream goes on");
  transfer(world, line);
  assertEquals(path(b, a), "relay");

  b.host.firewall = "open";
  const back = () => b.events.filter((event) => event.type === "beacon" && event.reachable).length >= 2;
  assert(world.net.runUntil(back, 40_000), "b notices that UDP works again");
  b.setCarrier(false);
  transfer(world, line);
  assert(world.net.runUntil(() => path(a, b) === "direct" && path(b, a) === "direct", 30_000));
  assertEquals([a.closed(id), b.closed(accepted)], [undefined, undefined]);
});

Deno.test("carrier: silence of a peer makes a node ask its beacon", () => {
  const { world, a, b } = pair({});
  const id = a.connect(b, 9000);
  assert(typeof id === "number");
  transfer(world, { from: a, to: b, id });
  assertEquals(path(a, b), "direct");
  a.host.firewall = "blocked";
  a.write(id, new Uint8Array(1_000));
  const start = world.net.now;
  const silent = () => a.events.some((event) => event.type === "beacon" && !event.reachable);
  assert(world.net.runUntil(silent, 4_000), `not within 4 s (seed ${SEED})`);
  assert(world.net.now - start < 4_000);
});
