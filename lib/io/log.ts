/**
 * The log: lines for people or JSON for machines, to standard error or to files that cannot fill the disk.
 */

import { dirname } from "node:path";

/** From chatty to quiet. A log writes its own level and everything to the right of it. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** Severity of a line. */
export type LogLevel = typeof LOG_LEVELS[number];

/** `text` for people, `json` for machines: one object per line. */
export type LogFormat = "text" | "json";

/** Values beside the message. `undefined` members are left out; errors show as their message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Receives finished lines, each with its line feed. Must not throw. */
export interface LogSink {
  write(line: Uint8Array): void;
  close(): void;
}

/** How to make a `Log`. */
export interface LogOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default `text`. */
  readonly format?: LogFormat;
  /** Default: standard error. */
  readonly sink?: LogSink;
}

/** Writes lines with a time stamp (UTC), a level, a message and fields. Never throws: a full disk loses lines only. */
export class Log {
  /** A log that keeps nothing. */
  static readonly silent: Log = new Log({ sink: { write: () => {}, close: () => {} } });

  readonly #threshold: number;
  readonly #format: LogFormat;
  readonly #sink: LogSink;
  readonly #fields: LogFields;

  constructor(options: LogOptions = {}, fields: LogFields = {}) {
    this.#threshold = LOG_LEVELS.indexOf(options.level ?? "info");
    this.#format = options.format ?? "text";
    this.#sink = options.sink ?? standardError;
    this.#fields = fields;
  }

  /** A log into the same place whose lines all carry `fields`. */
  with(fields: LogFields): Log {
    const level = LOG_LEVELS[this.#threshold] ?? "info";
    return new Log({ level, format: this.#format, sink: this.#sink }, { ...this.#fields, ...fields });
  }

  /** Whether a line of this level would be written: saves building costly fields. */
  enabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.#threshold;
  }

  /** Details for whoever hunts a fault. The only level that a stranger's packet may cause. */
  debug(message: string, fields: LogFields = {}): void {
    this.#write("debug", message, fields);
  }

  /** Normal milestones. */
  info(message: string, fields: LogFields = {}): void {
    this.#write("info", message, fields);
  }

  /** Something is wrong but taken care of. */
  warn(message: string, fields: LogFields = {}): void {
    this.#write("warn", message, fields);
  }

  /** Something is wrong and needs somebody. */
  error(message: string, fields: LogFields = {}): void {
    this.#write("error", message, fields);
  }

  /** Closes the file, if it writes to one. */
  close(): void {
    this.#sink.close();
  }

  #write(level: LogLevel, message: string, fields: LogFields): void {
    if (!this.enabled(level)) return;
    const all = { ...this.#fields, ...fields };
    const time = new Date().toISOString();
    let line: string;
    try {
      line = this.#format === "json"
        ? jsonLine(time, level, message, all)
        : textLine(time, level, message, all);
    } catch {
      // A field that cannot be shown, such as a circular object, must not cost the message.
      line = this.#format === "json"
        ? jsonLine(time, level, message, {})
        : textLine(time, level, message, {});
    }
    this.#sink.write(new TextEncoder().encode(line + "\n"));
  }
}

/** How big the log files may grow. */
export interface LogFileOptions {
  /** Bytes per file before the next one begins; 50 MiB by default. */
  readonly maxBytes?: number;
  /** Number of files kept, the current one included; 3 by default. */
  readonly files?: number;
}

/** A log file of bounded size: `path`, with older ones in `path.1`, `path.2`... Files and directory are private. */
export class LogFile implements LogSink {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #files: number;
  #file: Deno.FsFile | undefined;
  #size = 0;

  /** Opens the file for appending. @throws the error of the operating system when it cannot. */
  constructor(path: string, options: LogFileOptions = {}) {
    this.#path = path;
    this.#maxBytes = options.maxBytes ?? 50 * 1024 * 1024;
    this.#files = Math.max(1, options.files ?? 3);
    Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#open();
  }

  write(line: Uint8Array): void {
    try {
      if (this.#size > 0 && this.#size + line.length > this.#maxBytes) this.#rotate();
      if (this.#file === undefined) this.#open();
      for (let written = 0; written < line.length;) {
        written += this.#file?.writeSync(line.subarray(written)) ?? line.length;
      }
      this.#size += line.length;
    } catch {
      // Nobody can be told: the log is what failed. The next line tries again.
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #open(): void {
    this.#file = Deno.openSync(this.#path, { create: true, append: true, mode: 0o600 });
    this.#size = this.#file.statSync().size;
  }

  #rotate(): void {
    this.close();
    for (let age = this.#files - 1; age > 0; age--) {
      const older = `${this.#path}.${age}`;
      const newer = age === 1 ? this.#path : `${this.#path}.${age - 1}`;
      try {
        Deno.renameSync(newer, older);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    if (this.#files === 1) Deno.truncateSync(this.#path);
    this.#open();
  }
}

const standardError: LogSink = {
  write: (line) => {
    try {
      for (let written = 0; written < line.length;) written += Deno.stderr.writeSync(line.subarray(written));
    } catch {
      // The reader of standard error has gone; there is nowhere left to say so.
    }
  },
  close: () => {},
};

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  return JSON.stringify({ time, level, message, ...fields }, (_key, value: unknown) => plain(value));
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  let line = `${time} ${level.toUpperCase().padEnd(5)} ${escapeControls(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${key}=${textValue(value)}`;
  }
  return line;
}

function textValue(value: unknown): string {
  const shown = plain(value);
  if (typeof shown !== "string") {
    return escapeControls(JSON.stringify(shown, (_key, part: unknown) => plain(part)));
  }
  return /^[\w.:/@+\-[\]]+$/.test(shown) ? shown : escapeControls(JSON.stringify(shown));
}

/** What JSON cannot show, as something it can. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return value.message;
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return value;
}

/** Text from strangers may not move the cursor or begin a line of its own. */
function escapeControls(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (control) => {
    return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
