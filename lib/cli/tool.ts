/**
 * The table of all commands, and finding one in it.
 */

import type { Command, Flag } from "./command.ts";
import { nearest } from "./suggest.ts";

/** The whole tool: what is generated from the commands starts here. */
export interface Tool {
  /** Name the user typed: `pilot` or `pilotctl`. */
  readonly program: string;
  readonly version: string;
  readonly summary: string;
  readonly commands: readonly Command[];
  /** Environment variables: name to meaning. */
  readonly environment: Readonly<Record<string, string>>;
  readonly configFile: string;
}

/** Flags that every command understands. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "json", kind: "boolean", summary: "Print one line of JSON instead of text" },
  { name: "help", kind: "boolean", summary: "Show what the command does and takes (also -h)" },
];

/** What the first words of a command line name. `used` words belong to the name. */
export type Found =
  | { readonly kind: "command"; readonly command: Command; readonly used: number }
  /** The first word is the name of a group such as `agent`. */
  | { readonly kind: "group"; readonly group: string }
  | { readonly kind: "unknown"; readonly name: string; readonly nearest: string | undefined };

/** The commands shown to users. */
export function visibleCommands(tool: Tool): readonly Command[] {
  return tool.commands.filter((command) => command.hidden !== true);
}

/** The flags of `command` shown to users. */
export function visibleFlags(command: Command): readonly Flag[] {
  return command.flags.filter((flag) => flag.hidden !== true);
}

/** Name and aliases of a command. */
export function namesOf(command: Command): readonly string[] {
  return [command.name, ...(command.aliases ?? [])];
}

/** The commands below a group such as `agent` or its alias `daemon`, in the order of the table. */
export function groupCommands(tool: Tool, group: string): readonly Command[] {
  return visibleCommands(tool).filter((command) =>
    namesOf(command).some((name) => name.startsWith(`${group} `))
  );
}

/** Finds the command with the longest name that `words` begin with. */
export function findCommand(tool: Tool, words: readonly string[]): Found {
  const [first = "", second] = words;
  const single = byName(tool, first);
  const group = groupCommands(tool, first).length > 0;
  if (group && second !== undefined && !second.startsWith("-")) {
    const double = byName(tool, `${first} ${second}`);
    if (double !== undefined) return { kind: "command", command: double, used: 2 };
    // `trust bogus`: the bare group may be a command itself, but one that takes no argument.
    if (single === undefined || single.args.length === 0) return unknown(tool, `${first} ${second}`);
  }
  if (single !== undefined) return { kind: "command", command: single, used: 1 };
  return group ? { kind: "group", group: first } : unknown(tool, first);
}

function byName(tool: Tool, name: string): Command | undefined {
  return tool.commands.find((command) => namesOf(command).includes(name));
}

function unknown(tool: Tool, name: string): Found {
  const names = visibleCommands(tool).flatMap(namesOf);
  const groups = names.filter((known) => known.includes(" ")).map((known) => known.split(" ", 1)[0] ?? known);
  const lastWord = name.split(" ").at(-1) ?? name;
  return {
    kind: "unknown",
    name,
    nearest: nearest(name, [...names, ...groups]) ?? names.find((known) => known.endsWith(` ${lastWord}`)),
  };
}
