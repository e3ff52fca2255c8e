import { assertEquals } from "../assert.ts";
import type { Dependence, NatBehaviour, PortAssignment } from "../../lib/core/nat/behaviour.ts";
import type { NatOptions } from "./net.ts";
import { type SimAgent, World } from "./world.ts";

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
        const world = new World({ seed, beaconAddresses: 2, link: { delayMs: 5, loss }, trace: false });
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
      const world = new World({ seed, link: { delayMs: 5, loss: 0.05 }, trace: false });
      const found = examined(world, behind(world, each.nat));
      assertEquals(found, bound(truth(each)), `seed ${seed}: ${JSON.stringify(each)}`);
    }
  }
});
