/**
 * A command is a value. Parsing, help, shell completions and the machine-readable list are all made from it,
 * so they cannot drift apart.
 */

/** How the text of a flag's value is read. A `duration` is Go syntax (`1m30s`) or a plain number of seconds. */
export type FlagKind = "string" | "boolean" | "number" | "duration";

/** An option of a command: `--name value` or `--name=value`. Booleans take no value (`--name`, `--name=false`). */
export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  readonly kind: FlagKind;
  readonly summary: string;
  /** The value when the flag is absent, written as a user would type it. */
  readonly default?: string;
  /** What stands for the value in the help, such as `HOST:PORT`. */
  readonly placeholder?: string;
  /** Every occurrence counts (`strings`); otherwise the last one wins. */
  readonly repeatable?: boolean;
  /** The only values allowed. */
  readonly choices?: readonly string[];
  /** Left out of help, completions and the command list. */
  readonly hidden?: boolean;
}

/** A positional argument. Optional ones follow the required ones; only the last one may be `rest`. */
export interface Argument {
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean;
  /** Takes all that is left, into `Context.rest`. */
  readonly rest?: boolean;
}

/** One command of the tool. Keep the module that holds it light: import heavy modules inside `run`. */
export interface Command {
  /** One or more words: `info`, `trust add`. */
  readonly name: string;
  /** Further names, such as `daemon start` for `agent start`. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly args: readonly Argument[];
  readonly flags: readonly Flag[];
  /** The shape of the JSON result, in one line. */
  readonly returns: string;
  /** Lines to type, without the program name. */
  readonly examples?: readonly string[];
  /** Left out of help, completions and the command list. */
  readonly hidden?: boolean;
  /** Rejects with a `PilotError` to fail: exit status 1, message and hint for the user. */
  run(context: Context): Promise<void>;
}

/** The flags of one invocation, checked against their kinds. Reading a flag that the command lacks is a `TypeError`. */
export interface FlagValues {
  /** Whether the flag was given (a default does not count). */
  has(name: string): boolean;
  string(name: string): string | undefined;
  /** False when absent. */
  boolean(name: string): boolean;
  number(name: string): number | undefined;
  /** Milliseconds. */
  duration(name: string): number | undefined;
  /** Every occurrence, in order. */
  strings(name: string): readonly string[];
}

/** Where a command's words go. Results to standard output, everything else to standard error. */
export interface Output {
  /** A line of the result. Dropped in JSON mode. */
  text(line: string): void;
  /** A line about what is going on, to standard error. Dropped in JSON mode. */
  progress(line: string): void;
  /**
   * The result, once per run: in JSON mode the envelope `{"data":...,"status":"ok"}` on one line, else what `render`
   * returns (nothing when it returns nothing).
   */
  result(data: object, render: () => string | void): void;
}

/** What a command gets to run with. */
export interface Context {
  /** Positional arguments by name; an absent optional one is `undefined`. */
  readonly args: Readonly<Record<string, string | undefined>>;
  /** What the `rest` argument took. */
  readonly rest: readonly string[];
  readonly flags: FlagValues;
  readonly json: boolean;
  readonly out: Output;
  /** Non-empty environment variable, else `undefined`. */
  env(name: string): string | undefined;
  /** Aborted by Ctrl-C and by SIGTERM. */
  readonly signal: AbortSignal;
  /** Makes the process end with `code` although the run does not fail: probes and strict modes. */
  exit(code: number): void;
}
