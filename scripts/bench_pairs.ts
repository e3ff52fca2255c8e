/** What is measured: two programs that embed a node each, or two agents with a program at each socket. */

import { Worker } from "./bench_process.ts";
import type { Bench } from "./bench_run.ts";
import { type AgentName, count, type Place, World } from "./demo_world.ts";

/** Two ends of a tunnel that is up. */
export interface Pair {
  /** The programs that send and receive. */
  readonly sender: Worker;
  readonly receiver: Worker;
  /** Node number of the receiver. */
  readonly peer: number;
  /** The processes that carry the bytes, in their order. */
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

const NODES = { sender: 1, receiver: 2 } as const;

/**
 * Datagrams of a real path, bytes of UDP payload: every IPv6 path carries packets of 1,280 bytes (RFC 8200), less the
 * 28 bytes of the IPv4 and UDP headers that are used here.
 */
export const REAL_PATH = 1_252;

/** How a pair is made. */
export interface PairOptions {
  /** Longest datagram between the two; without it they find out what the path carries. */
  readonly maxDatagram?: number;
  /** Arguments for the runtime of the processes that are measured. */
  readonly runtime?: readonly string[];
}

/** Two processes, a node in each. They know and trust each other from the start, so no registry is needed. */
export async function embeddedPair(bench: Bench, options: PairOptions = {}): Promise<Pair> {
  const { runtime, ...held } = options;
  const sender = Worker.start("embedded sender", bench, runtime);
  const receiver = Worker.start("embedded receiver", bench, runtime);
  const keys = await Promise.all([sender.call("identity", null), receiver.call("identity", null)]);
  const near = await sender.call("openEmbedded", {
    node: NODES.sender,
    peer: NODES.receiver,
    peerKey: keys[1].publicKey,
    ...held,
  });
  const far = await receiver.call("openEmbedded", {
    node: NODES.receiver,
    peer: NODES.sender,
    peerKey: keys[0].publicKey,
    ...held,
  });
  await receiver.call("serve", null);
  await sender.call("introduce", { peer: NODES.receiver, port: far.port });
  await receiver.call("introduce", { peer: NODES.sender, port: near.port });
  const pair = { sender, receiver, peer: NODES.receiver };
  await warmUp(pair);
  return {
    ...pair,
    processes: [{ name: "sender", pid: sender.pid }, { name: "receiver", pid: receiver.pid }],
  };
}

/** Two agents that trust each other. */
export interface Agents {
  /** Process numbers and local sockets, in the order of the names. */
  readonly pids: readonly [number, number];
  readonly sockets: readonly [string, string];
}

/**
 * Registry, beacon and two agents that trust each other, in separate processes, at `place`. `bridge` may put something
 * between the agents and the beacon: it is given the beacon's port and returns the one to use.
 */
export async function startAgents(
  bench: Pick<Bench, "signal" | "defer">,
  options: PairOptions & { readonly place?: Place; readonly bridge?: (port: number) => Promise<number> } = {},
): Promise<Agents> {
  const world = await World.create(bench.signal, options.place);
  bench.defer(() => world.stop());
  world.runtime = options.runtime ?? [];
  await world.startInfrastructure();
  const environment = world.environment.bind(world);
  const [host = "", beacon = ""] = (environment("agent-a")["PILOT_BEACON"] ?? "").split(":");
  const { bridge, maxDatagram } = options;
  const changed = {
    ...(bridge === undefined ? {} : { PILOT_BEACON: `${host}:${await bridge(Number(beacon))}` }),
    ...(maxDatagram === undefined ? {} : { PILOT_MAX_DATAGRAM: String(maxDatagram) }),
  };
  world.environment = (name) => ({ ...environment(name), ...changed });
  const start = async (name: AgentName) =>
    Number(/^\s*pid (\d+)$/m.exec((await world.startAgent(name)).printed)?.[1]);
  const pids = await Promise.all([start("agent-a"), start("agent-b")]);
  await befriend(world);
  const socket = (name: AgentName) => world.environment(name)["PILOT_SOCKET"] ?? "";
  return { pids, sockets: [socket("agent-a"), socket("agent-b")] };
}

/** Two agents, and a program connected to each. */
export async function agentPair(bench: Bench, options: PairOptions = {}): Promise<Pair> {
  const { pids, sockets } = await startAgents(bench, options);
  const sender = Worker.start("client of a", bench, options.runtime);
  const receiver = Worker.start("client of b", bench, options.runtime);
  await sender.call("openAgent", { socket: sockets[0] });
  const { node: peer } = await receiver.call("openAgent", { socket: sockets[1] });
  await receiver.call("serve", null);
  const pair = { sender, receiver, peer };
  await warmUp(pair);
  return {
    ...pair,
    processes: [
      { name: "sender's client", pid: sender.pid },
      { name: "sender's agent", pid: pids[0] },
      { name: "receiver's agent", pid: pids[1] },
      { name: "receiver's client", pid: receiver.pid },
    ],
  };
}

async function befriend(world: World): Promise<void> {
  await world.query("agent-a", ["trust", "add", "agent-b"]);
  await world.until("agent-b", { args: ["trust", "pending"], test: (data) => count(data, "pending") === 1 });
  await world.query("agent-b", ["trust", "add", "agent-a"]);
}

/** Lets the tunnel come up and the code get hot. */
async function warmUp({ sender, peer }: Pick<Pair, "sender" | "peer">): Promise<void> {
  await sender.call("ping", { peer, count: 200 });
  await sender.call("transfer", { peer, bytes: 16e6 });
}
