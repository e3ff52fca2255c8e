/**
 * A pilot network of real processes on this computer: registry, beacon, and any number of computers with an agent,
 * each with its own home and socket. Everything lies below one temporary folder and goes with it.
 */

import { assert, assertEquals } from "../assert.ts";
import { at, listAt, processesNaming, Program, type Result, until } from "./process.ts";

/** Why a command was refused, as `--json` tells it. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** What to have running when the story begins. */
export interface Setting {
  /** Names of computers whose agents run, in the foreground, with that name as hostname. */
  readonly agents?: readonly string[];
  /** Of each of these pairs both trust the other. */
  readonly friends?: readonly (readonly [string, string])[];
  /** Whether registry and beacon run; they do by default. */
  readonly infrastructure?: boolean;
}

/**
 * Runs `story` in a new network and takes the network down, however the story ends. When it fails, everything that
 * the processes printed goes to standard error.
 */
export async function inNetwork(setting: Setting, story: (network: Network) => Promise<void>): Promise<void> {
  const network = await Network.create();
  try {
    if (setting.infrastructure !== false) await network.startInfrastructure();
    await Promise.all((setting.agents ?? []).map((name) => network.computer(name).start()));
    for (const [a, b] of setting.friends ?? []) {
      await befriend(network.computer(a), network.computer(b));
    }
    await story(network);
  } catch (error) {
    console.error(network.logs());
    throw error;
  } finally {
    await network.destroy();
  }
}

/** Registry, beacon and computers. */
export class Network {
  /** Everything of this network is in here. */
  readonly folder: string;
  readonly registry: number;
  readonly beacon: number;
  readonly #programs: Program[] = [];
  readonly #computers = new Map<string, Computer>();

  private constructor(folder: string) {
    this.folder = folder;
    this.registry = freePort();
    this.beacon = freePort();
  }

  static async create(): Promise<Network> {
    // Socket paths are short; the temporary folder of some systems is not.
    return new Network(await Deno.makeTempDir({ dir: "/tmp", prefix: "pilot-e2e-" }));
  }

  /** Starts a registry, always on the same port and store, and waits until it serves. */
  async startRegistry(): Promise<Program> {
    const program = this.program(this.registryLine());
    await program.ready(/listening on/);
    return program;
  }

  /** Starts a beacon, always on the same port unless told another one, and waits until it serves. */
  async startBeacon(port = this.beacon): Promise<Program> {
    const program = this.program(["beacon", "serve", "--listen", `127.0.0.1:${port}`]);
    await program.ready(/listening on/);
    return program;
  }

  async startInfrastructure(): Promise<void> {
    await Promise.all([this.startRegistry(), this.startBeacon()]);
  }

  /** What starts the registry. */
  registryLine(): string[] {
    const store = `${this.folder}/registry.db`;
    return ["registry", "serve", "--listen", `127.0.0.1:${this.registry}`, "--store", store];
  }

  /** The computer of this name, which comes into being when it is first named. */
  computer(name: string): Computer {
    const computer = this.#computers.get(name) ?? new Computer(name, this);
    this.#computers.set(name, computer);
    return computer;
  }

  /** Starts `pilot <args>`, which ends at the latest with the network. */
  program(
    args: readonly string[],
    options: { env?: Readonly<Record<string, string>>; stdin?: Uint8Array; script?: string } = {},
  ): Program {
    const { env = { PILOT_HOME: this.folder }, ...rest } = options;
    const program = new Program({ args, env, ...rest });
    this.#programs.push(program);
    return program;
  }

  /** Everything that was printed and logged. */
  logs(): string {
    const logs = [...this.#computers.values()].map(({ home }) => `${home}/pilot.log`);
    const background = logs.flatMap((path) => {
      try {
        return [`--- ${path}\n${Deno.readTextFileSync(path)}`];
      } catch {
        return [];
      }
    });
    return [...this.#programs.map((program) => program.log), ...background].join("\n");
  }

  /** Kills what still runs, and removes the folder. */
  async destroy(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    // Agents in the background are nobody's children.
    for (const pid of this.processes()) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // Gone already.
      }
    }
    await until("all processes of the network are gone", () => this.processes().length === 0);
    await Deno.remove(this.folder, { recursive: true });
  }

  /** The processes of this network that run. */
  processes(): number[] {
    return processesNaming(this.folder);
  }
}

/** A computer with room for one agent: what a person there types, and what comes back. */
export class Computer {
  readonly name: string;
  readonly home: string;
  readonly socket: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #network: Network;
  #agent: Program | undefined;

  constructor(name: string, network: Network) {
    this.name = name;
    this.#network = network;
    this.home = `${network.folder}/${name}`;
    this.socket = `${this.home}/pilot.sock`;
    this.env = {
      PILOT_HOME: this.home,
      PILOT_REGISTRY: `127.0.0.1:${network.registry}`,
      PILOT_BEACON: `127.0.0.1:${network.beacon}`,
    };
  }

  /** The agent that {@link start} started last. */
  get agent(): Program {
    assert(this.#agent !== undefined, "no agent was started here");
    return this.#agent;
  }

  /** The command line of {@link start}. */
  startLine(...flags: readonly string[]): string[] {
    const name = flags.includes("--hostname") ? [] : ["--hostname", this.name];
    const listen = flags.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
    return ["agent", "start", ...listen, ...name, ...flags];
  }

  /** Starts the agent in the foreground and resolves with what it tells once it is ready. */
  async start(...flags: readonly string[]): Promise<unknown> {
    this.#agent = this.spawn([...this.startLine(...flags), "--foreground", "--json"]);
    const [line] = await this.#agent.ready(/^.*\n/);
    return at(JSON.parse(line), "data");
  }

  /** Starts a command here without waiting for its end. */
  spawn(args: readonly string[], options: { stdin?: Uint8Array } = {}): Program {
    return this.#network.program(args, { env: this.env, ...options });
  }

  /** Runs a command here to its end. */
  async pilot(args: readonly string[], options: { stdin?: Uint8Array } = {}): Promise<Result> {
    return await this.spawn(args, options).finished();
  }

  /** Runs a command that works: its data. */
  async data(args: readonly string[], options: { stdin?: Uint8Array } = {}): Promise<unknown> {
    const { code, stderr, json } = await this.pilot([...args, "--json"], options);
    assertEquals([code, at(json, "status")], [0, "ok"], `${this.name}$ pilot ${args.join(" ")}: ${stderr}`);
    return at(json, "data");
  }

  /** Runs a command that does not work: what it says about that. */
  async refused(args: readonly string[]): Promise<Refusal> {
    const { code, stdout, stderr, json } = await this.pilot([...args, "--json"]);
    const context = `${this.name}$ pilot ${args.join(" ")}: ${stdout}${stderr}`;
    assertEquals([code, stdout, at(json, "status")], [1, "", "error"], context);
    return {
      code: String(at(json, "code")),
      message: String(at(json, "message")),
      hint: String(at(json, "hint") ?? ""),
    };
  }

  /** Sends a message and asserts that the peer acknowledges it. */
  async send(peer: string, message: string): Promise<void> {
    const data = await this.data(["connect", peer, "--message", message]);
    const { length } = new TextEncoder().encode(message);
    assertEquals(at(data, "ack"), `ACK TEXT ${length} bytes`);
  }

  /** The texts in the inbox, the oldest first. */
  async inbox(): Promise<unknown[]> {
    return listAt(await this.data(["inbox"]), "messages").map((message) => at(message, "data"));
  }

  /** The nodes that are trusted. */
  async trusted(): Promise<unknown[]> {
    return listAt(await this.data(["trust", "list"]), "trusted").map((peer) => at(peer, "node_id"));
  }

  /** The nodes whose requests wait. */
  async pending(): Promise<unknown[]> {
    return listAt(await this.data(["trust", "pending"]), "pending").map((request) => at(request, "node_id"));
  }

  /** The number of the agent. */
  async node(): Promise<number> {
    return Number(at(await this.data(["info"]), "node_id"));
  }
}

/** Makes two agents trust each other. */
export async function befriend(a: Computer, b: Computer): Promise<void> {
  await a.data(["trust", "add", b.name]);
  await b.data(["trust", "add", a.name, "--wait", "30s"]);
  const [nodeA, nodeB] = [await a.node(), await b.node()];
  await until(`${a.name} and ${b.name} trust each other`, async () => {
    return (await a.trusted()).includes(nodeB) && (await b.trusted()).includes(nodeA);
  });
}

/**
 * A port that nobody uses for TCP or UDP. It is below the range from which the system takes ports by itself, so that
 * it stays free while nobody listens.
 */
export function freePort(): number {
  for (;;) {
    const port = 10_000 + (crypto.getRandomValues(new Uint16Array(1))[0] ?? 0) % 20_000;
    try {
      Deno.listen({ hostname: "0.0.0.0", port }).close();
      Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
