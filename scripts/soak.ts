/**
 * Mixed load between two agents over a bad network, for as long as wanted: `deno run -A scripts/soak.ts --minutes 30`.
 *
 * Ends with 0 only if every byte arrived as it was sent and, in runs of ten minutes or more, the memory of no agent
 * grows over the last twenty minutes (in shorter runs: the last two thirds).
 * Leaves no process and no file behind, also when it is interrupted.
 */

import { startAgents } from "./bench_pairs.ts";
import { residentMb } from "./bench_proc.ts";
import { Worker } from "./bench_process.ts";
import { quantile, slope } from "./bench_stats.ts";
import { Interrupted } from "./demo_world.ts";
import type { LoadTotals } from "./soak_load.ts";
import { SoakNetwork } from "./soak_network.ts";

/** The network between the agents: shares of datagrams lost and overtaken. */
const BADNESS = { loss: 0.02, late: 0.02 };
/** Most that memory may grow, MB in ten minutes. */
const MAX_GROWTH = 1;
/** Growth is that of the last minutes, but not of the first third, in which the runtime settles. */
const LAST_MINUTES = 20;
/** From this length on the growth decides: before, it is the runtime settling. */
const DECISIVE_MINUTES = 10;
/**
 * Distance of memory samples and of reports, milliseconds. Garbage comes and goes within seconds: few samples would make
 * a slope of it by chance.
 */
const SAMPLE_MS = 1_000;
const REPORT_MS = 60_000;
/** How long after the end of the load the last of it may take, milliseconds. */
const PATIENCE_MS = 180_000;
/** Largest single transfer. */
const MAX_BYTES = 20e6;

/** Resident memory of the agents at a time, MB. */
interface Sample {
  readonly minutes: number;
  readonly mb: readonly number[];
}

/** What a soak came to. */
export interface SoakReport {
  readonly minutes: number;
  /** What is wrong, empty when all is well. */
  readonly problems: readonly string[];
  readonly totals: readonly LoadTotals[];
  /** MB in ten minutes, for each agent. */
  readonly growth: readonly number[];
  readonly rss_mb: readonly { readonly first: number; readonly last: number }[];
}

/** The growth of each agent at the end, MB in ten minutes: the slope of the least-squares line. */
export function growthOf(samples: readonly Sample[]): number[] {
  const last = samples.at(-1)?.minutes ?? 0;
  const start = Math.max(last / 3, last - LAST_MINUTES);
  const counted = samples.filter(({ minutes }) => minutes >= start);
  return (samples[0]?.mb ?? []).map((_, index) =>
    10 * slope(counted.map(({ minutes, mb }) => ({ x: minutes, y: mb[index] ?? NaN })))
  );
}

/** What is wrong with a run. */
export function problemsOf(
  run: {
    readonly minutes: number;
    readonly growth: readonly number[];
    readonly totals: readonly LoadTotals[];
  },
): string[] {
  const problems = run.totals.flatMap(({ errors }) => errors);
  for (const { transfers, requests, opened, datagramsReceived } of run.totals) {
    if (Math.min(transfers, requests, opened, datagramsReceived) === 0) {
      problems.push("a kind of load stood still");
    }
  }
  for (const [index, growth] of run.growth.entries()) {
    if (run.minutes < DECISIVE_MINUTES || growth < MAX_GROWTH) continue;
    problems.push(`agent ${index + 1} grows by ${growth.toFixed(2)} MB in ten minutes`);
  }
  return problems;
}

/** Runs the load for `minutes`. */
export async function soak(
  minutes: number,
  options: { readonly signal: AbortSignal; readonly note: (line: string) => void },
): Promise<SoakReport> {
  const { signal, note } = options;
  await using stack = new AsyncDisposableStack();
  const scope = { signal, defer: (stop: () => Promise<void> | void) => stack.defer(stop) };
  const place = await SoakNetwork.create();
  stack.defer(() => place.remove());
  const network = Worker.start("network", scope, [], place.enter("middle"));
  const { host } = place;
  const { pids, sockets } = await startAgents(scope, {
    place,
    bridge: async (port) => (await network.call("startProxy", { beacon: { host, port }, ...BADNESS })).port,
  });
  const programs = [Worker.start("program of a", scope), Worker.start("program of b", scope)];
  const nodes = await Promise.all(
    programs.map((program, index) => program.call("soakServe", { socket: sockets[index] ?? "" })),
  );
  const start = performance.now();
  const passed = () => (performance.now() - start) / 60_000;
  const samples: Sample[] = [];
  const timers = [
    setInterval(
      () => samples.push({ minutes: passed(), mb: pids.map((pid) => residentMb(pid) ?? NaN) }),
      SAMPLE_MS,
    ),
    setInterval(
      () => note(`${passed().toFixed(1)} min: ${samples.at(-1)?.mb.map((mb) => mb.toFixed(1))} MB`),
      REPORT_MS,
    ),
  ];
  stack.defer(() => timers.forEach(clearInterval));
  await Promise.all(programs.map((program, index) =>
    program.call("soakLoad", {
      socket: sockets[index] ?? "",
      peer: nodes[1 - index]?.node ?? 0,
      ms: minutes * 60_000,
      maxBytes: MAX_BYTES,
    }, { timeoutMs: minutes * 60_000 + PATIENCE_MS })
  ));
  const totals = await Promise.all(programs.map((program) => program.call("soakTotals", null)));
  const passedBy = await network.call("proxyStats", null);
  note(`network: ${JSON.stringify(passedBy)}`);
  const growth = growthOf(samples);
  const problems = problemsOf({ minutes, growth, totals });
  const carried = totals.reduce((sum, { transferredBytes }) => sum + transferredBytes, 0);
  if ((passedBy?.bytes ?? 0) < carried) problems.push("the load went around the bad network");
  const rss_mb = pids.map((_, index) => ({
    first: samples[0]?.mb[index] ?? NaN,
    last: samples.at(-1)?.mb[index] ?? NaN,
  }));
  return { minutes, problems, totals, growth, rss_mb };
}

async function main(): Promise<boolean> {
  const at = Deno.args.indexOf("--minutes");
  const minutes = at < 0 ? 1 : Number(Deno.args[at + 1]);
  if (!(minutes > 0)) throw new RangeError("--minutes wants a positive number");
  const ending = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => ending.abort(new Interrupted("interrupted")));
  }
  const note = (line: string) => console.error(line);
  try {
    const report = await soak(minutes, { signal: ending.signal, note });
    if (Deno.args.includes("--json")) console.log(JSON.stringify(report));
    else console.log(render(report));
    return report.problems.length === 0;
  } catch (error) {
    ending.signal.throwIfAborted();
    throw error;
  }
}

function render(report: SoakReport): string {
  const lines = report.totals.map((totals, index) => {
    const { first, last } = report.rss_mb[index] ?? { first: NaN, last: NaN };
    return `agent ${index + 1}: ${totals.transfers} transfers (${
      (totals.transferredBytes / 1e6).toFixed(0)
    } MB), ` +
      `${totals.requests} requests (p50 ${ms(totals, 0.5)}, p99 ${
        ms(totals, 0.99)
      } ms), ${totals.opened} streams of storms, ` +
      `datagrams ${totals.datagramsSent} sent and ${totals.datagramsReceived} received; ` +
      `RSS ${first.toFixed(1)} -> ${last.toFixed(1)} MB, ${
        report.growth[index]?.toFixed(2)
      } MB in ten minutes`;
  });
  const verdict = report.problems.length === 0 ? "All is well." : report.problems.join("\n");
  return [...lines, verdict].join("\n");
}

function ms(totals: LoadTotals, share: number): string {
  return quantile(totals.requestMs, share).toFixed(1);
}

if (import.meta.main) {
  try {
    Deno.exit(await main() ? 0 : 1);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(error instanceof RangeError ? 2 : error instanceof Interrupted ? 130 : 1);
  }
}
