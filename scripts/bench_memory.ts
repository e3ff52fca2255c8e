/** (h) What agents hold: at rest, after a lot went through, with many idle streams, and after those were closed. */

import { agentPair, embeddedPair, type Pair } from "./bench_pairs.ts";
import { residentMb } from "./bench_proc.ts";
import { type Row, row } from "./bench_report.ts";
import type { Bench, Benchmark } from "./bench_run.ts";

/** Time that a runtime gets to give memory back, milliseconds. */
const SETTLE_MS = 2_000;

/** Resident memory of the agents. */
export const memoryBenchmark: Benchmark = {
  name: "memory",
  summary: "resident memory of an agent",
  async run(bench) {
    const { bytes, idle } = bench.effort;
    const bare = idleProcess(bench);
    const pair = await agentPair(bench);
    const { sender, peer } = pair;
    const runtime = { name: "an idle process of the runtime", value: residentMb(bare.pid) };
    const atRest = await agentsMb(pair);
    for (let sent = 0; sent < 1e9; sent += bytes) {
      await sender.call("transfer", { peer, bytes });
      if (bytes < FULL_BYTES) break;
    }
    const after = await agentsMb(pair);
    bench.note(`opening ${idle} streams`);
    const { ms } = await sender.call("hold", { peer, count: idle });
    bench.note(`opened in ${(ms / 1000).toFixed(1)} s`);
    const holding = await agentsMb(pair);
    await sender.call("release", null);
    const released = await agentsMb(pair);
    const rest = { name: "idle", value: atRest };
    return [
      ...await embeddedRows(bench),
      row("agent_rss_idle", { value: atRest, unit: "MB" }, runtime),
      row("agent_rss_after_transfer", { value: after, unit: "MB" }, rest),
      row("agent_rss_per_1000_streams", { value: (holding - after) * 1000 / idle, unit: "MB" }),
      row("agent_rss_after_closing", { value: released, unit: "MB" }, rest),
    ];
  },
};

/** The same for ten times as many streams between two programs that embed a node. */
async function embeddedRows(bench: Bench): Promise<Row[]> {
  const pair = await embeddedPair(bench);
  const { sender, peer } = pair;
  const streams = bench.effort.idle * 10;
  const atRest = await settledMb(pair.processes);
  const { ms } = await sender.call("hold", { peer, count: streams });
  bench.note(`embedded: ${streams} streams opened in ${(ms / 1000).toFixed(1)} s`);
  const holding = await settledMb(pair.processes);
  await sender.call("release", null);
  const released = await settledMb(pair.processes);
  return [
    row("embedded_rss_per_1000_streams", { value: (holding - atRest) * 1000 / streams, unit: "MB" }),
    row("embedded_rss_after_closing", { value: released, unit: "MB" }, { name: "before", value: atRest }),
  ];
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

/** From this size of a transfer on, a gigabyte is sent in all. */
const FULL_BYTES = 256e6;

/** Resident memory of the larger agent. */
function agentsMb(pair: Pair): Promise<number> {
  return settledMb(pair.processes.filter(({ name }) => name.endsWith("agent")));
}

/** Resident memory of the largest process, once it had time to settle. */
async function settledMb(processes: Pair["processes"]): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return Math.max(...processes.map(({ pid }) => residentMb(pid) ?? NaN));
}
