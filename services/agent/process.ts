/**
 * The agent as a process: starting it in the background, finding it again, stopping it.
 *
 * A process number alone proves nothing, because numbers are reused. An agent is known by what answers on its
 * socket; the pid file only tells people, and helps when the socket is silent.
 */

import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { kill } from "node:process";
import { writeAtomically } from "../../lib/io/files.ts";
import { pause } from "../../lib/io/pause.ts";
import { type ErrorCode, PilotError } from "../../lib/wire/error.ts";

/** Time between two looks at a process or file, in milliseconds. */
const POLL_MS = 20;
/** Patience with the socket of a killed process, in milliseconds. */
const SOCKET_WAIT_MS = 2_000;

/** What a starting agent writes into its report file, once. */
export type StartReport =
  | { readonly status: "ready"; readonly pid: number }
  | {
    readonly status: "failed";
    readonly code: string;
    readonly message: string;
    readonly hint?: string | undefined;
  };

/** Leaves a report for the process that waits for this one. */
export async function writeReport(path: string, report: StartReport): Promise<void> {
  await writeAtomically(path, JSON.stringify(report), { mode: 0o600 });
}

/** The number in a pid file; `undefined` when there is no such file or no number in it. */
export function readPid(path: string): number | undefined {
  try {
    const text = Deno.readTextFileSync(path).trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** Writes this process's number, readable by the owner only. */
export async function writePid(path: string): Promise<void> {
  await writeAtomically(path, String(Deno.pid), { mode: 0o600 });
}

/** Removes the pid file if it names `pid`. */
export function removePid(path: string, pid: number): void {
  if (readPid(path) !== pid) return;
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Whether a process with this number runs. One that has ended but was not collected by its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    // Deno has no signal 0; node's `kill` does.
    kill(pid, 0);
  } catch (error) {
    // Not allowed to signal it: it exists, and belongs to somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return !isZombie(pid);
}

/** Whether the living process with this number was started as an agent, as far as its command line tells. */
export async function agentProcess(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  return /\b(agent|daemon) start\b/.test(await commandLine(pid) ?? "");
}

/** Waits until a process has ended; `false` when it still runs after `milliseconds`. */
export async function waitForExit(pid: number, milliseconds: number): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  while (performance.now() < deadline) {
    if (!isAlive(pid)) return true;
    await pause(POLL_MS);
  }
  return false;
}

/** What lies at a path where a socket should be. */
export type SocketState = "absent" | "stale" | "answers";

/**
 * Looks whether somebody answers on a Unix socket.
 *
 * @throws PilotError `invalid_argument` when something else than a socket lies there; it is never touched
 */
export async function probeSocket(path: string): Promise<SocketState> {
  let isSocket: boolean | null;
  try {
    isSocket = Deno.lstatSync(path).isSocket;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "absent";
    throw new PilotError(
      "internal",
      `cannot look at ${path}: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (isSocket !== true) {
    throw new PilotError("invalid_argument", `${path} exists and is not a socket`, {
      hint: "it is left alone; choose another place with --socket PATH",
    });
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return "answers";
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new PilotError("already_exists", `${path} belongs to an agent of another user`, {
        hint: "choose another place with --socket PATH",
      });
    }
    return "stale";
  }
}

/**
 * Removes the socket of a process that was killed. The first thread of a process may be gone a moment before the
 * others, which still hold the socket; what then still answers belongs to somebody else and stays.
 *
 * @throws PilotError as {@link probeSocket}
 */
export async function removeDeadSocket(path: string): Promise<void> {
  const deadline = performance.now() + SOCKET_WAIT_MS;
  let state = await probeSocket(path);
  while (state === "answers" && performance.now() < deadline) {
    await pause(POLL_MS);
    state = await probeSocket(path);
  }
  if (state === "stale") Deno.removeSync(path);
}

/** A background process to start. */
export interface BackgroundOptions {
  /** Arguments of the tool, without the program. */
  readonly line: readonly string[];
  /** File that takes what the process prints. */
  readonly log: string;
  /** File that the process reports to (see `writeReport`). Removed before and after. */
  readonly report: string;
  /** Longest wait for the report. */
  readonly timeoutMs: number;
  /** On top of the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * Starts this same program in the background, cut off from the terminal, and waits for its report.
 *
 * @returns its process number
 * @throws PilotError what the process reported, `internal` when it ended without a report, `timeout`
 */
export async function startBackground(options: BackgroundOptions): Promise<number> {
  removeIfExists(options.report);
  const log = openSync(options.log, "a", 0o600);
  const child = spawn(Deno.execPath(), [...programArguments(), ...options.line], {
    cwd: "/",
    detached: true,
    env: { ...Deno.env.toObject(), ...options.env },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  // At once: later, when the process may have ended, Deno throws.
  child.unref();
  let ended: string | undefined;
  child.on("exit", (code, signal) => ended = signal === null ? `exit status ${code}` : `signal ${signal}`);
  child.on("error", (error) => ended = error.message);
  try {
    const deadline = performance.now() + options.timeoutMs;
    while (performance.now() < deadline) {
      const report = readReport(options.report);
      if (report?.status === "ready") return report.pid;
      if (report?.status === "failed") {
        throw new PilotError(asCode(report.code), report.message, asHint(report.hint));
      }
      if (ended !== undefined) {
        throw new PilotError("internal", `the agent ended while starting (${ended})`, {
          hint: `tail ${options.log}`,
        });
      }
      options.signal.throwIfAborted();
      await pause(POLL_MS, options.signal);
    }
    throw new PilotError("timeout", `the agent was not ready within ${options.timeoutMs / 1_000} s`, {
      hint: `it goes on trying; tail -f ${options.log}`,
    });
  } finally {
    removeIfExists(options.report);
    child.removeAllListeners();
  }
}

/** The command line of a process, its parts joined by spaces; `undefined` when it cannot be known. */
export async function commandLine(pid: number): Promise<string | undefined> {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  } catch {
    // No such file system (macOS): ask ps.
  }
  try {
    const ps = new Deno.Command("ps", { args: ["-o", "command=", "-p", String(pid)], stderr: "null" });
    const { success, stdout } = await ps.output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

/** What comes between the executable and the tool's own arguments: nothing in a self-contained binary. */
function programArguments(): readonly string[] {
  return Deno.build.standalone ? [] : ["run", "-A", "--quiet", Deno.mainModule];
}

function readReport(path: string): StartReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Deno.readTextFileSync(path));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("status" in value)) return undefined;
  if (value.status === "ready" && "pid" in value && typeof value.pid === "number") {
    return { status: "ready", pid: value.pid };
  }
  if (!("code" in value && "message" in value)) return undefined;
  const hint = "hint" in value && typeof value.hint === "string" ? value.hint : undefined;
  return { status: "failed", code: String(value.code), message: String(value.message), hint };
}

const REPORTED_CODES: readonly ErrorCode[] = [
  "invalid_argument",
  "not_found",
  "already_exists",
  "connection_failed",
  "timeout",
  "unavailable",
  "corrupt_file",
  "invalid_state",
  "too_large",
];

function asCode(text: string): ErrorCode {
  return REPORTED_CODES.find((code) => code === text) ?? "internal";
}

function asHint(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

function isZombie(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The state follows the command, which stands in parentheses and may hold any character.
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) === "Z";
  } catch {
    return false;
  }
}

function removeIfExists(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
