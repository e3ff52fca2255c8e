/**
 * What the commands that talk to an agent share.
 */

import type { Context, Flag } from "../../../lib/cli/command.ts";
import type { AgentClient } from "../../../lib/client/agent.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import type { PathSources } from "../paths.ts";

/** Flags that choose the agent. */
export const PLACE_FLAGS: readonly Flag[] = [
  {
    name: "home",
    kind: "string",
    placeholder: "DIR",
    summary: "Folder of the agent (else PILOT_HOME, ~/.pilot)",
  },
  {
    name: "socket",
    kind: "string",
    placeholder: "PATH",
    summary: "Local socket of the agent (else PILOT_SOCKET)",
  },
];

/** The argument that names a peer. */
export const PEER_ARGUMENT = {
  name: "peer",
  summary: "Hostname, node id or address (0:0000.0000.0001)",
} as const;

/** What decides the home and the socket in this invocation. */
export function placeSources(context: Context): PathSources {
  return {
    home: context.flags.string("home"),
    socket: context.flags.string("socket"),
    env: (name) => context.env(name),
  };
}

/**
 * Connects to the agent, runs `use` and closes the connection, also when the user interrupts.
 *
 * @throws PilotError `not_running` when no agent answers
 */
export async function withAgent<T>(context: Context, use: (client: AgentClient) => Promise<T>): Promise<T> {
  const [{ AgentClient }, { resolvePlace }] = await Promise.all([
    import("../../../lib/client/agent.ts"),
    import("../config.ts"),
  ]);
  const client = await AgentClient.connect({ socket: resolvePlace(placeSources(context)).socket });
  const stop = () => client.close();
  context.signal.addEventListener("abort", stop);
  try {
    return await use(client);
  } finally {
    context.signal.removeEventListener("abort", stop);
    client.close();
  }
}

/** A port from the command line. @throws PilotError `invalid_argument` */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw new PilotError("invalid_argument", `not a port: ${text}`, {
    hint: "a port is a number from 0 to 65535",
  });
}

/** A required argument: the parser has made sure that it is there. */
export function required(context: Context, name: string): string {
  const value = context.args[name];
  if (value === undefined) throw new TypeError(`the command has no required argument "${name}"`);
  return value;
}

/** A flag's number as a whole one within bounds. @throws PilotError `invalid_argument` */
export function wholeNumber(context: Context, name: string, bounds: { min: number; max: number }): number {
  const value = context.flags.number(name) ?? bounds.min;
  if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value;
  throw new PilotError(
    "invalid_argument",
    `--${name} is not a whole number from ${bounds.min} to ${bounds.max}`,
  );
}

/** A number of bytes for people: base 1024. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KB", "MB", "GB"];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** Unix seconds as `YYYY-MM-DD HH:MM:SS` in local time. */
export function formatUnix(seconds: number): string {
  const date = new Date((seconds - new Date(seconds * 1_000).getTimezoneOffset() * 60) * 1_000);
  return date.toISOString().slice(0, 19).replace("T", " ");
}
