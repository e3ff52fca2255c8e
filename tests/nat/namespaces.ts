/**
 * Network namespaces of one run. Their names carry the run's process number, so that what a killed run left behind
 * can be told from what is in use.
 */

import { attempt, run } from "./shell.ts";

const PREFIX = "pilot-nat-";
/** What the command line of a run contains. */
const PROGRAM = "tests/nat/main.ts";

/** The folder of the run of process `pid`. Socket paths are short; the temporary folder of some systems is not. */
export function runFolder(pid: number): string {
  return `/tmp/${PREFIX}${pid}`;
}

/** Why no lab can be built on this computer, `undefined` when one can. */
export async function obstacle(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "it needs network namespaces, which only Linux has";
  if (Deno.uid() !== 0) return "it needs root";
  for (const [program, words] of PROGRAMS) {
    if (!(await attempt(words)).success) return `it needs the program ${program}, which is not installed`;
  }
  const name = `${PREFIX}${Deno.pid}-try`;
  const made = await attempt(["ip", "netns", "add", name]);
  if (!made.success) return `network namespaces are not permitted here: ${made.stderr}`;
  try {
    const table = await attempt(["ip", "netns", "exec", name, "nft", "add", "table", "ip", "try"]);
    return table.success ? undefined : `nftables does not work here: ${table.stderr}`;
  } finally {
    await attempt(["ip", "netns", "delete", name]);
  }
}

const PROGRAMS = [
  ["ip", ["ip", "-V"]],
  ["nft", ["nft", "--version"]],
  ["conntrack", ["conntrack", "--version"]],
  ["openssl", ["openssl", "version"]],
] as const;

let removing = false;

/** Makes a namespace with a loopback interface, and returns its full name. */
export async function createNamespace(name: string): Promise<string> {
  if (removing) throw new Error("the lab is being taken down");
  const full = `${PREFIX}${Deno.pid}-${name}`;
  await run(["ip", "netns", "add", full]);
  await run(["ip", "-n", full, "link", "set", "lo", "up"]);
  return full;
}

/** Removes the namespaces of this run, its folder, and whatever still runs in them. */
export async function removeOwn(): Promise<void> {
  removing = true;
  await removeRun(Deno.pid);
}

/** Removes what runs that were killed have left. */
export async function removeLeftovers(): Promise<void> {
  const pids = new Set((await namespaces()).map(({ pid }) => pid));
  for (const pid of pids) if (!isRunning(pid)) await removeRun(pid);
}

async function removeRun(pid: number): Promise<void> {
  const names = (await namespaces()).filter((namespace) => namespace.pid === pid).map(({ name }) => name);
  for (const name of names) {
    const { stdout } = await attempt(["ip", "netns", "pids", name]);
    for (const line of stdout.split("\n")) if (line !== "") kill(Number(line));
    await attempt(["ip", "netns", "delete", name]);
  }
  await Deno.remove(runFolder(pid), { recursive: true }).catch(() => {});
}

async function namespaces(): Promise<{ readonly name: string; readonly pid: number }[]> {
  const { stdout } = await attempt(["ip", "netns", "list"]);
  return stdout.split("\n").flatMap((line) => {
    const match = new RegExp(`^(${PREFIX}(\\d+)-\\S+)`).exec(line);
    return match?.[1] === undefined ? [] : [{ name: match[1], pid: Number(match[2]) }];
  });
}

function isRunning(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(PROGRAM);
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
