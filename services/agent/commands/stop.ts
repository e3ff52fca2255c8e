/**
 * `agent stop`.
 */

import type { Command, Context } from "../../../lib/cli/command.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import { PLACE_FLAGS, placeSources } from "./common.ts";

/** How long an agent may take to end in order before it is killed, in milliseconds. */
const GRACE_MS = 10_000;

/** Stops the agent of a home. */
export const stopCommand: Command = {
  name: "agent stop",
  aliases: ["daemon stop"],
  summary: "Stop the agent",
  args: [],
  flags: [...PLACE_FLAGS],
  returns: "{pid, forced}; forced only when it had to be killed",
  run: stopAgent,
};

async function stopAgent(context: Context): Promise<void> {
  const [{ resolvePlace }, { probeSocket, removeDeadSocket, removePid, waitForExit }] = await Promise.all([
    import("../config.ts"),
    import("../process.ts"),
  ]);
  const { paths, socket } = resolvePlace(placeSources(context));
  const state = await probeSocket(socket);
  const pid = state === "answers"
    ? await askToStop(socket, paths.pid)
    : await signalSilentOne(paths.pid, socket);

  const forced = !await waitForExit(pid, GRACE_MS);
  if (forced) {
    signal(pid, "SIGKILL");
    if (!await waitForExit(pid, GRACE_MS)) throw new PilotError("internal", `process ${pid} does not end`);
    await removeDeadSocket(socket);
  }
  removePid(paths.pid, pid);
  context.out.result(
    { pid, ...(forced ? { forced } : {}) },
    () => forced ? `agent killed, it did not end in time (pid ${pid})` : `agent stopped (pid ${pid})`,
  );
}

/** Asks the agent that answers on the socket to end. Resolves with its process number. */
async function askToStop(socket: string, pidFile: string): Promise<number> {
  const [{ agentProcess, readPid }, { socketPid }] = await Promise.all([
    import("../process.ts"),
    import("./socket_pid.ts"),
  ]);
  // What the agent itself reports cannot be the number of another process.
  const reported = await socketPid(socket);
  if (reported !== undefined) {
    signal(reported, "SIGTERM");
    return reported;
  }
  // Something accepts connections but does not answer: perhaps an agent that hangs.
  const pid = readPid(pidFile);
  if (pid !== undefined && await agentProcess(pid)) {
    signal(pid, "SIGTERM");
    return pid;
  }
  throw new PilotError("not_running", `what listens on ${socket} does not answer as an agent`, {
    hint: `find it with: lsof -U | grep ${socket}`,
  });
}

/** Signals an agent without a working socket, one that is starting or hangs; cleans up after a dead one. */
async function signalSilentOne(pidFile: string, socket: string): Promise<number> {
  const { agentProcess, probeSocket, readPid, removePid } = await import("../process.ts");
  const pid = readPid(pidFile);
  if (pid !== undefined && await agentProcess(pid)) {
    signal(pid, "SIGTERM");
    return pid;
  }
  if (await probeSocket(socket) === "stale") Deno.removeSync(socket);
  if (pid !== undefined) removePid(pidFile, pid);
  throw new PilotError(
    "not_running",
    pid === undefined ? "the agent is not running" : "the agent is not running (stale pid file removed)",
    { hint: "pilot agent start" },
  );
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof TypeError) return;
    throw new PilotError(
      "internal",
      `cannot signal process ${pid}: ${error instanceof Error ? error.message : error}`,
    );
  }
}
