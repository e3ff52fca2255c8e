/**
 * Help texts, made from the command values.
 */

import { indentedColumns } from "./columns.ts";
import type { Command, Flag } from "./command.ts";
import { usageLine } from "./parse.ts";
import { GLOBAL_FLAGS, groupCommands, type Tool, visibleCommands, visibleFlags } from "./tool.ts";

/** Help for a command, a group or, without a topic, the whole tool. Ends without a newline. */
export function helpText(tool: Tool, topic: Command | string | undefined): string {
  if (topic === undefined) return overview(tool);
  return typeof topic === "string" ? groupHelp(tool, topic) : commandHelp(tool, topic);
}

function overview(tool: Tool): string {
  return [
    tool.summary,
    "",
    `Usage: ${tool.program} COMMAND [arguments] [flags]`,
    "",
    "Commands:",
    ...indentedColumns(visibleCommands(tool).map((command) => [command.name, command.summary])),
    "",
    "Flags of every command:",
    ...flagLines(GLOBAL_FLAGS),
    "",
    "Environment:",
    ...indentedColumns(Object.entries(tool.environment)),
    "",
    `\`${tool.program} help COMMAND\` tells more about one.`,
  ].join("\n");
}

function groupHelp(tool: Tool, group: string): string {
  const members = groupCommands(tool, group);
  return [
    `Usage: ${tool.program} ${group} SUBCOMMAND [arguments] [flags]`,
    "",
    "Subcommands:",
    ...indentedColumns(members.map((command) => [command.name, command.summary])),
    "",
    `\`${tool.program} help ${members[0]?.name ?? group}\` tells more about one.`,
  ].join("\n");
}

function commandHelp(tool: Tool, command: Command): string {
  const lines = [`${command.summary}.`, "", `Usage: ${usageLine(tool, command)}`];
  if (command.aliases !== undefined) lines.push(`Also:  ${command.aliases.join(", ")}`);
  if (command.args.length > 0) {
    lines.push("", "Arguments:");
    lines.push(...indentedColumns(command.args.map((argument) => [argument.name, argument.summary])));
  }
  lines.push("", "Flags:", ...flagLines([...visibleFlags(command), ...GLOBAL_FLAGS]));
  lines.push("", "JSON result:", `  ${command.returns}`);
  if (command.examples !== undefined) {
    lines.push("", "Examples:", ...command.examples.map((example) => `  ${tool.program} ${example}`));
  }
  return lines.join("\n");
}

function flagLines(flags: readonly Flag[]): string[] {
  return indentedColumns(flags.map((flag) => [flagLabel(flag), flagNote(flag)]));
}

/** A flag with the stand-in for its value: `--wait DURATION`. */
export function flagLabel(flag: Flag): string {
  if (flag.kind === "boolean") return `--${flag.name}`;
  return `--${flag.name} ${
    flag.placeholder ?? { string: "TEXT", number: "N", duration: "DURATION" }[flag.kind]
  }`;
}

function flagNote(flag: Flag): string {
  const notes = [
    ...(flag.choices === undefined ? [] : [flag.choices.join(", ")]),
    ...(flag.default === undefined ? [] : [`default ${flag.default}`]),
    ...(flag.repeatable === true ? ["repeatable"] : []),
  ];
  return notes.length === 0 ? flag.summary : `${flag.summary} (${notes.join("; ")})`;
}
