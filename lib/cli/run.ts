/**
 * One run of the tool: parse, run the command, report, and the exit status.
 */

import type { Context } from "./command.ts";
import { asPilotError, createOutput, writeError, type Writers } from "./output.ts";
import { parseCommandLine } from "./parse.ts";
import type { Tool } from "./tool.ts";

/** The world as the tool sees it. */
export interface Surroundings extends Writers {
  readonly env: (name: string) => string | undefined;
  /** Aborted when the user wants the tool to stop. */
  readonly signal: AbortSignal;
}

/** Exit status of a run that the user interrupted: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

/**
 * Runs one command line, without the program's name.
 *
 * @returns the exit status: 0 success, 1 a reported error, 2 no or an unknown command, 130 interrupted
 */
export async function runTool(tool: Tool, line: readonly string[], around: Surroundings): Promise<number> {
  const parsed = parseCommandLine(tool, line);
  const { json } = parsed;
  const out = createOutput(around, { json });
  switch (parsed.kind) {
    case "version":
      out.result({ version: tool.version }, () => `${tool.program} ${tool.version}`);
      return 0;
    case "usage": {
      const { helpText } = await import("./help.ts");
      around.stderr(`${helpText(tool, undefined)}\n`);
      return 2;
    }
    case "help": {
      const { topic } = parsed;
      const { helpText } = await import("./help.ts");
      const { describeCommand, describeTool } = await import("./describe.ts");
      out.result(
        typeof topic === "object" ? { name: topic.name, ...describeCommand(topic) } : describeTool(tool),
        () => helpText(tool, topic),
      );
      return 0;
    }
    case "error":
      writeError(around, parsed.error, { json });
      return parsed.unknownCommand && !json ? 2 : 1;
    case "run":
      break;
  }

  let status = 0;
  const context: Context = {
    args: parsed.args,
    rest: parsed.rest,
    flags: parsed.flags,
    json,
    out,
    env: (name) => around.env(name) || undefined,
    signal: around.signal,
    exit: (code) => status = code,
  };
  try {
    await parsed.command.run(context);
    return status;
  } catch (thrown) {
    if (around.signal.aborted) return INTERRUPTED;
    writeError(around, asPilotError(thrown), { json });
    return 1;
  }
}
