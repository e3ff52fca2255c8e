/**
 * What reaches the user: results on standard output, everything else on standard error, and one JSON envelope for
 * programs.
 */

import { PilotError } from "../wire/error.ts";
import type { Output } from "./command.ts";

/** Where text goes. The texts come with their newlines. */
export interface Writers {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** The output of one run. */
export function createOutput(writers: Writers, options: { json: boolean }): Output {
  const { json } = options;
  return {
    text: (line) => {
      if (!json) writers.stdout(`${line}\n`);
    },
    progress: (line) => {
      if (!json) writers.stderr(`${line}\n`);
    },
    result: (data, render) => {
      if (json) {
        writers.stdout(`${JSON.stringify({ data, status: "ok" })}\n`);
        return;
      }
      const text = render();
      if (typeof text === "string" && text !== "") writers.stdout(`${text}\n`);
    },
  };
}

/** Reports an error to the user: up to three lines of text, or one of JSON, on standard error. */
export function writeError(writers: Writers, error: PilotError, options: { json: boolean }): void {
  const { code, hint, message } = error;
  if (options.json) {
    const envelope = { code, ...(hint === undefined ? {} : { hint }), message, status: "error" };
    writers.stderr(`${JSON.stringify(envelope)}\n`);
    return;
  }
  const lines = [`error: ${message}`, ...(hint === undefined ? [] : [`hint:  ${hint}`]), `code:  ${code}`];
  writers.stderr(lines.map((line) => `${line}\n`).join(""));
}

/** Any thrown value as a `PilotError`; what is none becomes `internal`. */
export function asPilotError(thrown: unknown): PilotError {
  if (thrown instanceof PilotError) return thrown;
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new PilotError("internal", message, { cause: thrown });
}

/** Data as JSON for people: two spaces of indentation. */
export function pretty(data: object): string {
  return JSON.stringify(data, null, 2);
}
