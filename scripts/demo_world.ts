/**
 * A whole pilot network on this computer, in separate processes: a registry, a beacon and two agents. Every agent has
 * its own home and socket; everything lies below one temporary folder and goes with it.
 */

import { type Finished, type ProcessOptions, runPilot, Server, type Variables } from "./demo_process.ts";

/** The two agents. */
export type AgentName = "agent-a" | "agent-b";

/** A process that runs: its arguments, and what it printed until it was ready. */
export interface Started {
  readonly args: readonly string[];
  readonly printed: string;
}

/** Where the processes run. */
export interface Place {
  /** The address of registry and beacon, and the endpoint where agents listen. */
  readonly host: string;
  readonly listen: string;
  /** The words before a command line that bring a process there: an agent, or what all of them use. */
  enter(name: AgentName | "middle"): readonly string[];
}

const LOOPBACK: Place = { host: "127.0.0.1", listen: "127.0.0.1:0", enter: () => [] };

/** What a registry and a beacon print when they are ready. */
const LISTENING = /listening on (\S+:\d+)\n/;

/** The user wants it to end. */
export class Interrupted extends Error {}

/** Longest life of a world, in milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * Runs `story` in an empty world and takes the world down, however the story ends; Ctrl-C ends it early.
 *
 * When it fails, the last words of every process go to standard error.
 * @throws Interrupted at Ctrl-C, else what `story` throws
 */
export async function inWorld<Result>(story: (world: World) => Promise<Result>): Promise<Result> {
  const ending = new AbortController();
  const interrupt = () => ending.abort(new Interrupted("interrupted"));
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, interrupt);
  const patience = setTimeout(() => ending.abort(new Error("it took too long")), PATIENCE_MS);
  const world = await World.create(ending.signal);
  let outcome: { readonly result: Result } | { readonly error: unknown };
  try {
    outcome = { result: await story(world) };
  } catch (error) {
    outcome = { error };
  }
  try {
    clearTimeout(patience);
    await world.stop();
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, interrupt);
  }
  // Ctrl-C ends the processes of the world, too: that they are gone may be noticed before our own signal.
  if (ending.signal.reason instanceof Interrupted) throw ending.signal.reason;
  if ("result" in outcome) return outcome.result;
  console.error(`\n${world.logs}`);
  throw outcome.error;
}

/** Registry, beacon, two agents and the folder they live in. Stop it, whatever happens. */
export class World {
  readonly folder: string;
  /** Arguments for the runtime of the agents to come. */
  runtime: readonly string[] = [];
  readonly #servers: Server[] = [];
  readonly #signal: AbortSignal;
  readonly #place: Place;
  #registry = "";
  #beacon = "";

  private constructor(folder: string, signal: AbortSignal, place: Place) {
    this.folder = folder;
    this.#signal = signal;
    this.#place = place;
  }

  /** An empty world. Everything in it gives up when `signal` fires. */
  static async create(signal: AbortSignal, place = LOOPBACK): Promise<World> {
    return new World(await Deno.makeTempDir({ prefix: "pilot-demo-" }), signal, place);
  }

  /** Starts registry and beacon, for the agents to come; returns what was typed and printed. */
  async startInfrastructure(): Promise<Started[]> {
    const listen = ["--listen", `${this.#place.host}:0`];
    const registry = ["registry", "serve", ...listen, "--store", `${this.folder}/registry.db`];
    const beacon = ["beacon", "serve", ...listen];
    const started = await Promise.all([this.#startServer(registry), this.#startServer(beacon)]);
    const [first, second] = started.map(({ printed }) => LISTENING.exec(printed)?.[1] ?? "");
    this.#registry = first ?? "";
    this.#beacon = second ?? "";
    return started;
  }

  /** Starts an agent and returns what was typed and printed once it was ready. */
  async startAgent(name: AgentName): Promise<Started> {
    const args = ["agent", "start", "--foreground", "--listen", this.#place.listen, "--hostname", name];
    const enter = this.#place.enter(name);
    const server = this.#start(name, { args, env: this.environment(name), runtime: this.runtime, enter });
    return { args, printed: await server.ready(/^\s*pid \d+$/m, this.#signal) };
  }

  /** What lets a person at this agent's computer type short lines. */
  environment(name: AgentName): Variables {
    return {
      PILOT_HOME: `${this.folder}/${name}`,
      PILOT_SOCKET: `${this.folder}/${name}.sock`,
      PILOT_REGISTRY: this.#registry,
      PILOT_BEACON: this.#beacon,
    };
  }

  /** Runs a command at an agent's computer to its end. */
  async pilot(name: AgentName, args: readonly string[]): Promise<Finished> {
    return await runPilot(args, { env: this.environment(name), signal: this.#signal });
  }

  /** As `pilot` with `--json`: the data of the answer. @throws Error when the command fails */
  async query(name: AgentName, args: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const { code, stdout, stderr } = await this.pilot(name, [...args, "--json"]);
    if (code !== 0) throw new Error(`pilot ${args.join(" ")} failed: ${stderr.trim()}`);
    return envelopeData(stdout);
  }

  /** Asks until `test` likes the answer. @throws Error when it does not within 5 seconds */
  async until(
    name: AgentName,
    question: { args: readonly string[]; test: (data: ReadonlyMap<string, unknown>) => boolean },
  ): Promise<void> {
    const deadline = performance.now() + 5_000;
    while (!question.test(await this.query(name, question.args))) {
      if (performance.now() > deadline) throw new Error(`pilot ${question.args.join(" ")}: nothing came`);
    }
  }

  /** The last words of every process. */
  get logs(): string {
    return this.#servers.map((server) => `--- ${server.name}\n${server.log}`).join("\n");
  }

  /** Stops everything that was started and removes the folder. */
  async stop(): Promise<void> {
    // The agents, started last, go first: they may want to take their leave of the others.
    try {
      await Promise.all(this.#servers.slice(2).map((server) => server.stop()));
    } finally {
      await Promise.all(this.#servers.slice(0, 2).map((server) => server.stop()));
      await Deno.remove(this.folder, { recursive: true });
    }
  }

  #start(name: string, options: ProcessOptions): Server {
    const server = new Server(name, options);
    this.#servers.push(server);
    return server;
  }

  async #startServer(args: readonly string[]): Promise<Started> {
    const enter = this.#place.enter("middle");
    const server = this.#start(args[0] ?? "", { args, env: { PILOT_HOME: this.folder }, enter });
    return { args, printed: await server.ready(LISTENING, this.#signal) };
  }
}

function envelopeData(line: string): ReadonlyMap<string, unknown> {
  const envelope: unknown = JSON.parse(line.split("\n", 1)[0] ?? "");
  if (typeof envelope === "object" && envelope !== null && "data" in envelope) {
    const { data } = envelope;
    if (typeof data === "object" && data !== null) return new Map(Object.entries(data));
  }
  throw new Error(`not an answer: ${line}`);
}

/** The length of a list in an answer, 0 when it has none of this name. */
export function count(data: ReadonlyMap<string, unknown>, list: string): number {
  const value = data.get(list);
  return Array.isArray(value) ? value.length : 0;
}
