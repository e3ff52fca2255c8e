import { assert, assertEquals } from "../assert.ts";
import {
  type Dependence,
  type NatBehaviour,
  natType,
  type PortAssignment,
} from "../../lib/core/nat/behaviour.ts";
import { formatEndpoint } from "../../lib/wire/endpoint.ts";
import { encodeExamine, encodeExamineReply, ExamineType } from "../../lib/wire/examine.ts";
import type { NatOptions } from "./net.ts";
import type { SimAgent } from "./agent.ts";
import { World } from "./world.ts";

const EIM = "endpoint-independent";
const ADM = "address-dependent";
const APDM = "address-and-port-dependent";
const DEPENDENCES: readonly Dependence[] = [EIM, ADM, APDM];
const PORTS = ["preserve", "sequential", "random"] as const;
const SEEDS = 4;

/** What the simulator calls a NAT, and what an examination is to find. */
interface Case {
  readonly nat: Omit<NatOptions, "ip">;
  readonly ports: PortAssignment;
}

function cases(): Case[] {
  const ports = { preserve: "preserving", sequential: "sequential", random: "random" } as const;
  return DEPENDENCES.flatMap((mapping) =>
    DEPENDENCES.flatMap((filtering) =>
      PORTS.map((each): Case => ({ nat: { mapping, filtering, ports: each }, ports: ports[each] }))
    )
  );
}

/** The agent after its examination. */
function examined(world: World, agent: SimAgent): NatBehaviour {
  const isDone = () => agent.node.examiner.state === "done" || agent.node.examiner.state === "silent";
  world.net.runUntil(isDone, 15_000);
  return agent.node.nat;
}

function behind(world: World, nat: Omit<NatOptions, "ip">): SimAgent {
  const box = world.net.addNat("nat", { ip: "198.51.100.1", ...nat });
  return world.addAgent("inside", { ip: "192.168.1.2", nat: box });
}

/** What one beacon with two addresses can find out. */
function truth({ nat, ports }: Case, hairpin: boolean | undefined = undefined): NatBehaviour {
  const { mapping = EIM, filtering = EIM } = nat;
  const canTell = mapping === EIM || filtering === EIM;
  return {
    isTranslated: true,
    mapping,
    filtering,
    ports,
    ...(ports === "sequential" ? { portStep: 1 } : {}),
    ...(canTell ? { hairpin: hairpin ?? false } : {}),
  };
}

/** What one address can find out: whether ports count, not whether addresses do. */
function bound(full: NatBehaviour): NatBehaviour {
  const { mapping, filtering, hairpin: _, ...rest } = full;
  const found: NatBehaviour = {
    ...rest,
    ...(mapping === APDM ? { mapping } : { mapping: EIM, mappingIsPresumed: true }),
    ...(filtering === APDM ? { filtering } : { filtering: ADM, filteringIsBound: true }),
  };
  return found.mapping === EIM ? { ...found, hairpin: false } : found;
}

Deno.test("examine: every kind of NAT is recognized, with two addresses of the beacon", () => {
  for (const each of cases()) {
    for (const loss of [0, 0.05]) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const world = new World({ seed, beaconAddresses: 2, link: { delayMs: 5, loss } });
        const agent = behind(world, each.nat);
        assertEquals(
          examined(world, agent),
          truth(each),
          `seed ${seed}, loss ${loss}: ${JSON.stringify(each)}`,
        );
        assertEquals(agent.events.filter(({ type }) => type === "nat").length, 1, "told once");
      }
    }
  }
});

Deno.test("examine: one address of the beacon gives what it can, and says so", () => {
  for (const each of cases()) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World({ seed, link: { delayMs: 5, loss: 0.05 } });
      const found = examined(world, behind(world, each.nat));
      assertEquals(found, bound(truth(each)), `seed ${seed}: ${JSON.stringify(each)}`);
    }
  }
});

Deno.test("examine: hairpinning is seen whatever source the NAT shows", () => {
  for (const filtering of DEPENDENCES) {
    for (const hairpin of ["off", "external", "internal"] as const) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const world = new World({ seed, beaconAddresses: 2, link: { delayMs: 5, loss: 0.05 } });
        const found = examined(world, behind(world, { mapping: EIM, filtering, hairpin }));
        assertEquals(found.hairpin, hairpin !== "off", `seed ${seed}: ${filtering} ${hairpin}`);
      }
    }
  }
});

Deno.test("examine: of two NATs in a row the stricter one shows", () => {
  const stricter = (a: Dependence, b: Dependence) =>
    DEPENDENCES[Math.max(DEPENDENCES.indexOf(a), DEPENDENCES.indexOf(b))] ?? a;
  const looser = ["preserve", "sequential", "random"] as const;
  for (const home of DEPENDENCES) {
    for (const carrier of DEPENDENCES) {
      for (const ports of looser) {
        for (let seed = 1; seed <= SEEDS; seed++) {
          const world = new World({
            seed,
            beaconAddresses: 2,
            link: { delayMs: 5, loss: 0.05 },
          });
          const outer = world.net.addNat("carrier", {
            ip: "198.51.100.9",
            mapping: carrier,
            filtering: home,
            ports,
            hairpin: "external",
          });
          const inner = world.net.addNat("home", {
            ip: "100.64.0.1",
            nat: outer,
            mapping: home,
            filtering: carrier,
          });
          const found = examined(world, world.addAgent("inside", { ip: "192.168.1.2", nat: inner }));
          const label = `seed ${seed}: home ${home}, carrier ${carrier} ${ports}`;
          const worst = stricter(home, carrier);
          assertEquals([found.mapping, found.filtering], [worst, worst], label);
          assertEquals(found.ports, ports === "preserve" ? "preserving" : ports, label);
          if (worst === EIM) assertEquals(found.hairpin, true, label);
        }
      }
    }
  }
});

Deno.test("examine: without a NAT there may still be a firewall", () => {
  const open: NatBehaviour = { isTranslated: false, mapping: EIM, filtering: EIM, ports: "preserving" };
  for (
    const [firewall, expected, type] of [
      ["open", open, "none"],
      ["stateful", { ...open, filtering: APDM }, "port-restricted-cone"],
    ] as const
  ) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World({ seed, beaconAddresses: 2, link: { delayMs: 5, loss: 0.05 } });
      const agent = world.addAgent("outside", { firewall });
      const found = examined(world, agent);
      assertEquals(found, expected, `seed ${seed}: ${firewall}`);
      assertEquals(natType(found), type);
    }
  }
});

Deno.test("examine: with UDP blocked, or without a beacon, nothing is known and no socket stays open", () => {
  for (const seed of [1, 2, 3]) {
    const world = new World({ seed, beaconAddresses: 2 });
    const blocked = world.addAgent("blocked", { firewall: "blocked" });
    world.net.run(60_000);
    assertEquals([blocked.node.nat, blocked.node.examiner.state], [{}, "idle"], `seed ${seed}`);
    assertEquals(blocked.extraSockets, 0);
    const alone = new World({ seed, beacon: false });
    const agent = alone.addAgent("alone");
    alone.net.run(60_000);
    assertEquals([agent.node.nat, agent.node.examiner.state], [{}, "idle"], `seed ${seed}`);
  }
});

Deno.test("examine: a place of the beacon that does not answer is not taken for a filter", () => {
  for (const silent of [[1], [2, 3], [3], [1, 2, 3]]) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World({ seed, beaconAddresses: 2 });
      const places = ["203.0.113.1:9001", "203.0.113.1:9002", "203.0.113.129:9001", "203.0.113.129:9002"];
      const dead = new Set(silent.map((i) => places[i]));
      // The provider of the beacon lets neither questions in nor answers out.
      world.net.forbid(({ flight: { source, destination } }) =>
        [source, destination].some((end) => dead.has(formatEndpoint(end)))
      );
      const found = examined(world, behind(world, { mapping: EIM, filtering: EIM }));
      assertEquals(found.mapping, silent.length === 3 ? undefined : EIM, `seed ${seed}: without ${silent}`);
      // As open as it is, or a bound that says so; never a filter that is not there.
      const isHonest = found.filtering === EIM || found.filtering === undefined ||
        (found.filtering === ADM && found.filteringIsBound === true);
      assert(isHonest, `seed ${seed}: without ${silent}: ${JSON.stringify(found)}`);
    }
  }
});

Deno.test("examine: all is done within a second or so of the start", () => {
  const world = new World({ seed: 1, beaconAddresses: 2, trace: true });
  const agent = behind(world, { mapping: APDM, filtering: APDM, ports: "random" });
  world.net.run(1_300);
  assertEquals(agent.node.examiner.state, "done");
  assertEquals(agent.extraSockets, 0);
  const questions = world.net.trace.filter((line) => line.includes("| examine from")).length;
  assert(questions > 10 && questions < 40, `${questions} questions`);
});

Deno.test("examine: a NAT that restarts, and another network, are examined again, but not without a pause", () => {
  const world = new World({ seed: 1, beaconAddresses: 2 });
  const cone = world.net.addNat("cone", {
    ip: "198.51.100.1",
    mapping: EIM,
    filtering: EIM,
    ports: "random",
  });
  const symmetric = world.net.addNat("symmetric", {
    ip: "198.51.100.2",
    mapping: APDM,
    filtering: APDM,
    ports: "random",
  });
  const agent = world.addAgent("roamer", { ip: "192.168.1.2", nat: cone });
  assertEquals(natType(examined(world, agent)), "full-cone");
  agent.host.moveTo({ ip: "192.168.1.3", nat: symmetric });
  // The beacon tells within a Discover interval, the pause is over by then.
  world.net.run(25_000);
  assertEquals(agent.node.nat.mapping, undefined, "nothing of the old network is believed on the new one");
  world.net.run(25_000);
  assertEquals(natType(agent.node.nat), "symmetric");
  assertEquals(agent.node.nat.filtering, APDM);
  const before = agent.events.filter(({ type }) => type === "nat").length;
  for (let i = 0; i < 10; i++) {
    symmetric.reboot();
    world.net.run(60_000);
  }
  assertEquals(natType(agent.node.nat), "symmetric");
  assertEquals(
    agent.events.filter(({ type }) => type === "nat").length,
    before,
    "the same is not told again",
  );
});

Deno.test("examine: answers that were not asked for change nothing", () => {
  const world = new World({ seed: 1, beaconAddresses: 2 });
  const agent = world.addAgent("outside", { firewall: "open" });
  const before = examined(world, agent);
  const eve = world.net.addHost("eve", { ip: "192.0.2.200" }).open(9001);
  const token = world.random.bytes(new Uint8Array(8));
  const from = { otherAddress: false, otherPort: false };
  for (let i = 0; i < 100; i++) {
    const seen = { host: "198.51.100.77", port: 1 + i };
    eve.send(
      { host: agent.host.ip, port: 4000 },
      encodeExamineReply({ from, token, seen, otherPort: 1, other: undefined }),
    );
    eve.send({ host: agent.host.ip, port: 4000 }, encodeExamine({ from, token, port: 0 }));
  }
  world.net.run(1_000);
  assertEquals(agent.node.nat, before);
  assertEquals(agent.node.tunnels.stats.drops()["examine_unasked"], 200);
  assertEquals(eve.take(), []);
});

Deno.test("examine: a beacon that knows nothing of it leaves all open, is asked rarely, and two of them tell the mapping", () => {
  const seed = 1;
  const world = new World({ seed, trace: true });
  // What a foreign beacon does with an unknown message: nothing.
  world.net.forbid(({ to, flight }) => to === "beacon" && flight.data[0] === ExamineType.EXAMINE);
  const agent = behind(world, { mapping: APDM, filtering: APDM, ports: "random" });
  assertEquals(examined(world, agent), { isTranslated: true }, `seed ${seed}`);
  assertEquals(agent.node.examiner.state, "silent");
  assert(agent.node.beacon.isReachable);
  world.net.run(4 * 3_600_000);
  const questions = world.net.trace.filter((line) => line.includes("| examine from")).length;
  assert(questions < 20 * 20, `${questions} questions in four hours`);
  const other = { host: "203.0.113.50", port: 9001 };
  const { reflexive } = agent.node.beacon;
  assert(reflexive !== undefined);
  agent.act((node) => node.examiner.handleElsewhere(other, reflexive));
  assertEquals(agent.node.nat, { isTranslated: true, mapping: EIM });
  agent.act((node) => node.examiner.handleElsewhere(other, { ...reflexive, port: 1 }));
  assertEquals(agent.node.nat, { isTranslated: true, mapping: APDM, mappingIsPresumed: true });
});

Deno.test("examine: a second beacon tells whether addresses count, where the first has one only", () => {
  for (const [mapping, port] of [[EIM, 0], [ADM, 1]] as const) {
    const world = new World({ seed: 1 });
    const agent = behind(world, { mapping, filtering: APDM, ports: "random" });
    const found = examined(world, agent);
    assertEquals([found.mapping, found.mappingIsPresumed], [EIM, true]);
    const { reflexive } = agent.node.beacon;
    assert(reflexive !== undefined);
    const seen = { host: reflexive.host, port: reflexive.port + port };
    agent.act((node) => node.examiner.handleElsewhere({ host: "203.0.113.50", port: 9001 }, seen));
    const { mapping: now, mappingIsPresumed } = agent.node.nat;
    assertEquals([now, mappingIsPresumed], [mapping, undefined]);
  }
});

Deno.test("examine: what is known is looked at again every half an hour or so", () => {
  const world = new World({ seed: 1, beaconAddresses: 2, trace: true });
  const agent = world.addAgent("outside");
  examined(world, agent);
  world.net.run(10 * 1_800_000);
  const starts: number[] = [];
  for (const line of world.net.trace.filter((line) => line.includes("| examine from"))) {
    const at = Number(line.trim().split(" ")[0]);
    if (at - (starts.at(-1) ?? -Infinity) > 10_000) starts.push(at);
  }
  assert(starts.length >= 10 && starts.length <= 12, `${starts}`);
  const gaps = starts.slice(1).map((at, i) => at - (starts[i] ?? 0));
  assert(gaps.every((gap) => gap >= 0.9 * 1_800_000 - 1 && gap <= 1.1 * 1_800_000 + 5_000), `${gaps}`);
  assert(new Set(gaps.map(Math.round)).size > 5, "not all agents at the same time");
});
