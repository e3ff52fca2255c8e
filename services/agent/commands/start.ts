/**
 * `agent start`: in the background, or in this process with `--foreground`.
 */

import type { Command, Context } from "../../../lib/cli/command.ts";
import { LOG_FLAGS } from "../../../lib/cli/log_flags.ts";
import type { ClientInfo } from "../../../lib/client/info.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import type { AgentInfo } from "../api.ts";
import type { AgentOptions } from "../config.ts";
import { PLACE_FLAGS, placeSources } from "./common.ts";
import { TRANSPORT_FLAGS } from "./transport_flags.ts";

/** Starts the agent of a home. */
export const startCommand: Command = {
  name: "agent start",
  aliases: ["daemon start"],
  summary: "Start the agent of this computer in the background",
  args: [],
  flags: [
    { name: "hostname", kind: "string", placeholder: "NAME", summary: "Name that peers find this agent by" },
    {
      name: "registry",
      kind: "string",
      placeholder: "HOST:PORT",
      summary: "Registry (else PILOT_REGISTRY, config.json, 127.0.0.1:9000)",
    },
    {
      name: "beacon",
      kind: "string",
      placeholder: "HOST:PORT",
      repeatable: true,
      summary: "Beacon, up to four of them (else PILOT_BEACON, config.json, 127.0.0.1:9001)",
    },
    ...PLACE_FLAGS,
    {
      name: "listen",
      kind: "string",
      placeholder: "HOST:PORT",
      default: ":0",
      summary: "UDP address of the tunnel; port 0 is any",
    },
    {
      name: "identity",
      kind: "string",
      placeholder: "PATH",
      summary: "Key file (else identity.key in the home); trust.json lies next to it",
    },
    ...TRANSPORT_FLAGS,
    { name: "owner", kind: "string", placeholder: "TEXT", summary: "Label sent to the registry" },
    { name: "public", kind: "boolean", summary: "Let everybody see the endpoint" },
    {
      name: "port-mapping",
      kind: "string",
      placeholder: "MODE",
      summary:
        "Ask the router for a public port (PCP, NAT-PMP, UPnP): auto or off (else PILOT_PORT_MAPPING, auto)",
    },
    {
      name: "port-search",
      kind: "string",
      placeholder: "MODE",
      summary:
        "Search ports with peers behind symmetric NATs, up to 100 packets/s for 20 s: auto or off, for metered lines (else PILOT_PORT_SEARCH, auto)",
    },
    { name: "foreground", kind: "boolean", summary: "Run in this terminal, log to standard error" },
    ...LOG_FLAGS,
    { name: "wait", kind: "duration", default: "15s", summary: "Longest wait until the agent is ready" },
    { name: "ready-file", kind: "string", hidden: true, summary: "File to report readiness or failure to" },
  ],
  returns: "{pid, node_id, address, hostname, socket, log_file, nat_type, endpoint, identity}",
  examples: ["agent start --hostname agent-a", "agent start --home ~/second --registry 127.0.0.1:9000"],
  run: (context) => context.flags.boolean("foreground") ? runForeground(context) : runBackground(context),
};

async function runBackground(context: Context): Promise<void> {
  const [{ homePaths }, { startBackground }, { AgentClient }] = await Promise.all([
    import("../paths.ts"),
    import("../process.ts"),
    import("../../../lib/client/agent.ts"),
  ]);
  const options = await resolveOptions(context);
  const paths = homePaths(options.home);
  await clearTheWay(options);
  const identity = identityState(options);
  await Deno.mkdir(options.home, { recursive: true, mode: 0o700 });
  const report = `${options.home}/ready-${crypto.randomUUID()}`;
  const pid = await startBackground({
    line: foregroundLine(options, { report, context }),
    log: paths.log,
    report,
    timeoutMs: context.flags.duration("wait") ?? 0,
    env: options.transport.env,
    signal: context.signal,
  });
  const client = await AgentClient.connect({ socket: options.socket });
  try {
    const info = await client.info();
    present(context, { info, options, pid, identity, log: paths.log });
  } finally {
    client.close();
  }
}

async function runForeground(context: Context): Promise<void> {
  const [{ homePaths }, { removePid, writePid, writeReport }, { serveAgent }] = await Promise.all([
    import("../paths.ts"),
    import("../process.ts"),
    import("../serve.ts"),
  ]);
  const report = context.flags.string("ready-file");
  let failure: unknown;
  try {
    const options = await resolveOptions(context);
    const { pid } = homePaths(options.home);
    await clearTheWay(options);
    const identity = identityState(options);
    const ready = async (info: AgentInfo) => {
      await writePid(pid);
      if (report === undefined) present(context, { info, options, pid: Deno.pid, identity, log: undefined });
      else await writeReport(report, { status: "ready", pid: Deno.pid });
    };
    const giveUp = new AbortController();
    const fail = (error: unknown) => {
      failure = error;
      giveUp.abort();
    };
    let announced: Promise<void> | undefined;
    try {
      const hooks = { ready: (info: AgentInfo) => void (announced = ready(info).catch(fail)), failed: fail };
      await serveAgent(options, hooks, AbortSignal.any([context.signal, giveUp.signal]));
      await announced;
    } finally {
      removePid(pid, Deno.pid);
    }
  } catch (error) {
    failure = error;
  }
  if (failure === undefined) return;
  if (report !== undefined) {
    const { asPilotError } = await import("../../../lib/cli/output.ts");
    const { code, message, hint } = asPilotError(failure);
    await writeReport(report, { status: "failed", code, message, hint });
  }
  throw failure;
}

async function resolveOptions(context: Context): Promise<AgentOptions> {
  const [{ resolveAgentOptions }, { homePaths, resolveHome }] = await Promise.all([
    import("../config.ts"),
    import("../paths.ts"),
  ]);
  const { flags } = context;
  const sources = placeSources(context);
  return resolveAgentOptions({
    ...sources,
    registry: flags.string("registry"),
    beacons: flags.has("beacon") ? flags.strings("beacon") : undefined,
    listen: flags.string("listen"),
    transport: flags.string("transport"),
    compatUrl: flags.string("compat-url"),
    proxy: flags.string("proxy"),
    proxyCommand: flags.string("proxy-cmd"),
    tlsCa: flags.string("tls-ca"),
    registryTls: flags.has("registry-tls") ? flags.boolean("registry-tls") : undefined,
    identity: flags.string("identity"),
    hostname: flags.string("hostname"),
    owner: flags.string("owner"),
    public: flags.boolean("public"),
    portMapping: flags.string("port-mapping"),
    portSearch: flags.string("port-search"),
    logLevel: flags.string("log-level"),
    logFormat: flags.string("log-format"),
    // In the background the agent rotates its own log; what the runtime prints goes to the same file.
    logFile: flags.has("ready-file") ? homePaths(resolveHome(sources)).log : undefined,
  });
}

/** The command line of the background process: every setting resolved, so that its surroundings do not matter. */
function foregroundLine(options: AgentOptions, more: { report: string; context: Context }): string[] {
  const { flags } = more.context;
  const at = (endpoint: { host: string; port: number }) =>
    endpoint.host.includes(":") ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
  return [
    "agent",
    "start",
    "--foreground",
    `--ready-file=${more.report}`,
    `--home=${options.home}`,
    `--socket=${options.socket}`,
    `--identity=${options.identity}`,
    `--registry=${at(options.registry)}`,
    ...options.beacons.map((beacon) => `--beacon=${at(beacon)}`),
    `--listen=${at(options.listen)}`,
    ...options.transport.line,
    `--hostname=${options.hostname}`,
    `--owner=${options.owner}`,
    `--public=${options.public}`,
    `--port-mapping=${options.portMapping}`,
    `--port-search=${options.portSearch}`,
    `--log-level=${flags.string("log-level") ?? "info"}`,
    `--log-format=${flags.string("log-format") ?? "text"}`,
  ];
}

/**
 * Makes sure that no agent runs here and removes what a dead one left.
 *
 * @throws PilotError `already_exists` naming the process
 */
async function clearTheWay(options: AgentOptions): Promise<void> {
  const [{ homePaths }, { agentProcess, probeSocket, readPid, removePid }] = await Promise.all([
    import("../paths.ts"),
    import("../process.ts"),
  ]);
  const hint = "stop it with `pilot agent stop`, or give another --home";
  const state = await probeSocket(options.socket);
  if (state === "answers") {
    const { socketPid } = await import("./socket_pid.ts");
    const pid = await socketPid(options.socket);
    const who = pid === undefined ? `at ${options.socket}` : `(pid ${pid})`;
    throw new PilotError("already_exists", `an agent is already running ${who}`, { hint });
  }
  const pidFile = homePaths(options.home).pid;
  const pid = readPid(pidFile);
  if (pid !== undefined && pid !== Deno.pid) {
    if (await agentProcess(pid)) {
      throw new PilotError("already_exists", `an agent is already running in ${options.home} (pid ${pid})`, {
        hint,
      });
    }
    removePid(pidFile, pid);
  }
  if (state === "stale") Deno.removeSync(options.socket);
}

function identityState(options: AgentOptions): "generated" | "loaded" {
  try {
    Deno.statSync(options.identity);
    return "loaded";
  } catch {
    return "generated";
  }
}

interface Started {
  readonly info: ClientInfo;
  readonly options: AgentOptions;
  readonly pid: number;
  readonly identity: "generated" | "loaded";
  readonly log: string | undefined;
}

function present(context: Context, started: Started): void {
  const { info, options, pid, identity, log } = started;
  const data = {
    pid,
    node_id: info.node_id,
    address: info.address,
    hostname: info.hostname,
    socket: options.socket,
    log_file: log ?? "",
    nat_type: info.nat_type,
    endpoint: info.endpoint,
    identity,
    registered: info.registry.connected && info.node_id !== 0,
  };
  context.out.result(data, () =>
    [
      `✓ Identity ${identity} (Ed25519)`,
      ...registrationLines(info, options),
      `✓ NAT type: ${info.nat_type}`,
      `✓ Listening on ${options.socket}`,
      `  pid ${pid}`,
      ...(log === undefined ? [] : [`  log ${log}`]),
    ].join("\n"));
}

function registrationLines(info: ClientInfo, options: AgentOptions): string[] {
  const { address, error } = info.registry;
  if (!info.registry.connected || info.node_id === 0) {
    return [`✗ Not registered at ${address}: ${error ?? "no answer"} (the agent keeps trying)`];
  }
  const registered = info.hostname === "" ? info.address : `${info.hostname} (${info.address})`;
  const lines = [`✓ Registered as ${registered}`];
  if (options.hostname !== "" && info.hostname !== options.hostname) {
    lines.push(`✗ Hostname ${options.hostname} not granted: ${error ?? "refused by the registry"}`);
  }
  return lines;
}
