/** How long small things take: round trips, opening streams, building a simulated world. */

import { agentPair, embeddedPair, type Pair } from "./bench_pairs.ts";
import { Worker } from "./bench_process.ts";
import { type Row, row } from "./bench_report.ts";
import type { Bench, Benchmark } from "./bench_run.ts";
import { median, quantile } from "./bench_stats.ts";

/** Streams under way at the same time when as many as possible are opened. */
const AT_ONCE = 16;

/** Echoes on bare sockets. */
class RawEcho {
  readonly #client: Worker;
  readonly #udp: number;
  readonly #tcp: number;

  private constructor(client: Worker, ports: { udp: number; tcp: number }) {
    this.#client = client;
    this.#udp = ports.udp;
    this.#tcp = ports.tcp;
  }

  static async start(bench: Bench): Promise<RawEcho> {
    const client = Worker.start("raw client", bench);
    const server = Worker.start("raw server", bench);
    const udp = (await server.call("udpEcho", null)).port;
    const tcp = (await server.call("tcpEcho", null)).port;
    const echo = new RawEcho(client, { udp, tcp });
    await echo.udp(300);
    await echo.tcp(300);
    return echo;
  }

  udp(count: number): Promise<number[]> {
    return this.#client.call("udpPing", { port: this.#udp, count });
  }

  tcp(count: number): Promise<number[]> {
    return this.#client.call("tcpPing", { port: this.#tcp, count });
  }

  dial(count: number, atOnce = 1): Promise<{ samples: number[]; ms: number }> {
    return this.#client.call("tcpDial", { port: this.#tcp, count, atOnce });
  }
}

/** Round trips after which the runtime has compiled what they use, on every process of the way. */
const WARM_UP = 20_000;
/** Round trips of a process that has just begun: what short-lived programs see. */
const COLD = 5_000;

/** (d) Round trips of 64 bytes on a warm stream. */
export const latencyBenchmark: Benchmark = {
  name: "latency",
  summary:
    `round trips of 64 bytes on one stream, after ${WARM_UP} to warm up; the first ${COLD} on their own`,
  async run(bench) {
    const raw = await RawEcho.start(bench);
    const pairs = [
      { name: "embedded_rtt", pair: await embeddedPair(bench) },
      { name: "agents_rtt", pair: await agentPair(bench) },
    ];
    const { pings, rounds } = bench.effort;
    const warmUp = Math.max(COLD, Math.round(WARM_UP * Math.min(1, pings / COLD)));
    await raw.udp(warmUp);
    await raw.tcp(warmUp);
    const cold: number[][] = [];
    for (const { name, pair } of pairs) {
      const first = await pair.sender.call("ping", { peer: pair.peer, count: warmUp });
      cold.push(first.slice(0, COLD));
      bench.note(`${name}: warmed up with ${warmUp} round trips`);
    }
    const udp: number[][] = [];
    const tcp: number[][] = [];
    const samples: number[][][] = pairs.map(() => []);
    for (let round = 0; round < rounds; round++) {
      udp.push(await raw.udp(pings));
      tcp.push(await raw.tcp(pings));
      for (const [index, { pair }] of pairs.entries()) {
        samples[index]?.push(await pair.sender.call("ping", { peer: pair.peer, count: pings }));
      }
    }
    return pairs.flatMap(({ name }, index) => {
      const p50 = { value: overRounds(samples[index] ?? [], 0.5), unit: "us" };
      const p99 = { value: overRounds(samples[index] ?? [], 0.99), unit: "us" };
      return [
        row(`${name}_p50`, p50, { name: "raw UDP p50", value: overRounds(udp, 0.5) }),
        row(`${name}_p50_tcp`, p50, { name: "raw TCP p50", value: overRounds(tcp, 0.5) }),
        row(`${name}_p99`, p99, { name: "raw UDP p99", value: overRounds(udp, 0.99) }),
        row(`${name}_p99_p50`, p99, { name: "its own p50", value: p50.value }),
        row(`${name}_first_${COLD}_p50`, { value: quantile(cold[index] ?? [], 0.5), unit: "us" }, {
          name: "its own p50 when warm",
          value: p50.value,
        }),
        row(`${name}_first_${COLD}_p99`, { value: quantile(cold[index] ?? [], 0.99), unit: "us" }, {
          name: "its own p99 when warm",
          value: p99.value,
        }),
      ];
    });
  },
};

/** (e, f) Opening streams through a warm tunnel. */
export const dialBenchmark: Benchmark = {
  name: "dial",
  summary: "opening streams through a warm tunnel, until the peer's first byte",
  async run(bench) {
    const raw = await RawEcho.start(bench);
    const rows = await dialRows(bench, { name: "embedded", raw, pair: await embeddedPair(bench) });
    return [...rows, ...await dialRows(bench, { name: "agents", raw, pair: await agentPair(bench) })];
  },
};

async function dialRows(bench: Bench, on: { name: string; raw: RawEcho; pair: Pair }): Promise<Row[]> {
  const { name, raw, pair: { sender, peer } } = on;
  const { dials, rounds } = bench.effort;
  await raw.dial(dials);
  const { samples: cold } = await sender.call("dial", { peer, count: dials });
  bench.note(`${name}: warmed up with ${dials} dials`);
  const tcp: number[][] = [];
  const single: number[][] = [];
  const rates: number[] = [];
  const tcpRates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    tcp.push((await raw.dial(dials)).samples);
    tcpRates.push(dials * 2000 / (await raw.dial(dials * 2, AT_ONCE)).ms);
    single.push((await sender.call("dial", { peer, count: dials })).samples);
    const { ms } = await sender.call("dial", { peer, count: dials * 2, atOnce: AT_ONCE });
    rates.push(dials * 2000 / ms);
    bench.note(`${name}: ${median(single.at(-1) ?? []).toFixed(2)} ms, ${rates.at(-1)?.toFixed(0)}/s`);
  }
  const first = { value: overRounds(single, 0.5), unit: "ms" };
  const last = { value: overRounds(single, 0.99), unit: "ms" };
  return [
    row(`${name}_first_byte_p50`, first, { name: "TCP dial p50", value: overRounds(tcp, 0.5) }),
    row(`${name}_first_byte_p99`, last, { name: "TCP dial p99", value: overRounds(tcp, 0.99) }),
    row(`${name}_first_byte_first_${dials}_p50`, { value: median(cold), unit: "ms" }, {
      name: "its own p50 when warm",
      value: first.value,
    }),
    row(`${name}_streams_per_second`, { value: median(rates), unit: "1/s" }, {
      name: "TCP dials",
      value: median(tcpRates),
    }),
  ];
}

/** (j) What a test of two agents costs. */
export const simulationBenchmark: Benchmark = {
  name: "simulation",
  summary: "a simulated world of two agents, built, befriended, and a message exchanged",
  async run(bench) {
    const worker = Worker.start("simulation", bench);
    const [cold = NaN] = await worker.call("simulate", { count: 1 });
    const warm = await worker.call("simulate", { count: 30 });
    const compared = { name: "the first one in a process", value: cold };
    return [row("simulated_world", { value: median(warm.slice(10)), unit: "ms" }, compared)];
  },
};

/** The median over the rounds of a quantile of each. */
function overRounds(rounds: readonly (readonly number[])[], share: number): number {
  return median(rounds.map((samples) => quantile(samples, share)));
}
