/** The flags of commands that keep a log. */

import { PilotError } from "../wire/error.ts";
import type { Flag, FlagValues } from "./command.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
const FORMATS = ["text", "json"] as const;

/** How much to log, and how. */
export const LOG_FLAGS: readonly Flag[] = [
  {
    name: "log-level",
    kind: "string",
    placeholder: "LEVEL",
    summary: "How much to log",
    default: "info",
    choices: LEVELS,
  },
  {
    name: "log-format",
    kind: "string",
    placeholder: "FORMAT",
    summary: "How to log",
    default: "text",
    choices: FORMATS,
  },
];

/** The values of `LOG_FLAGS`. @throws PilotError `invalid_argument` */
export function logSettings(
  flags: FlagValues,
): { readonly level: typeof LEVELS[number]; readonly format: typeof FORMATS[number] } {
  const [wantedLevel, wantedFormat] = [flags.string("log-level"), flags.string("log-format")];
  const level = LEVELS.find((known) => known === (wantedLevel ?? "info"));
  const format = FORMATS.find((known) => known === (wantedFormat ?? "text"));
  if (level !== undefined && format !== undefined) return { level, format };
  throw new PilotError("invalid_argument", "unknown log level or format", {
    hint: `levels: ${LEVELS.join(", ")}; formats: ${FORMATS.join(", ")}`,
  });
}
