/**
 * From the words of a command line to a command with its arguments and flags. Nothing is accepted silently: an
 * unknown flag, a surplus argument and a missing value are errors that name the nearest right spelling.
 */

import { PilotError } from "../wire/error.ts";
import type { Command, Flag, FlagValues } from "./command.ts";
import { flagProblem, flagValues } from "./flags.ts";
import { nearest } from "./suggest.ts";
import { findCommand, GLOBAL_FLAGS, groupCommands, type Tool, visibleFlags } from "./tool.ts";

/** What a command line asks for. `json` is the output mode, also of the error. */
export type Parsed =
  & { readonly json: boolean }
  & (
    | {
      readonly kind: "run";
      readonly command: Command;
      readonly args: Readonly<Record<string, string | undefined>>;
      readonly rest: readonly string[];
      readonly flags: FlagValues;
    }
    /** Help for a command, for the group named, or for the whole tool. */
    | { readonly kind: "help"; readonly topic: Command | string | undefined }
    | { readonly kind: "version" }
    /** Nothing was asked for. */
    | { readonly kind: "usage" }
    | { readonly kind: "error"; readonly error: PilotError; readonly unknownCommand: boolean }
  );

/** Parses the words after the program's name. */
export function parseCommandLine(tool: Tool, line: readonly string[]): Parsed {
  const end = line.indexOf("--");
  const isJson = (word: string, index: number) => word === "--json" && (end < 0 || index < end);
  const json = line.some(isJson);
  const words = line.filter((word, index) => !isJson(word, index));
  const [first] = words;

  if (first === undefined) return { kind: "usage", json };
  if (first === "--version" || (first === "version" && words.length === 1)) return { kind: "version", json };
  if (first === "--help" || first === "-h") return { kind: "help", topic: undefined, json };
  if (first === "help") return helpFor(tool, words.slice(1), json);
  if (first.startsWith("-")) {
    return { kind: "error", error: leadingFlag(tool, first), unknownCommand: false, json };
  }

  const found = findCommand(tool, words);
  if (found.kind === "group") {
    if (words.some(isHelp)) return { kind: "help", topic: found.group, json };
    return { kind: "error", error: missingSubcommand(tool, found.group), unknownCommand: false, json };
  }
  if (found.kind === "unknown") {
    return { kind: "error", error: unknownCommand(tool, found), unknownCommand: true, json };
  }
  // `trust --help` is about the group, although `trust` alone is a command as well.
  if (found.used === 1 && isHelp(words[1] ?? "") && groupCommands(tool, first).length > 0) {
    return { kind: "help", topic: first, json };
  }
  return parseArguments(tool, found.command, words.slice(found.used), json);
}

function parseArguments(tool: Tool, command: Command, words: readonly string[], json: boolean): Parsed {
  const given = new Map<string, string[]>();
  const positional: string[] = [];
  let problem: PilotError | undefined;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--") {
      positional.push(...words.slice(index + 1));
      break;
    }
    if (isHelp(word)) return { kind: "help", topic: command, json };
    if (!word.startsWith("-") || word === "-" || /^-[\d.]/.test(word)) {
      positional.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const spelled = equals < 0 ? word : word.slice(0, equals);
    const flag = command.flags.find((candidate) => `--${candidate.name}` === spelled);
    if (flag === undefined) {
      problem ??= unknownFlag(tool, command, spelled);
      continue;
    }
    let value = equals < 0 ? undefined : word.slice(equals + 1);
    if (value === undefined) {
      value = valueAfter(flag, words[index + 1]);
      if (value === undefined) {
        problem ??= missingValue(flag, words[index + 1]);
        continue;
      }
      if (flag.kind !== "boolean" || words[index + 1] === value) index++;
    }
    problem ??= flagProblem(flag, value);
    given.set(flag.name, [...(given.get(flag.name) ?? []), value]);
  }

  const args: Record<string, string | undefined> = {};
  const left = [...positional];
  for (const argument of command.args) {
    if (argument.rest === true) {
      if (left.length === 0 && argument.optional !== true) {
        problem ??= missingArgument(tool, command, argument.name);
      }
      break;
    }
    const value = left.shift();
    if (value === undefined && argument.optional !== true) {
      problem ??= missingArgument(tool, command, argument.name);
    }
    args[argument.name] = value;
  }
  const takesRest = command.args.at(-1)?.rest === true;
  const [surplus] = left;
  if (!takesRest && surplus !== undefined) problem ??= surplusArgument(tool, command, surplus);
  if (problem !== undefined) return { kind: "error", error: problem, unknownCommand: false, json };
  return { kind: "run", command, args, rest: left, flags: flagValues(command, given), json };
}

/** The value of `flag` when `next` is the following word; `undefined` when it has none. */
function valueAfter(flag: Flag, next: string | undefined): string | undefined {
  if (flag.kind === "boolean") return next === "true" || next === "false" ? next : "true";
  return next === undefined || next.startsWith("--") ? undefined : next;
}

function helpFor(tool: Tool, words: readonly string[], json: boolean): Parsed {
  const topic = words.filter((word) => !word.startsWith("-"));
  if (topic.length === 0) return { kind: "help", topic: undefined, json };
  const [first = "", second] = topic;
  if (second === undefined && groupCommands(tool, first).length > 0) {
    return { kind: "help", topic: first, json };
  }
  const found = findCommand(tool, topic);
  if (found.kind === "command") return { kind: "help", topic: found.command, json };
  if (found.kind === "group") return { kind: "help", topic: found.group, json };
  return { kind: "error", error: unknownCommand(tool, found), unknownCommand: true, json };
}

function isHelp(word: string): boolean {
  return word === "--help" || word === "-h";
}

function invalid(message: string, hint: string): PilotError {
  return new PilotError("invalid_argument", message, { hint });
}

function unknownCommand(tool: Tool, found: { name: string; nearest: string | undefined }): PilotError {
  const list = `\`${tool.program} help\` lists the commands`;
  return invalid(
    `unknown command: ${found.name}`,
    found.nearest === undefined ? list : `did you mean \`${tool.program} ${found.nearest}\`? ${list}`,
  );
}

function missingSubcommand(tool: Tool, group: string): PilotError {
  const words = groupCommands(tool, group).map((command) => command.name.split(" ").slice(1).join(" "));
  return invalid(`${group} needs a subcommand`, `one of: ${words.join(", ")}`);
}

function leadingFlag(tool: Tool, flag: string): PilotError {
  const near = nearest(flag, ["--version", "--help", "--json"]);
  if (near !== undefined) return invalid(`unknown flag: ${flag}`, `did you mean ${near}?`);
  return invalid(`a command must come before ${flag}`, `write \`${tool.program} COMMAND ${flag} ...\``);
}

function unknownFlag(tool: Tool, command: Command, spelled: string): PilotError {
  const known = [...visibleFlags(command), ...GLOBAL_FLAGS].map((flag) => `--${flag.name}`);
  // A single dash before a whole word is how some programs write the same flag.
  const near = nearest(spelled.replace(/^-+/, "--"), known);
  const help = `\`${tool.program} help ${command.name}\` lists the flags`;
  return invalid(
    `unknown flag for ${command.name}: ${spelled}`,
    near === undefined ? help : `did you mean ${near}? ${help}`,
  );
}

function missingValue(flag: Flag, next: string | undefined): PilotError {
  const form = `--${flag.name} ${flag.placeholder ?? "VALUE"}`;
  return invalid(
    `--${flag.name} needs a value`,
    next === undefined
      ? `write ${form}`
      : `write ${form}; a value that begins with -- is given as --${flag.name}=${next}`,
  );
}

function missingArgument(tool: Tool, command: Command, name: string): PilotError {
  return invalid(`${command.name} needs ${argumentLabel(name)}`, `usage: ${usageLine(tool, command)}`);
}

function surplusArgument(tool: Tool, command: Command, word: string): PilotError {
  const near = nearest(`--${word}`, visibleFlags(command).map((flag) => `--${flag.name}`));
  return invalid(
    `${command.name} does not take a further argument: ${word}`,
    near === undefined ? `usage: ${usageLine(tool, command)}` : `did you mean ${near}?`,
  );
}

/** The one-line usage of a command: `pilot trust add <peer> [reason] [flags]`. */
export function usageLine(tool: Tool, command: Command): string {
  const args = command.args.map((argument) => {
    const label = `${argumentLabel(argument.name)}${argument.rest === true ? "..." : ""}`;
    return argument.optional === true ? `[${label.replace(/[<>]/g, "")}]` : label;
  });
  const flags = visibleFlags(command).length > 0 ? ["[flags]"] : [];
  return [tool.program, command.name, ...args, ...flags].join(" ");
}

function argumentLabel(name: string): string {
  return `<${name}>`;
}
