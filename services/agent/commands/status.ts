/**
 * `status` and `agent status`.
 */

import { indentedColumns } from "../../../lib/cli/columns.ts";
import type { Command, Context, Flag } from "../../../lib/cli/command.ts";
import { formatMilliseconds, formatUptime } from "../../../lib/cli/duration.ts";
import type { ClientInfo } from "../../../lib/client/info.ts";
import { PLACE_FLAGS, placeSources } from "./common.ts";
import { networkRows } from "./network_words.ts";

const CHECK: Flag = {
  name: "check",
  kind: "boolean",
  summary: "Print nothing; exit 1 unless the agent answers",
};

/** How long an agent may take to answer before it counts as not responding, in milliseconds. */
const PATIENCE_MS = 3_000;

/** The whole state at a glance. */
export const statusCommand: Command = {
  name: "status",
  summary: "Show how the agent and its connection to the network stand",
  args: [],
  flags: [CHECK, ...PLACE_FLAGS],
  returns: "{running, responsive, pid, pid_file, socket} and, when responsive, all of `info`",
  run: (context) => report(context, (info) => [...agentRows(info), ...standingRows(info)]),
};

/** Whether the agent runs. */
export const agentStatusCommand: Command = {
  name: "agent status",
  aliases: ["daemon status"],
  summary: "Show whether the agent runs",
  args: [],
  flags: [CHECK, ...PLACE_FLAGS],
  returns: "{running, responsive, pid, pid_file, socket} and, when responsive, all of `info`",
  run: (context) => report(context, agentRows),
};

async function report(context: Context, rows: (info: ClientInfo) => string[][]): Promise<void> {
  const [{ resolvePlace }, { agentProcess, readPid, removePid }] = await Promise.all([
    import("../config.ts"),
    import("../process.ts"),
  ]);
  const { paths, socket } = resolvePlace(placeSources(context));
  const info = await tryInfo(socket, context.signal);
  if (context.flags.boolean("check")) {
    if (info === undefined) context.exit(1);
    return;
  }
  const place = { pid_file: paths.pid, socket };
  if (info !== undefined) {
    const data = { ...info, running: true, responsive: true, ...place };
    context.out.result(
      data,
      () => [`Agent: running (pid ${info.pid})`, ...indentedColumns(rows(info))].join("\n"),
    );
    return;
  }
  const pid = readPid(paths.pid);
  const alive = pid !== undefined && await agentProcess(pid);
  if (pid !== undefined && !alive) removePid(paths.pid, pid);
  context.out.result(
    { running: alive, responsive: false, pid: alive ? pid : 0, ...place },
    () =>
      alive
        ? `Agent: not responding (pid ${pid})\n  its log: ${paths.log}`
        : "Agent: stopped\n  start it with: pilot agent start",
  );
}

async function tryInfo(socket: string, signal: AbortSignal): Promise<ClientInfo | undefined> {
  const [{ AgentClient }, { PilotError }] = await Promise.all([
    import("../../../lib/client/agent.ts"),
    import("../../../lib/wire/error.ts"),
  ]);
  try {
    const client = await AgentClient.connect({ socket, timeoutMs: PATIENCE_MS, signal });
    try {
      return await client.info({ timeoutMs: PATIENCE_MS, signal });
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof PilotError) return undefined;
    throw error;
  }
}

function agentRows(info: ClientInfo): string[][] {
  return [
    ["Node ID:", info.node_id === 0 ? "none yet" : String(info.node_id)],
    ["Address:", info.address === "" ? "none yet" : info.address],
    ["Hostname:", info.hostname === "" ? missingHostname(info) : info.hostname],
    ["Uptime:", formatUptime(info.uptime_secs)],
    ["Peers:", String(info.peers)],
    ["Connections:", String(info.connections)],
  ];
}

function missingHostname({ registry }: ClientInfo): string {
  return registry.connected && registry.error !== undefined ? `none (${registry.error})` : "none";
}

function transportText({ transport, transport_since, transport_error }: ClientInfo): string {
  const name = transport === "wss" ? "relay over WebSocket" : transport.toUpperCase();
  const seconds = Math.max(0, Math.floor(Date.now() / 1_000) - transport_since);
  const since = transport_since === 0 ? "" : ` for ${formatUptime(seconds)}`;
  return `${name}${since}${transport_error === undefined ? "" : ` (${transport_error})`}`;
}

function standingRows(info: ClientInfo): string[][] {
  const { registry, beacon } = info;
  const rtt = beacon.rtt_ms === null ? "" : `, ${formatMilliseconds(beacon.rtt_ms)}`;
  const problem = registry.error === undefined || registry.error === "" ? "" : `: ${registry.error}`;
  return [
    [
      "Trusted:",
      `${info.trusted}${info.pending > 0 ? ` (${info.pending} waiting: pilot trust pending)` : ""}`,
    ],
    ...networkRows(info),
    ...(info.transport === "" ? [] : [["Transport:", transportText(info)]]),
    ...(info.aead === "" ? [] : [["Cipher:", `AES-256-GCM by ${info.aead}`]]),
    ["Visible:", info.public ? "public" : "private"],
    ["Registry:", `${registry.address} (${registry.connected ? "connected" : `unreachable${problem}`})`],
    ["Beacon:", `${beacon.address} (${beacon.reachable ? `reachable${rtt}` : "unreachable"})`],
  ];
}
