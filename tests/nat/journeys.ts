/** What happens to a connection that lives: changes of the path, of the network, and of the programs. */

import { pause } from "../../lib/io/pause.ts";
import { measureDial, type PathName } from "./dial.ts";
import type { NetworkClass } from "./expected.ts";
import { befriend, type Lab, type LabAgent } from "./lab.ts";
import type { Station } from "./matrix.ts";
import type { Report } from "./report.ts";
import { transfer, type TransferPlan, type Transferred } from "./transfer.ts";

/** How long the events are spread over, milliseconds: long enough for the event to be in the middle. */
const SPREAD_MS = 8_000;
/** Longest silence in a transfer that counts as going on, milliseconds. The product promises less. */
const SILENCE_MS = 10_000;
/** Longest wait for a path, and for new streams after a restart, milliseconds. The product promises less. */
const PATH_MS = 30_000;
const RESTART_MS = 10_000;
/** How long the beacon is away, milliseconds. */
const BEACON_AWAY_MS = 1_000;

interface Journey {
  readonly name: string;
  /** How the two are connected. */
  readonly kind: NetworkClass;
  /** Resolves with figures. @throws Error when it does not go as it must */
  readonly run: (pair: Pair) => Promise<string>;
}

interface Pair {
  readonly lab: Lab;
  readonly a: Station;
  readonly b: Station;
  /** Bytes of a transfer. */
  readonly size: number;
}

/** Which journeys to make, and how much to send. */
export interface JourneyOptions {
  readonly size: number;
  readonly wanted: (name: string) => boolean;
}

/** Makes all wanted journeys, one after the other. */
export async function runJourneys(lab: Lab, report: Report, { size, wanted }: JourneyOptions): Promise<void> {
  const pairs = new Map<NetworkClass, { readonly a: Station; readonly b: Station }>();
  for (const { name, kind, run } of JOURNEYS.filter(({ name }) => wanted(name))) {
    const { a, b } = pairs.get(kind) ?? await makePair(lab, kind);
    pairs.set(kind, { a, b });
    const journey = async () => {
      await lab.forgetWhereabouts();
      for (const { home } of [a, b]) await home.forgetFlows();
      await Promise.all([a.agent.start(), b.agent.start()]);
      return await run({ lab, a, b, size });
    };
    try {
      await report.check(name, journey, () => [lab.log, a.agent.log, b.agent.log].join("\n"));
    } finally {
      for (const { agent } of [a, b]) if (agent.isUp) await agent.stop();
    }
  }
}

const JOURNEYS: readonly Journey[] = [
  {
    name: "two agents in one home use its network",
    kind: "portRestricted",
    run: async ({ lab, a }) => {
      const agent = lab.agent("j-neighbour", await a.home.addHost());
      try {
        await agent.start();
        await befriend(a.agent, agent);
        await Promise.all([a.agent.stop(), agent.stop()]);
        await Promise.all([a.agent.start(), agent.start()]);
        const patience = { firstMs: RESTART_MS, directMs: RESTART_MS };
        const { path, firstMs, directMs } = await measureDial(a.agent, agent, { patience });
        const endpoint = (await a.agent.peer(agent))?.endpoint ?? "";
        const figures = `first byte after ${firstMs} ms, ${path} by ${
          endpoint === "" ? "nothing" : endpoint
        }`;
        if (path !== "direct" || !endpoint.startsWith("192.168.")) throw new Error(figures);
        return `${figures}, direct after ${directMs} ms`;
      } finally {
        if (agent.isUp) await agent.stop();
      }
    },
  },
  {
    name: "a transfer begins on the relay and ends direct",
    kind: "portRestricted",
    run: async ({ lab, a, b, size }) => {
      await a.home.holdUdp({ except: lab.server });
      let path: PathName | undefined;
      const figures = await transfer(a.agent, b.agent, {
        size,
        spreadMs: 0,
        event: async () => {
          path = await pathOf(a.agent, b.agent);
          await a.home.releaseUdp();
        },
        until: async () => await pathOf(a.agent, b.agent) === "direct",
      });
      if (path !== "relay") throw new Error(`the path was ${path} to begin with`);
      return describe(figures);
    },
  },
  {
    name: "a transfer outlives the loss of the sender's mappings",
    kind: "portRestricted",
    run: (pair) => directTransfer(pair, () => pair.a.home.loseMappings()),
  },
  {
    name: "a transfer outlives the loss of the receiver's mappings",
    kind: "portRestricted",
    run: (pair) => directTransfer(pair, () => pair.b.home.loseMappings()),
  },
  {
    name: "a transfer outlives a change of the sender's address",
    kind: "portRestricted",
    run: (pair) => directTransfer(pair, () => pair.a.home.changeAddress()),
  },
  {
    name: "a transfer outlives the end of all UDP",
    kind: "portRestricted",
    run: async (pair) => {
      const { home } = pair.a;
      try {
        return await steadyTransfer(pair, { event: () => home.holdUdp(), path: "direct", then: "relay" });
      } finally {
        await home.releaseUdp();
      }
    },
  },
  {
    name: "a direct transfer outlives a restart of the beacon",
    kind: "portRestricted",
    run: (pair) => directTransfer(pair, () => restartBeacon(pair.lab)),
  },
  {
    name: "a relayed transfer outlives a restart of the beacon",
    kind: "symmetric",
    run: (pair) => steadyTransfer(pair, { event: () => restartBeacon(pair.lab), path: "relay" }),
  },
  {
    name: "an agent that was killed is reached again, and reaches others",
    kind: "portRestricted",
    run: async ({ a, b }) => {
      await connects(a, b);
      await b.agent.stop("SIGKILL");
      await b.agent.start();
      const reached = await connects(a, b);
      await a.agent.stop("SIGKILL");
      await a.agent.start();
      const reaches = await connects(a, b);
      return `first byte ${reached} ms after it is ready, ${reaches} ms when it dials itself`;
    },
  },
  {
    name: "an agent that is started again and again is reached",
    kind: "portRestricted",
    run: async ({ a, b }) => {
      const times: number[] = [];
      for (let life = 0; life < 4; life++) {
        times.push(await connects(a, b));
        await b.agent.stop();
        await b.agent.start();
      }
      return `first byte after ${times.join(", ")} ms`;
    },
  },
];

async function makePair(lab: Lab, kind: NetworkClass): Promise<{ readonly a: Station; readonly b: Station }> {
  const [a, b] = await Promise.all([station("a", 0), station("b", 1)]);
  await Promise.all([a.agent.start(), b.agent.start()]);
  await befriend(a.agent, b.agent);
  await Promise.all([a.agent.stop(), b.agent.stop()]);
  return { a, b };

  async function station(side: string, range: 0 | 1): Promise<Station> {
    const name = `j${side}-${kind.toLowerCase()}`;
    const home = await lab.internet.addHome(name, kind, range);
    return { home, agent: lab.agent(name, home.host) };
  }
}

async function restartBeacon(lab: Lab): Promise<void> {
  await lab.killBeacon();
  await pause(BEACON_AWAY_MS);
  await lab.startBeacon();
}

async function directTransfer(pair: Pair, event: TransferPlan["event"]): Promise<string> {
  return await steadyTransfer(pair, { event, path: "direct" });
}

interface Steady {
  readonly event: TransferPlan["event"];
  /** The path before the event. */
  readonly path: PathName;
  /** The path after it, when it is another. */
  readonly then?: PathName;
}

/** A transfer that is on the right path before the event, and again after it. */
async function steadyTransfer({ a, b, size }: Pair, { event, path, then = path }: Steady): Promise<string> {
  const patience = { firstMs: PATH_MS, directMs: path === "direct" ? PATH_MS : 0 };
  const before = await measureDial(a.agent, b.agent, { patience });
  if (before.path !== path) {
    throw new Error(`the path was ${before.path} to begin with ${before.problem ?? ""}`);
  }
  const figures = await transfer(a.agent, b.agent, { size, spreadMs: SPREAD_MS, event });
  const ended = performance.now();
  while (await pathOf(a.agent, b.agent) !== then) {
    if (performance.now() - ended > PATH_MS) throw new Error(`${describe(figures)}, but not ${then} then`);
    await pause(100);
  }
  if (figures.silenceMs > SILENCE_MS) throw new Error(describe(figures));
  return `${describe(figures)}, then ${then}`;
}

/** Dials: milliseconds until the first byte. @throws Error when none comes */
async function connects(from: Station, to: Station): Promise<number> {
  const patience = { firstMs: RESTART_MS, directMs: 0 };
  const { firstMs, problem } = await measureDial(from.agent, to.agent, { patience });
  if (firstMs === undefined || problem !== undefined) throw new Error(problem ?? "no byte comes back");
  return firstMs;
}

async function pathOf(from: LabAgent, to: LabAgent): Promise<PathName> {
  return (await from.peer(to))?.path ?? "none";
}

function describe({ bytes, tookMs, silenceMs }: Transferred): string {
  const megabytes = (bytes / 1e6).toFixed(1);
  return `${megabytes} MB in ${(tookMs / 1000).toFixed(1)} s, SHA-256 equal, longest silence ${silenceMs} ms`;
}
