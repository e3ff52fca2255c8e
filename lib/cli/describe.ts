/**
 * The commands for programs: what `context` prints.
 */

import type { ErrorCode } from "../wire/error.ts";
import type { Command } from "./command.ts";
import { GLOBAL_FLAGS, namesOf, type Tool, visibleCommands, visibleFlags } from "./tool.ts";
import { flagLabel } from "./help.ts";

/** Version of the shape of `describeTool`'s result. */
const CONTEXT_VERSION = "1.2";

const ERROR_CODES: Readonly<Record<ErrorCode, string>> = {
  invalid_argument: "A flag, an argument or the command is wrong; do not retry",
  not_found: "No such name, peer or file",
  already_exists: "It is already running or already there",
  not_running: "The agent is not running; start it first",
  connection_failed: "The agent, the registry or the peer could not be reached or refused; may be retried",
  timeout: "No answer in time; may be retried",
  internal: "A problem of this machine or of the tool itself",
  invalid_state: "Not possible in the present state",
  expired: "Too late for this",
  unavailable: "Not offered",
  not_trusted: "The peer does not trust this agent, or the other way round",
  too_large: "More bytes than allowed",
  corrupt_file: "A file cannot be understood; it was left as it is",
};

/** One command for programs. */
export interface CommandDescription {
  readonly args: readonly string[];
  readonly flags: Readonly<
    Record<string, { readonly kind: string; readonly description: string; readonly default?: string }>
  >;
  readonly aliases: readonly string[];
  readonly description: string;
  readonly returns: string;
}

/** Everything a program needs to drive the tool. */
export interface ToolDescription {
  readonly version: string;
  readonly commands: Readonly<Record<string, CommandDescription>>;
  readonly error_codes: Readonly<Record<ErrorCode, string>>;
  readonly global_flags: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly config_file: string;
}

/** The whole tool as data. */
export function describeTool(tool: Tool): ToolDescription {
  return {
    version: CONTEXT_VERSION,
    commands: Object.fromEntries(
      visibleCommands(tool).map((command) => [command.name, describeCommand(command)]),
    ),
    error_codes: ERROR_CODES,
    global_flags: Object.fromEntries(GLOBAL_FLAGS.map((flag) => [`--${flag.name}`, flag.summary])),
    environment: tool.environment,
    config_file: tool.configFile,
  };
}

/** One command as data. */
export function describeCommand(command: Command): CommandDescription {
  return {
    args: [
      ...command.args.map((argument) =>
        argument.optional === true ? `[${argument.name}]` : `<${argument.name}>`
      ),
      ...visibleFlags(command).map((flag) => `[${flagLabel(flag)}]`),
    ],
    flags: Object.fromEntries(
      visibleFlags(command).map((flag) => [`--${flag.name}`, {
        kind: flag.kind,
        description: flag.summary,
        ...(flag.default === undefined ? {} : { default: flag.default }),
      }]),
    ),
    aliases: namesOf(command).slice(1),
    description: command.summary,
    returns: command.returns,
  };
}
