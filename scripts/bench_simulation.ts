/** What the simulated internet of the tests costs: how long a developer waits for a world. */

import { World } from "../tests/sim/world.ts";

const PORT = 1000;
const TEXT = new TextEncoder().encode("hello from the other side");

/** Calls of a worker about the simulation. */
export const simulationMethods = {
  /** Builds a world of two agents that trust each other and sends a message; real milliseconds for each world. */
  simulate({ count }: { count: number }): Promise<number[]> {
    const samples: number[] = [];
    for (let seed = 1; seed <= count; seed++) {
      const start = performance.now();
      const world = new World({ seed });
      const a = world.addAgent("agent-a");
      const b = world.addAgent("agent-b");
      world.befriend(a, b);
      b.act((node) => node.ports.listen(PORT));
      const id = a.connect(b, PORT);
      if (typeof id === "string") throw new Error(`no stream: ${id}`);
      a.write(id, TEXT);
      const arrived = () => b.received(b.accepted(PORT)[0] ?? 0).length === TEXT.length;
      if (!world.net.runUntil(arrived, 10_000)) throw new Error("no message");
      samples.push(performance.now() - start);
    }
    return Promise.resolve(samples);
  },
};
