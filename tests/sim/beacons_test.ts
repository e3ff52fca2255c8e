/** Several beacons: relayed streams when one of them goes, and peers that do not share all of theirs. */

import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { assert, assertEquals } from "../assert.ts";
import { NAT_CLASSES } from "./net.ts";
import type { SimAgent, SimAgentOptions } from "./agent.ts";
import { World } from "./world.ts";

const PORT = 1000;

/** A transfer that never ends by itself, between two agents behind NATs that only a relay gets through. */
class Relayed {
  readonly world: World;
  readonly a: SimAgent;
  readonly b: SimAgent;
  readonly #id: number;
  readonly #inbound: number;
  readonly #chunk = new Uint8Array(1_024).fill(7);

  constructor(world: World, options: { a?: SimAgentOptions; b?: SimAgentOptions } = {}) {
    this.world = world;
    const nat = (name: string, ip: string) => world.net.addNat(name, { ip, ...NAT_CLASSES.symmetricRandom });
    this.a = world.addAgent("agent-a", {
      ip: "10.0.0.2",
      nat: nat("nat-a", "198.51.100.1"),
      ...options.a,
    });
    this.b = world.addAgent("agent-b", {
      ip: "10.0.0.2",
      nat: nat("nat-b", "198.51.100.2"),
      ...options.b,
    });
    world.net.run(12_000);
    world.befriend(this.a, this.b);
    this.b.act((node) => node.ports.listen(PORT));
    const id = this.a.connect(this.b, PORT, 15_000);
    assert(typeof id === "number", `dial: ${id}`);
    this.#id = id;
    this.run(500);
    const [inbound] = this.b.accepted(PORT);
    assert(inbound !== undefined, "not accepted");
    this.#inbound = inbound;
    assertEquals(this.a.node.tunnels.peer(this.b.id)?.paths.isDirect, false);
  }

  get received(): number {
    return this.b.received(this.#inbound).length;
  }

  /** Sends some 20 kB/s. */
  run(ms: number): void {
    for (const end = this.world.net.now + ms; this.world.net.now < end; this.world.net.run(50)) {
      this.a.write(this.#id, this.#chunk);
    }
  }

  /** Milliseconds from now until data arrives that was not in the air. */
  untilResumed(maxMs: number): number {
    const start = this.world.net.now;
    this.run(100);
    const { received } = this;
    while (this.received === received && this.world.net.now - start < maxMs) this.run(20);
    return this.world.net.now - start;
  }
}

/** The place of the beacon that relays most now. */
function busiest(transfer: Relayed): number {
  const before = transfer.world.sites.map(({ beacon }) => beacon.stats.relayed);
  transfer.run(500);
  const relayed = transfer.world.sites.map(({ beacon }, index) =>
    beacon.stats.relayed - (before[index] ?? 0)
  );
  return relayed.indexOf(Math.max(...relayed));
}

for (const mesh of [false, true]) {
  Deno.test(`the beacon that relays a stream is killed: the other one carries on (mesh: ${mesh})`, () => {
    for (let seed = 1; seed <= 5; seed++) {
      const transfer = new Relayed(new World({ seed, beacons: 2, mesh }));
      transfer.world.sites[busiest(transfer)]?.stop();
      const ms = transfer.untilResumed(20_000);
      assert(ms < 2_000, `${ms} ms, seed ${seed}`);
      const { received } = transfer;
      transfer.run(5_000);
      assert(transfer.received > received + 50_000, `${transfer.received - received} bytes, seed ${seed}`);
    }
  });
}

Deno.test("beacons are killed one after the other, and come back", () => {
  const transfer = new Relayed(new World({ seed: 11, beacons: 3, mesh: false }));
  for (let round = 0; round < 6; round++) {
    const index = busiest(transfer);
    transfer.world.sites[index]?.stop();
    const ms = transfer.untilResumed(20_000);
    assert(ms < 5_000, `${ms} ms in round ${round}`);
    transfer.run(3_000);
    transfer.world.sites[index]?.restart();
    transfer.run(3_000);
  }
});

Deno.test("the only beacon restarts and has forgotten everybody: a relayed stream goes on", () => {
  for (let seed = 1; seed <= 3; seed++) {
    const transfer = new Relayed(new World({ seed }));
    transfer.world.sites[0]?.restart();
    const ms = transfer.untilResumed(30_000);
    assert(ms < 5_000, `${ms} ms, seed ${seed}`);
  }
});

Deno.test("one side loses sight of the beacon in use: the other one is taken", () => {
  for (const side of ["agent-a", "agent-b"]) {
    const transfer = new Relayed(new World({ seed: 21, beacons: 2, mesh: false }));
    const name = busiest(transfer) === 0 ? "beacon" : "beacon-2";
    transfer.world.net.forbid(({ from, to }) =>
      (from === side && to === name) || (from === name && to === side)
    );
    const ms = transfer.untilResumed(30_000);
    assert(ms < 5_000, `${ms} ms without ${side}`);
  }
});

Deno.test("one direction between a side and the beacon in use is lost: the other beacon is taken", () => {
  for (const side of ["agent-a", "agent-b"]) {
    for (const towards of [true, false]) {
      const transfer = new Relayed(new World({ seed: 22, beacons: 2, mesh: false }));
      const name = busiest(transfer) === 0 ? "beacon" : "beacon-2";
      transfer.world.net.forbid(({ from, to }) =>
        towards ? from === side && to === name : from === name && to === side
      );
      const ms = transfer.untilResumed(30_000);
      assert(ms < 5_000, `${ms} ms, ${side} ${towards ? "to" : "from"} the beacon`);
    }
  }
});

Deno.test("two agents share one beacon of two, without a mesh", () => {
  const world = new World({ seed: 31, beacons: 3, mesh: false });
  const [first, second, third] = world.beacons;
  assert(first !== undefined && second !== undefined && third !== undefined);
  const transfer = new Relayed(world, {
    a: { beacons: [first, second] },
    b: { beacons: [second, third] },
  });
  transfer.run(2_000);
  const counts = world.sites.map(({ beacon }) => beacon.stats);
  assert((counts[1]?.relayed ?? 0) > 100, `${counts[1]?.relayed} relayed by the shared one`);
  assert((counts[0]?.relaysUnknown ?? 0) < 50, "frames go on to a beacon that does not know the peer");
});

Deno.test("the nearer beacon relays, and two of the same distance do not take turns", () => {
  const world = new World({ seed: 41, beacons: 3, mesh: false });
  world.sites[0]?.host.link.set({ delayMs: 60 });
  world.sites[2]?.host.link.set({ delayMs: 61 });
  const transfer = new Relayed(world);
  transfer.run(45_000);
  assertEquals(busiest(transfer), 1);
  world.sites[1]?.host.link.set({ delayMs: 400 });
  transfer.run(90_000);
  const far = busiest(transfer);
  assert(far !== 1, "the beacon that has become far away is still in use");
  const changes = transfer.a.events.filter(({ type }) => type === "beacon").length;
  assertEquals(changes, 1, "told more than that beacons answer");
});

Deno.test("two beacons that see one socket at different ports tell of an endpoint-dependent mapping", () => {
  for (const [kind, distinct] of [["symmetricRandom", 2], ["portRestricted", 1]] as const) {
    const world = new World({ seed: 51, beacons: 2 });
    const nat = world.net.addNat("nat", { ip: "198.51.100.1", ...NAT_CLASSES[kind] });
    const agent = world.addAgent("agent-a", { ip: "10.0.0.2", nat });
    world.net.run(1_000);
    const seen = agent.node.beacon.reflexives;
    assertEquals(seen.map(({ beacon }) => beacon), world.beacons);
    assertEquals(new Set(seen.map(({ endpoint }) => endpoint.port)).size, distinct);
  }
});

Deno.test("a beacon that moved is used at its new place, and no frame goes to the old one", () => {
  const world = new World({ seed: 61, beacons: 2, mesh: false });
  const [old, moved] = world.beacons;
  assert(old !== undefined && moved !== undefined);
  const transfer = new Relayed(world, { a: { beacons: [old] }, b: { beacons: [old] } });
  world.sites[0]?.stop();
  for (const agent of [transfer.a, transfer.b]) agent.act((node, now) => node.setBeacons([moved], now));
  const ms = transfer.untilResumed(20_000);
  assert(ms < 5_000, `${ms} ms`);
  let toOld = 0;
  world.net.forbid(({ to }) => {
    if (to === "beacon") toOld++;
    return false;
  });
  transfer.run(2_000);
  assertEquals(toOld, 0);
});

Deno.test("frames and commands from a place that is none of the beacons do nothing", () => {
  const world = new World({ seed: 71, beacons: 2 });
  const agent = world.addAgent("agent-a");
  world.net.run(1_000);
  const before = agent.node.tunnels.stats.drops()["not_the_beacon"] ?? 0;
  const stranger = world.net.addHost("stranger", { ip: "203.0.113.77" }).open(9001);
  stranger.send({ host: agent.host.ip, port: 4000 }, Uint8Array.of(2, 4, 1, 2, 3, 4, 0, 80));
  stranger.send({ host: agent.host.ip, port: 4000 }, encodeUtf8("\u0006aaaaPILS"));
  world.net.run(100);
  assertEquals(agent.node.tunnels.stats.drops()["not_the_beacon"], before + 2);
  assert(agent.node.beacon.reflexives.every(({ endpoint }) => endpoint.host === agent.host.ip));
});

Deno.test("two agents at different beacons of a mesh punch through and go direct", () => {
  for (let seed = 81; seed <= 83; seed++) {
    const world = new World({ seed, beacons: 2 });
    const [first, second] = world.beacons;
    assert(first !== undefined && second !== undefined);
    const agent = (name: string, ip: string, beacon: Endpoint) => {
      const nat = world.net.addNat(`nat-${name}`, { ip, ...NAT_CLASSES.portRestricted });
      return world.addAgent(name, { ip: "10.0.0.2", nat, port: 4_000, beacons: [beacon] });
    };
    const a = agent("agent-a", "198.51.100.1", first);
    const b = agent("agent-b", "198.51.100.2", second);
    world.net.run(12_000);
    world.befriend(a, b);
    b.act((node) => node.ports.listen(PORT));
    assert(typeof a.connect(b, PORT, 15_000) === "number", `seed ${seed}`);
    const direct = () => a.node.tunnels.peer(b.id)?.paths.isDirect === true;
    assert(world.net.runUntil(direct, 5_000), `seed ${seed}: not direct`);
    const punches = world.sites.map(({ beacon }) => beacon.stats.punchesForwarded);
    assert(punches.some((count) => count > 0), `seed ${seed}: no punch crossed the mesh`);
  }
});
