/**
 * Three network namespaces: one in the middle for registry, beacon and the bad network, and one for each agent, which
 * reaches the middle and nothing else. Agents know each other's own addresses, and would take the short way wherever
 * there is one.
 */

import { run } from "../tests/nat/shell.ts";
import type { AgentName, Place } from "./demo_world.ts";

/** Address of everything in the middle, the agents' subnets in the middle, and their hosts. */
const MIDDLE = "10.99.0.1";
const SUBNETS: Readonly<Record<AgentName, string>> = { "agent-a": "10.99.1", "agent-b": "10.99.2" };

/** Namespaces of one run. */
export class SoakNetwork implements Place {
  readonly host = MIDDLE;
  readonly listen = "0.0.0.0:0";
  readonly #prefix = `pilot-soak-${Deno.pid}`;
  readonly #made: string[] = [];

  private constructor() {}

  /** Makes the namespaces. @throws Error on systems that have none, without root and without `ip` */
  static async create(): Promise<SoakNetwork> {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
      throw new Error("a soak needs Linux and root: its agents live in network namespaces of their own");
    }
    const network = new SoakNetwork();
    try {
      const middle = await network.#add("middle");
      await ip(["-n", middle, "address", "add", `${MIDDLE}/32`, "dev", "lo"]);
      // Nothing passes through the middle but what the bad network passes on.
      await run([...network.enter("middle"), "sysctl", "-q", "-w", "net.ipv4.ip_forward=0"]);
      for (const [name, subnet] of Object.entries(SUBNETS)) await network.#join(name, subnet);
      return network;
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  enter(name: AgentName | "middle"): readonly string[] {
    return ["ip", "netns", "exec", `${this.#prefix}-${name}`];
  }

  /** Removes the namespaces; the last process in them ends them. */
  async remove(): Promise<void> {
    for (const name of this.#made.splice(0)) await ip(["netns", "delete", name]);
  }

  async #add(name: string): Promise<string> {
    const full = `${this.#prefix}-${name}`;
    await ip(["netns", "add", full]);
    this.#made.push(full);
    await ip(["-n", full, "link", "set", "lo", "up"]);
    return full;
  }

  async #join(name: string, subnet: string): Promise<void> {
    const own = await this.#add(name);
    const middle = `${this.#prefix}-middle`;
    await ip(["-n", own, "link", "add", "out", "type", "veth", "peer", "name", name, "netns", middle]);
    for (const [namespace, device, host] of [[own, "out", 2], [middle, name, 1]] as const) {
      await ip(["-n", namespace, "address", "add", `${subnet}.${host}/24`, "dev", device]);
      await ip(["-n", namespace, "link", "set", device, "up"]);
    }
    await ip(["-n", own, "route", "add", "default", "via", `${subnet}.1`]);
  }
}

async function ip(words: readonly string[]): Promise<void> {
  await run(["ip", ...words]);
}
