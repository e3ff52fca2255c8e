/** A small tool to test the machinery with. */

import type { Command } from "../../lib/cli/command.ts";
import { builtinCommands } from "../../lib/cli/builtin.ts";
import { runTool } from "../../lib/cli/run.ts";
import type { Tool } from "../../lib/cli/tool.ts";
import { PilotError } from "../../lib/wire/error.ts";

/** A command that only reports what it was given. */
function command(parts: Partial<Command> & { name: string }): Command {
  return {
    summary: `Summary of ${parts.name}`,
    args: [],
    flags: [],
    returns: "{}",
    run: (context) => {
      context.out.result({ ran: parts.name }, () => `ran ${parts.name}`);
      return Promise.resolve();
    },
    ...parts,
  };
}

const send: Command = command({
  name: "send",
  summary: "Send something to a peer",
  args: [
    { name: "peer", summary: "Who gets it" },
    { name: "port", summary: "Where to", optional: true },
  ],
  flags: [
    { name: "message", kind: "string", summary: "What to send" },
    { name: "count", kind: "number", summary: "How often", default: "1" },
    { name: "timeout", kind: "duration", summary: "How long to wait", default: "30s" },
    { name: "strict", kind: "boolean", summary: "Fail when unsure" },
    { name: "mode", kind: "string", summary: "How to send", choices: ["fast", "safe"], default: "safe" },
    { name: "tag", kind: "string", summary: "Label", repeatable: true },
    { name: "secret", kind: "string", summary: "Not shown", hidden: true },
  ],
  returns: "{sent}",
  examples: ["send agent-b --message hello"],
  run: ({ args, flags, out }) => {
    const data = {
      peer: args["peer"],
      port: args["port"] ?? null,
      message: flags.string("message") ?? null,
      count: flags.number("count"),
      timeout: flags.duration("timeout"),
      strict: flags.boolean("strict"),
      mode: flags.string("mode"),
      tags: flags.strings("tag"),
    };
    out.progress("sending");
    out.result(data, () => `sent to ${data.peer}`);
    return Promise.resolve();
  },
});

/** The tool. */
export const tool: Tool = {
  program: "pilot",
  version: "9.8.7",
  summary: "A tool for tests.",
  commands: [
    command({ name: "agent start", aliases: ["daemon start"] }),
    command({ name: "agent stop", aliases: ["daemon stop"] }),
    command({ name: "trust add", aliases: ["handshake"], args: [{ name: "peer", summary: "Whom" }] }),
    command({ name: "trust list", aliases: ["trust"] }),
    send,
    command({
      name: "run",
      args: [{ name: "words", summary: "Anything", rest: true, optional: true }],
      run: ({ rest, out }) => {
        out.result({ rest }, () => rest.join("|"));
        return Promise.resolve();
      },
    }),
    command({
      name: "fail",
      run: () => Promise.reject(new PilotError("not_found", "no such thing", { hint: "look elsewhere" })),
    }),
    command({ name: "crash", run: () => Promise.reject(new RangeError("broken")) }),
    command({ name: "probe", run: ({ exit }) => Promise.resolve(exit(1)) }),
    command({ name: "secret", hidden: true }),
    ...builtinCommands(() => tool),
  ],
  environment: { PILOT_HOME: "Where things are" },
  configFile: "~/.pilot/config.json",
};

/** What a run left. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line of the test tool. */
export async function run(line: readonly string[], signal = new AbortController().signal): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const status = await runTool(tool, line, {
    stdout: (text) => stdout += text,
    stderr: (text) => stderr += text,
    env: () => undefined,
    signal,
  });
  return { status, stdout, stderr };
}

/** The `data` of a successful run with `--json`. */
export async function dataOf(line: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await run(["--json", ...line]);
  if (status !== 0) throw new Error(`status ${status}: ${stderr}`);
  const envelope: { data: unknown; status: string } = JSON.parse(stdout);
  return envelope.data;
}
