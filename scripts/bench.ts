/**
 * Speed and size of everything, each as a ratio to a baseline measured beside it in the same run.
 *
 * Prints a table, or with `--json` one object. Every transfer is checked by length and CRC-32 at the receiver.
 */

import { describeMachine, renderTable } from "./bench_report.ts";
import { parseArguments, runBenchmarks } from "./bench_run.ts";
import { dialBenchmark, latencyBenchmark, simulationBenchmark } from "./bench_latency.ts";
import { memoryBenchmark } from "./bench_memory.ts";
import { agentsBenchmark, embeddedBenchmark, manyBenchmark, udpBenchmark } from "./bench_throughput.ts";
import { Interrupted } from "./demo_world.ts";

const BENCHMARKS = [
  udpBenchmark,
  embeddedBenchmark,
  agentsBenchmark,
  latencyBenchmark,
  dialBenchmark,
  memoryBenchmark,
  manyBenchmark,
  simulationBenchmark,
];

async function main(): Promise<void> {
  const { json, only, effort } = parseArguments(Deno.args);
  const ending = new AbortController();
  const interrupt = () => ending.abort(new Interrupted("interrupted"));
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, interrupt);
  const machine = await describeMachine();
  if (machine.load > machine.cores / 4) {
    console.error(
      `The machine is busy (load ${machine.load}): raw UDP loses most then, so ratios come out too good.`,
    );
  }
  const report = await runBenchmarks(BENCHMARKS, {
    effort,
    only,
    machine,
    signal: ending.signal,
    note: (line) => console.error(line),
  });
  if (json) return console.log(JSON.stringify(report));
  const { cpu, cores, os, kernel, deno, aead, load } = machine;
  console.log(`\n${cpu}, ${cores} cores, ${os} ${kernel}, Deno ${deno}, ${aead}, load ${load} before\n`);
  console.log(renderTable(report.results));
}

if (import.meta.main) {
  try {
    await main();
    Deno.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(error instanceof RangeError ? 2 : error instanceof Interrupted ? 130 : 1);
  }
}
