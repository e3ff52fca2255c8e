/**
 * The one kind of error a user of pilot sees.
 */

/** Codes that scripts may match on. The first eleven are those of the public command-line tool. */
export type ErrorCode =
  | "invalid_argument"
  | "not_found"
  | "already_exists"
  | "not_running"
  | "connection_failed"
  | "timeout"
  | "internal"
  | "invalid_state"
  | "expired"
  | "unavailable"
  | "not_trusted"
  | "too_large"
  | "corrupt_file";

/** An error with a stable `code` for programs, a `message` for people, and a `hint`: what to do about it. */
export class PilotError extends Error {
  override readonly name = "PilotError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}
