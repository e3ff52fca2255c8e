/** Running benchmarks: which, how much, and what their rows become. */

import type { Machine, Report, Row } from "./bench_report.ts";

/** How much to measure. */
export interface Effort {
  /** Bytes of one big transfer. */
  readonly bytes: number;
  /** Rounds of each measurement, interleaved with its baseline. */
  readonly rounds: number;
  /** Seconds of one raw UDP blast. */
  readonly blastSeconds: number;
  /** Round trips of one round. */
  readonly pings: number;
  /** Streams opened in one round, and before the first one to warm up. */
  readonly dials: number;
  /** Idle streams held open. */
  readonly idle: number;
  /** Bytes of each of a hundred streams at once. */
  readonly manyBytes: number;
}

/** The usual effort. */
export const FULL: Effort = {
  bytes: 256e6,
  rounds: 5,
  blastSeconds: 2,
  pings: 5_000,
  dials: 300,
  idle: 10_000,
  manyBytes: 10e6,
};

/** Enough to see where things stand. */
export const QUICK: Effort = {
  bytes: 64e6,
  rounds: 3,
  blastSeconds: 0.7,
  pings: 1_500,
  dials: 20,
  idle: 500,
  manyBytes: 1e6,
};

/** What a benchmark works with. */
export interface Bench {
  readonly effort: Effort;
  /** Aborts at Ctrl-C; everything under way must end then. */
  readonly signal: AbortSignal;
  /** Says what is being done. */
  note(line: string): void;
  /** Ends `stop` with the benchmark, last first, however it goes. */
  defer(stop: () => Promise<void> | void): void;
}

/** Something to measure. */
export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  run(bench: Bench): Promise<Row[]>;
}

/** What to run and whom to tell. */
export interface RunOptions {
  readonly effort: Effort;
  /** Names of benchmarks; empty for all. */
  readonly only: readonly string[];
  readonly signal: AbortSignal;
  readonly machine: Machine;
  note(line: string): void;
}

/**
 * Runs benchmarks one after the other.
 *
 * @throws RangeError for an unknown name, the reason of `signal` when that aborts, and what a benchmark throws
 */
export async function runBenchmarks(
  benchmarks: readonly Benchmark[],
  options: RunOptions,
): Promise<Report> {
  const { only, signal } = options;
  for (const name of only) {
    if (benchmarks.some((each) => each.name === name)) continue;
    throw new RangeError(
      `no benchmark ${name}; there are: ${benchmarks.map((each) => each.name).join(", ")}`,
    );
  }
  const results: Row[] = [];
  for (const benchmark of benchmarks) {
    if (only.length > 0 && !only.includes(benchmark.name)) continue;
    signal.throwIfAborted();
    options.note(`${benchmark.name}: ${benchmark.summary}`);
    results.push(...await runOne(benchmark, options));
  }
  return { machine: options.machine, results };
}

async function runOne(benchmark: Benchmark, options: RunOptions): Promise<Row[]> {
  const { effort, signal } = options;
  await using stack = new AsyncDisposableStack();
  const defer = (stop: () => Promise<void> | void) =>
    stack.defer(async () => {
      try {
        await stop();
      } catch (error) {
        options.note(`  could not clean up: ${error instanceof Error ? error.message : error}`);
      }
    });
  const bench = { effort, signal, note: (line: string) => options.note(`  ${line}`), defer };
  try {
    return await benchmark.run(bench);
  } catch (error) {
    // Whatever broke first when everything is being ended is not the reason.
    signal.throwIfAborted();
    throw error;
  }
}

/**
 * Reads the command line.
 *
 * @throws RangeError for what it does not understand
 */
export function parseArguments(args: readonly string[]): { json: boolean; only: string[]; effort: Effort } {
  let effort = args.includes("--quick") ? QUICK : FULL;
  const only: string[] = [];
  let json = false;
  for (let at = 0; at < args.length; at++) {
    const [name = "", inline] = (args[at] ?? "").split("=", 2);
    const value = () => inline ?? args[++at] ?? "";
    if (name === "--json") json = true;
    else if (name === "--quick") continue;
    else if (name === "--only") only.push(...value().split(","));
    else if (name === "--bytes") effort = { ...effort, bytes: parseBytes(value()) };
    else if (name === "--rounds") effort = { ...effort, rounds: positive(value()) };
    else throw new RangeError(`unknown argument ${args[at]}; there are: ${USAGE}`);
  }
  return { json, only, effort };
}

/** The arguments in short. */
export const USAGE = "--json --quick --only NAME[,NAME] --bytes 256MB|1GB --rounds N";

/** Bytes from `64MB` (10^6) or `1GiB` (2^30). @throws RangeError */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kMG]?)(i?)B?$/.exec(text);
  if (match === null) throw new RangeError(`not a size: ${text}`);
  const power = ["", "k", "M", "G"].indexOf(match[2] ?? "");
  return positive(String(Math.round(Number(match[1]) * (match[3] === "i" ? 1024 : 1000) ** power)));
}

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value > 0)) throw new RangeError(`not a positive number: ${text}`);
  return value;
}
