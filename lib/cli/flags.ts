/**
 * Values of flags: checked against their kinds, then read by name.
 */

import { PilotError } from "../wire/error.ts";
import type { Command, Flag, FlagValues } from "./command.ts";
import { parseDuration } from "./duration.ts";

/** Why `text` is no value for `flag`, `undefined` when it is one. */
export function flagProblem(flag: Flag, text: string): PilotError | undefined {
  if (flag.choices !== undefined && !flag.choices.includes(text)) {
    return bad(flag, text, `one of ${flag.choices.join(", ")}`);
  }
  switch (flag.kind) {
    case "string":
      return undefined;
    case "boolean":
      return parseBoolean(text) === undefined ? bad(flag, text, "true or false") : undefined;
    case "number":
      return parseNumber(text) === undefined ? bad(flag, text, "a number, such as 4") : undefined;
    case "duration":
      return parseDuration(text) === undefined
        ? bad(flag, text, "a duration, such as 10s or 1m30s")
        : undefined;
  }
}

/** Reads `given` (flag name to all its values, already checked), falling back to the defaults of `command`. */
export function flagValues(command: Command, given: ReadonlyMap<string, readonly string[]>): FlagValues {
  const known = (name: string, kind: Flag["kind"] | undefined): string | undefined => {
    const flag = command.flags.find((candidate) => candidate.name === name);
    if (flag === undefined || (kind !== undefined && flag.kind !== kind)) {
      throw new TypeError(`command "${command.name}" has no ${kind ?? ""} flag --${name}`);
    }
    return given.get(name)?.at(-1) ?? flag.default;
  };
  const parsed = <T>(text: string | undefined, parse: (text: string) => T | undefined) =>
    text === undefined ? undefined : parse(text);
  return {
    has: (name) => {
      known(name, undefined);
      return given.has(name);
    },
    string: (name) => known(name, "string"),
    boolean: (name) => parsed(known(name, "boolean"), parseBoolean) ?? false,
    number: (name) => parsed(known(name, "number"), parseNumber),
    duration: (name) => parsed(known(name, "duration"), parseDuration),
    strings: (name) => {
      const fallback = known(name, undefined);
      return given.get(name) ?? (fallback === undefined ? [] : [fallback]);
    },
  };
}

function parseBoolean(text: string): boolean | undefined {
  if (text === "true" || text === "1" || text === "yes") return true;
  if (text === "false" || text === "0" || text === "no") return false;
  return undefined;
}

function parseNumber(text: string): number | undefined {
  return /^-?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined;
}

function bad(flag: Flag, text: string, expected: string): PilotError {
  return new PilotError("invalid_argument", `--${flag.name} does not take ${JSON.stringify(text)}`, {
    hint: `give ${expected}`,
  });
}
