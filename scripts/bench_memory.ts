/**
 * (h) What agents and programs hold: at rest, after much went through, with many idle streams, and after those were
 * closed. Every stream is checked, every byte too.
 *
 * Before each figure the processes collect their garbage and get time to give memory back to the system.
 */

import { CAN_COLLECT, collect, COLLECTABLE } from "./bench_collect.ts";
import { agentPair, embeddedPair, type Pair } from "./bench_pairs.ts";
import { openFiles, residentMb } from "./bench_proc.ts";
import { type Row, row } from "./bench_report.ts";
import type { Bench, Benchmark } from "./bench_run.ts";

/** A connection is remembered for so long after its end (`TIME_WAIT_MS` of the streams), milliseconds. */
const REMEMBERED_MS = 10_000;
/**
 * Pages are given back some time after a collection, by the runtime and 10 to 40 seconds after the last traffic
 * (`lib/io/memory_trim.ts`): when nothing more comes for so long, all has.
 */
const QUIET_MS = 30_000;
const LONGEST_MS = 90_000;
const LOOK_MS = 1_000;
const COLLECTIONS = 3;
/** A change of resident memory that counts, MB. */
const STEP_MB = 0.5;

/** Streams that transfer at the same time. */
const AT_ONCE = 100;
/** From this size of a transfer on, a gigabyte is sent in all. */
const FULL_BYTES = 256e6;
/** Open files of a process besides those of its streams. */
const OTHER_FILES = 256;

/** Resident memory of agents and of programs. */
export const memoryBenchmark: Benchmark = {
  name: "memory",
  summary: "resident memory, each figure after a forced collection of garbage",
  async run(bench) {
    if (!CAN_COLLECT) {
      bench.note("this system does not tell the memory of processes");
      return [];
    }
    return [...await embeddedRows(bench), ...await agentRows(bench)];
  },
};

/** Between two programs that embed a node. */
async function embeddedRows(bench: Bench): Promise<Row[]> {
  const pair = await embeddedPair(bench, { runtime: COLLECTABLE });
  const idle = await settled(pair);
  const held = await holdAndClose(bench, pair, bench.effort.idle);
  const transfers = await transferAtOnce(bench, pair);
  return rowsOf("embedded", { idle, held, transfers, chosen: () => true });
}

/** Between two agents, with a program at each, which has a socket for every stream it dials. */
async function agentRows(bench: Bench): Promise<Row[]> {
  const bare = idleProcess(bench);
  const pair = await agentPair(bench, { runtime: COLLECTABLE });
  const { sender, peer } = pair;
  const { bytes } = bench.effort;
  const idle = await settled(pair);
  for (let sent = 0; sent < 1e9; sent += bytes) {
    await sender.call("transfer", { peer, bytes });
    if (bytes < FULL_BYTES) break;
  }
  const after = await settled(pair);
  const most = (openFiles() ?? Infinity) - OTHER_FILES;
  if (most < bench.effort.idle) bench.note(`no more than ${most} streams: open files are limited`);
  const held = await holdAndClose(bench, pair, Math.min(bench.effort.idle, most));
  const transfers = await transferAtOnce(bench, pair);
  const isAgent = (name: string) => name.endsWith("agent");
  const runtime = { name: "an idle process of the runtime", value: residentMb(bare.pid) };
  const agent = worst({ idle, after, chosen: isAgent });
  return [
    row("agent_rss_bare", { value: agent.idle, unit: "MB" }, runtime),
    row("agent_rss_after_transfer", { value: agent.after, unit: "MB" }, { name: "idle", value: agent.idle }),
    ...rowsOf("agent", { idle, held, transfers, chosen: isAgent }),
    ...rowsOf("client", { idle, held, transfers, chosen: (name) => !isAgent(name) }),
  ];
}

/** Resident memory of each process of a pair by its name, MB. */
type Memory = ReadonlyMap<string, number>;

/** What many idle streams came to. */
interface Held {
  readonly streams: number;
  readonly open: Memory;
  readonly closed: Memory;
}

interface Figures {
  readonly idle: Memory;
  readonly held: Held;
  readonly transfers: Memory;
  /** Which processes are meant. */
  readonly chosen: (name: string) => boolean;
}

function rowsOf(name: string, { idle, held, transfers, chosen }: Figures): Row[] {
  const open = worst({ idle, after: held.open, chosen });
  const closed = worst({ idle, after: held.closed, chosen });
  const sent = worst({ idle, after: transfers, chosen });
  const rest = (value: number) => ({ name: "idle", value });
  const streams = `${held.streams}_streams`;
  return [
    row(`${name}_rss_per_1000_streams`, {
      value: (open.after - open.idle) * 1000 / held.streams,
      unit: "MB",
    }),
    row(`${name}_rss_with_${streams}`, { value: open.after, unit: "MB" }, rest(open.idle)),
    row(`${name}_rss_after_closing`, { value: closed.after, unit: "MB" }, rest(closed.idle)),
    row(`${name}_kept_after_closing`, { value: closed.after - closed.idle, unit: "MB" }),
    row(`${name}_rss_after_${AT_ONCE}_transfers`, { value: sent.after, unit: "MB" }, rest(sent.idle)),
    row(`${name}_kept_after_${AT_ONCE}_transfers`, { value: sent.after - sent.idle, unit: "MB" }),
  ];
}

/** The process that has grown most, before and after. */
function worst(
  { idle, after, chosen }: { idle: Memory; after: Memory; chosen: (name: string) => boolean },
): { idle: number; after: number } {
  let found = { idle: NaN, after: NaN };
  for (const [name, before] of idle) {
    const now = after.get(name) ?? NaN;
    if (chosen(name) && !(now - before < found.after - found.idle)) found = { idle: before, after: now };
  }
  return found;
}

/** Opens streams, checks that each of them works, closes them, and checks that the peer saw every end. */
async function holdAndClose(bench: Bench, pair: Pair, streams: number): Promise<Held> {
  const { sender, receiver, peer } = pair;
  const before = (await receiver.call("greeted", null)).ended;
  const { ms } = await sender.call("hold", { peer, count: streams });
  await sender.call("check", null);
  bench.note(`${streams} streams opened in ${(ms / 1000).toFixed(1)} s, each of them answers`);
  const open = await settled(pair);
  await sender.call("check", null);
  await sender.call("release", null);
  const end = performance.now() + LONGEST_MS;
  let ended = 0;
  while (ended < streams) {
    if (performance.now() > end) throw new Error(`of ${streams} streams only ${ended} ended`);
    await pause(LOOK_MS);
    ended = (await receiver.call("greeted", null)).ended - before;
  }
  bench.note("all closed");
  return { streams, open, closed: await settled(pair) };
}

async function transferAtOnce(bench: Bench, pair: Pair): Promise<Memory> {
  const bytes = bench.effort.manyBytes;
  const { ms } = await pair.sender.call("transfer", { peer: pair.peer, bytes, streams: AT_ONCE });
  bench.note(`${AT_ONCE} x ${bytes / 1e6} MB arrived, ${(bytes * AT_ONCE / ms / 1000).toFixed(1)} MB/s`);
  return await settled(pair);
}

/** Resident memory once everything that was closed is forgotten, collected, and given back. */
async function settled({ processes }: Pair): Promise<Memory> {
  await pause(REMEMBERED_MS);
  for (let time = 0; time < COLLECTIONS; time++) {
    collect(processes.map(({ pid }) => pid));
    await pause(LOOK_MS);
  }
  const memory = new Map<string, number>();
  const end = performance.now() + LONGEST_MS;
  for (let changed = performance.now(); performance.now() < Math.min(end, changed + QUIET_MS);) {
    for (const { name, pid } of processes) {
      const mb = residentMb(pid) ?? NaN;
      if (mb >= (memory.get(name) ?? Infinity) - STEP_MB) continue;
      memory.set(name, mb);
      changed = performance.now();
    }
    await pause(LOOK_MS);
  }
  return memory;
}

/** A process of the runtime that does nothing. */
function idleProcess(bench: Bench): Deno.ChildProcess {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "setInterval(() => {}, 1e6)"],
    stdin: "null",
    stdout: "null",
  }).spawn();
  bench.defer(async () => {
    child.kill("SIGKILL");
    await child.status;
  });
  return child;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
