/** Throughput of streams, and what a megabyte costs, beside raw datagrams. */

import { type Blast, iperfRate, UdpBaseline } from "./bench_baseline.ts";
import { agentPair, embeddedPair, type Pair, type PairOptions, REAL_PATH } from "./bench_pairs.ts";
import { watchCpu } from "./bench_proc.ts";
import { type Row, row } from "./bench_report.ts";
import type { Bench, Benchmark } from "./bench_run.ts";
import { median } from "./bench_stats.ts";

const RAW_UDP = "raw UDP, 1,200 B";
const IPERF = "iperf3 -u -l 1200";

/** A pair and what it did. */
interface Measured {
  readonly name: string;
  readonly pair: Pair;
  readonly rounds: Round[];
}

interface Round {
  readonly rate: number;
  /** Microseconds of processor time per MB, for each process of the pair. */
  readonly cpu: readonly number[];
}

/** (a) The baselines beside each other. */
export const udpBenchmark: Benchmark = {
  name: "udp",
  summary: "datagrams of 1,200 bytes between two processes of this runtime",
  async run(bench) {
    const baseline = await UdpBaseline.start(bench);
    const raw: Blast[] = [];
    const iperf: (number | undefined)[] = [];
    for (let round = 0; round < bench.effort.rounds; round++) {
      raw.push(await baseline.blast());
      iperf.push(await iperfRate(bench));
    }
    const value = median(raw.map((blast) => blast.rate));
    return [row("raw_udp", { value, unit: "MB/s" }, { name: IPERF, value: medianOf(iperf) })];
  },
};

/** (b) Two programs that embed a node. */
export const embeddedBenchmark: Benchmark = {
  name: "embedded",
  summary: "one stream between two processes that embed a node",
  run: (bench) => measure(bench, "embedded_stream", embeddedPair),
};

/** (c) Two agents with a program at each socket. */
export const agentsBenchmark: Benchmark = {
  name: "agents",
  summary: "one stream through two agents, a client at each local socket",
  run: (bench) => measure(bench, "agents_stream", agentPair),
};

/** (i) A hundred streams at once. */
export const manyBenchmark: Benchmark = {
  name: "many",
  summary: "100 streams at once between two processes that embed a node",
  async run(bench) {
    const baseline = await UdpBaseline.start(bench);
    const pair = await embeddedPair(bench, { maxDatagram: REAL_PATH });
    const raw: number[] = [];
    const rates: number[] = [];
    const bytes = bench.effort.manyBytes;
    for (let round = 0; round < Math.min(3, bench.effort.rounds); round++) {
      raw.push((await baseline.blast()).rate);
      const { ms } = await pair.sender.call("transfer", { peer: pair.peer, bytes, streams: 100 });
      rates.push(bytes * 100 / ms / 1000);
      bench.note(`100 x ${bytes / 1e6} MB: ${rates.at(-1)?.toFixed(1)} MB/s`);
    }
    const compared = { name: RAW_UDP, value: median(raw) };
    return [row("embedded_100_streams", { value: median(rates), unit: "MB/s" }, compared)];
  },
};

async function measure(
  bench: Bench,
  name: string,
  make: (bench: Bench, options: PairOptions) => Promise<Pair>,
): Promise<Row[]> {
  const baseline = await UdpBaseline.start(bench);
  const held: Measured = { name, pair: await make(bench, { maxDatagram: REAL_PATH }), rounds: [] };
  const free: Measured = { name: `${name}_mtu`, pair: await make(bench, {}), rounds: [] };
  const raw: Blast[] = [];
  const iperf: (number | undefined)[] = [];
  for (let round = 1; round <= bench.effort.rounds; round++) {
    raw.push(await baseline.blast());
    iperf.push(await iperfRate(bench));
    for (const { pair, rounds } of [held, free]) rounds.push(await transfer(pair, bench.effort.bytes));
    const rates = [held, free].map(({ rounds }) => rounds.at(-1)?.rate.toFixed(1)).join(" and ");
    bench.note(`round ${round}: ${rates} MB/s, raw UDP ${raw.at(-1)?.rate.toFixed(1)}`);
  }
  const rawRate = median(raw.map((blast) => blast.rate));
  return [held, free].flatMap((measured) => {
    const rate = { value: median(measured.rounds.map((round) => round.rate)), unit: "MB/s" };
    return [
      row(measured.name, rate, { name: RAW_UDP, value: rawRate }),
      row(`${measured.name}_iperf3`, rate, { name: IPERF, value: medianOf(iperf) }),
      ...costs(measured, raw),
    ];
  });
}

async function transfer(pair: Pair, bytes: number): Promise<Round> {
  const spent = watchCpu(pair.processes.map(({ pid }) => pid));
  const { ms } = await pair.sender.call("transfer", { peer: pair.peer, bytes });
  return { rate: bytes / ms / 1000, cpu: spent().map((seconds) => seconds * 1e12 / bytes) };
}

/** (g) Microseconds of processor time per MB, beside those of a raw sender or receiver. */
function costs({ name, pair, rounds }: Measured, raw: readonly Blast[]): Row[] {
  return pair.processes.map((process, index) => {
    const value = median(rounds.map((round) => round.cpu[index] ?? NaN));
    const side = index < pair.processes.length / 2 ? 0 : 1;
    const label = process.name.replaceAll("'s ", "_");
    return row(`${name}_cpu_${label}`, { value, unit: "us/MB" }, {
      name: `raw UDP ${side === 0 ? "sender" : "receiver"}`,
      value: median(raw.map((blast) => blast.cpu[side])),
    });
  });
}

function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : median(known);
}
