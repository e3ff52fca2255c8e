/** The programs of the lab: a registry, a beacon, and agents in the namespaces of an {@link Internet}. */

import { AgentClient, type ClientPeer } from "../../mod.ts";
import { at, Program } from "../e2e/process.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { Internet } from "./internet.ts";
import { runFolder } from "./namespaces.ts";

const REGISTRY_PORT = 9000;
const BEACON_PORT = 9001;
const WSS_PORT = 443;

/** What to start, with which home. */
interface Start {
  readonly script?: string;
  readonly args: readonly string[];
  readonly home: string;
}

interface LabParts {
  readonly internet: Internet;
  readonly folder: string;
  readonly certificate: Certificate;
}

/** One internet with a pilot network on it. */
export class Lab {
  readonly internet: Internet;
  /** The address of registry and beacon. */
  readonly server: string;
  readonly #folder: string;
  readonly #certificate: Certificate;
  readonly #programs: Program[] = [];
  #beacon: Program | undefined;

  private constructor({ internet, folder, certificate }: LabParts) {
    this.internet = internet;
    this.server = internet.serverAddresses[0];
    this.#folder = folder;
    this.#certificate = certificate;
  }

  /** Builds the internet and starts registry and beacon. */
  static async create(): Promise<Lab> {
    const folder = runFolder(Deno.pid);
    await Deno.mkdir(folder, { recursive: true });
    const internet = await Internet.create();
    const certificate = await makeCertificate(folder, internet.serverAddresses[0]);
    const lab = new Lab({ internet, folder, certificate });
    const registry = lab.start(lab.internet.server, {
      args: [
        "registry",
        "serve",
        "--listen",
        `${lab.server}:${REGISTRY_PORT}`,
        "--store",
        `${folder}/registry.db`,
      ],
      home: `${folder}/registry`,
    });
    await registry.ready(/listening on/);
    await lab.startBeacon();
    return lab;
  }

  /** Starts the beacon, always at the same place, and waits until it serves. */
  async startBeacon(): Promise<void> {
    const { certificate, key } = this.#certificate;
    this.#beacon = this.start(this.internet.server, {
      args: [
        ...["beacon", "serve"],
        ...this.internet.serverAddresses.flatMap((address) => ["--listen", `${address}:${BEACON_PORT}`]),
        ...["--registry", `${this.server}:${REGISTRY_PORT}`],
        ...["--wss", `${this.server}:${WSS_PORT}`, "--tls-cert", certificate, "--tls-key", key],
      ],
      home: `${this.#folder}/beacon`,
    });
    await this.#beacon.ready(/listening on/);
  }

  /** Kills the beacon. */
  async killBeacon(): Promise<void> {
    await this.#beacon?.kill();
  }

  /**
   * Lets the beacon forget all agents; none should run. It keeps the last two places of an agent for more than a
   * minute, which a cold start is not to find.
   */
  async forgetWhereabouts(): Promise<void> {
    await this.killBeacon();
    await this.startBeacon();
  }

  /** An agent, not started yet, for a namespace. */
  agent(name: string, host: string): LabAgent {
    return new LabAgent(name, { host, home: `${this.#folder}/${name}`, lab: this });
  }

  /** How an agent finds registry and beacon. */
  get places(): readonly string[] {
    return [
      ...["--registry", `${this.server}:${REGISTRY_PORT}`, "--beacon", `${this.server}:${BEACON_PORT}`],
      ...["--tls-ca", this.#certificate.authority],
    ];
  }

  /** Starts `pilot <args>`, or another script, in a namespace. It ends with the lab at the latest. */
  start(host: string, { home, ...what }: Start): Program {
    const program = new Program({
      through: ["ip", "netns", "exec", host],
      ...what,
      env: { PILOT_HOME: home, PILOT_SOCKET: `${home}/pilot.sock` },
    });
    this.#programs.push(program);
    return program;
  }

  /** What beacon and registry printed. */
  get log(): string {
    return this.#programs.filter(({ name }) => name.includes(" serve ")).map(({ log }) => log).join(
      "\n",
    );
  }

  /** Kills every program. */
  async end(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
  }
}

/** An agent of the lab, and a client of it. It keeps its identity and its trust when it is started again. */
export class LabAgent {
  readonly name: string;
  readonly #host: string;
  readonly #home: string;
  readonly #lab: Lab;
  readonly #logs: Program[] = [];
  #node = 0;
  #client: AgentClient | undefined;

  constructor(name: string, { host, home, lab }: { host: string; home: string; lab: Lab }) {
    this.name = name;
    this.#host = host;
    this.#home = home;
    this.#lab = lab;
  }

  /** Starts it, and waits until it is ready and registered. */
  async start(): Promise<void> {
    await Deno.mkdir(this.#home, { recursive: true });
    const program = this.#lab.start(this.#host, {
      args: ["agent", "start", "--foreground", "--json", "--hostname", this.name, ...this.#lab.places],
      home: this.#home,
    });
    this.#logs.push(program);
    const [line] = await program.ready(/^.*\n/);
    const data = at(JSON.parse(line), "data");
    this.#node = Number(at(data, "node_id"));
    if (at(data, "registered") !== true) throw new Error(`${this.name} is not registered: ${line}`);
    this.#client = await AgentClient.connect({ socket: `${this.#home}/pilot.sock` });
  }

  /** Ends it in order, or with SIGKILL. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    this.#client?.close();
    this.#client = undefined;
    const program = this.#logs.at(-1);
    if (signal === "SIGKILL") await program?.kill();
    else await program?.end();
  }

  /** Whether it was started and not stopped. */
  get isUp(): boolean {
    return this.#client !== undefined;
  }

  /** Its number; 0 before the first start. */
  get node(): number {
    return this.#node;
  }

  /** What it answers to a program on its host. */
  get client(): AgentClient {
    if (this.#client === undefined) throw new Error(`${this.name} does not run`);
    return this.#client;
  }

  /** What it tells about its tunnel to a peer, `undefined` when it has none. */
  async peer(other: LabAgent): Promise<ClientPeer | undefined> {
    const { peer_list } = await this.client.info();
    return peer_list.find(({ node_id }) => node_id === other.node);
  }

  /** What it printed, in all its lives. */
  get log(): string {
    return this.#logs.map((program) => `${this.name}: ${program.log}`).join("\n");
  }
}

/** Longest wait for two agents to trust each other, milliseconds. */
const TRUST_MS = 60_000;

/** Makes two agents trust each other: each asks for it, in whatever way they can talk. */
export async function befriend(a: LabAgent, b: LabAgent): Promise<void> {
  await a.client.handshake(b.node);
  await b.client.handshake(a.node);
  const [aTrusts, bTrusts] = await Promise.all([
    a.client.waitForTrust(b.node, TRUST_MS),
    b.client.waitForTrust(a.node, TRUST_MS),
  ]);
  if (!aTrusts || !bTrusts) throw new Error(`${a.name} and ${b.name} do not come to trust each other`);
}
