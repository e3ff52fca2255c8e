import { assert, assertEquals } from "../assert.ts";
import type { NatOptions } from "./net.ts";
import type { SimAgent } from "./agent.ts";
import { World } from "./world.ts";

/** An agent behind a NAT, after everything has been found out. */
function searched(nat: Omit<NatOptions, "ip">, options: { seed: number; loss?: number }): [World, SimAgent] {
  const { seed, loss = 0 } = options;
  const world = new World({ seed, link: { delayMs: 5, loss }, trace: true });
  const box = world.net.addNat("nat", { ip: "198.51.100.1", ...nat });
  const agent = world.addAgent("inside", { ip: "192.168.1.2", nat: box });
  world.net.runUntil(() => agent.node.nat.lifetimeMs !== undefined, 3_600_000);
  return [world, agent];
}

Deno.test("lifetime: how long a NAT keeps a mapping is found out, and keep-alives follow", () => {
  for (const mapping of ["endpoint-independent", "address-and-port-dependent"] as const) {
    for (
      const [idleMs, keepAlive] of [[15_000, 12_000], [22_000, 17_600], [30_000, 24_000], [
        180_000,
        25_000,
      ]] as const
    ) {
      for (const seed of [1, 2, 3]) {
        const [, agent] = searched({ mapping, filtering: mapping, ports: "random", idleMs }, { seed });
        const { lifetimeMs = 0 } = agent.node.nat;
        const label = `seed ${seed}: ${mapping} ${idleMs} gives ${lifetimeMs}`;
        assert(lifetimeMs < idleMs && lifetimeMs > 0.7 * idleMs, label);
        assert(agent.node.examiner.keepAliveMs <= keepAlive, label);
        assertEquals(agent.extraSockets, 0, label);
      }
    }
  }
});

Deno.test("lifetime: losses do not make a mapping look longer-lived, and rarely shorter", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const [, agent] = searched({ ports: "random", idleMs: 60_000 }, { seed, loss: 0.05 });
    const { lifetimeMs = 0 } = agent.node.nat;
    assert(lifetimeMs < 60_000 && lifetimeMs > 30_000, `seed ${seed}: ${lifetimeMs}`);
  }
});

Deno.test("lifetime: it is looked for gently", () => {
  const [world, agent] = searched({ ports: "random", idleMs: 40_000 }, { seed: 1 });
  const times = world.net.trace.filter((line) => line.includes("| examine from"))
    .map((line) => Number(line.trim().split(" ")[0])).filter((at) => at > 5_000);
  assert(agent.node.nat.lifetimeMs !== undefined && times.length > 6);
  for (const [i, at] of times.entries()) assert(i === 0 || at - (times[i - 1] ?? 0) >= 9_999, `${times}`);
});

Deno.test("lifetime: an agent behind a NAT that forgets after 12 s stays reachable", () => {
  const world = new World({ seed: 1 });
  const box = world.net.addNat("nat", { ip: "198.51.100.1", ports: "random", idleMs: 12_000 });
  const inside = world.addAgent("inside", { ip: "192.168.1.2", nat: box, isPublic: true });
  const outside = world.addAgent("outside");
  inside.act((node) => node.ports.listen(7));
  world.net.run(600_000);
  assert(inside.node.examiner.keepAliveMs <= 9_600);
  // In the middle of its silence the beacon's datagrams find the way in.
  for (let i = 0; i < 5; i++) {
    world.net.run(8_000);
    assert(typeof outside.connect(inside, 7) === "number", `attempt ${i}`);
  }
});

Deno.test("lifetime: without a NAT or a firewall there is nothing to look for", () => {
  const world = new World({ seed: 1, beaconAddresses: 2 });
  const agent = world.addAgent("outside");
  world.net.run(600_000);
  assertEquals([agent.node.nat.lifetimeMs, agent.extraSockets], [undefined, 0]);
});
