/**
 * The command-line tool: finds the command, runs it, turns the outcome into an exit status.
 */

import { builtinCommands } from "./lib/cli/builtin.ts";
import { runTool } from "./lib/cli/run.ts";
import type { Tool } from "./lib/cli/tool.ts";
import { VERSION } from "./lib/wire/version.ts";
import { agentCommands } from "./services/agent/commands/mod.ts";
import { serveCommand as beaconServe } from "./services/beacon/commands/serve.ts";
import { serveCommand as registryServe } from "./services/registry/commands/serve.ts";

const tool: Tool = {
  program: Deno.env.get("PILOT_PROGRAM") || "pilot",
  version: VERSION,
  summary: "pilot connects programs on any two computers: addresses, trust, encrypted tunnels through NATs.",
  commands: [...agentCommands, registryServe, beaconServe, ...builtinCommands(() => tool)],
  environment: {
    PILOT_HOME: "Folder of the agent (default ~/.pilot)",
    PILOT_SOCKET: "Local socket of the agent (default /tmp/pilot.sock)",
    PILOT_REGISTRY: "Registry, HOST:PORT (default 127.0.0.1:9000)",
    PILOT_BEACON: "Beacon, HOST:PORT (default 127.0.0.1:9001)",
  },
  configFile: "~/.pilot/config.json",
};

/** Writes all of `text`; a reader that has gone away ends the program quietly. */
function write(to: { writeSync(data: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}

if (import.meta.main) {
  const interrupted = new AbortController();
  const stop = (status: number) => () => {
    if (interrupted.signal.aborted) Deno.exit(status);
    interrupted.abort();
  };
  Deno.addSignalListener("SIGINT", stop(130));
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop(143));
  Deno.exit(
    await runTool(tool, Deno.args, {
      stdout: (text) => write(Deno.stdout, text),
      stderr: (text) => write(Deno.stderr, text),
      env: (name) => Deno.env.get(name),
      signal: interrupted.signal,
    }),
  );
}
