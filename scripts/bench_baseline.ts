/** Raw throughput beside which streams are measured. */

import { watchCpu } from "./bench_proc.ts";
import { Worker } from "./bench_process.ts";
import { BLAST_BYTES } from "./bench_raw.ts";
import type { Bench } from "./bench_run.ts";

/** What one blast came to. */
export interface Blast {
  /** MB/s that arrived. */
  readonly rate: number;
  /** Processor time of the sender per MB sent and of the receiver per MB received, microseconds. */
  readonly cpu: readonly [number, number];
}

/** Datagrams between two processes of this runtime, as fast as its sockets take them. */
export class UdpBaseline {
  readonly #sender: Worker;
  readonly #receiver: Worker;
  readonly #port: number;
  readonly #ms: number;

  private constructor(workers: { sender: Worker; receiver: Worker; port: number; ms: number }) {
    this.#sender = workers.sender;
    this.#receiver = workers.receiver;
    this.#port = workers.port;
    this.#ms = workers.ms;
  }

  /** Starts both processes and warms them up. */
  static async start(bench: Bench): Promise<UdpBaseline> {
    const sender = Worker.start("raw UDP sender", bench);
    const receiver = Worker.start("raw UDP receiver", bench);
    const { port } = await receiver.call("udpSink", null);
    const baseline = new UdpBaseline({ sender, receiver, port, ms: bench.effort.blastSeconds * 1000 });
    await sender.call("udpBlast", { port, ms: 200 });
    await receiver.call("udpSinkTotals", null);
    return baseline;
  }

  /** One round. */
  async blast(): Promise<Blast> {
    const spent = watchCpu([this.#sender.pid, this.#receiver.pid]);
    const sent = await this.#sender.call("udpBlast", { port: this.#port, ms: this.#ms });
    const got = await this.#receiver.call("udpSinkTotals", null);
    const [sender = NaN, receiver = NaN] = spent();
    return {
      rate: got.bytes / got.ms / 1000,
      cpu: [sender * 1e12 / sent.bytes, receiver * 1e12 / got.bytes],
    };
  }
}

/** MB/s that `iperf3 -u -l 1200` gets through, `undefined` when it is not installed. */
export async function iperfRate(bench: Bench): Promise<number | undefined> {
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String(probe.addr.port);
  probe.close();
  // It takes whole seconds; 0 would mean for ever.
  const seconds = String(Math.max(1, Math.round(bench.effort.blastSeconds)));
  const common = ["-p", port, "--forceflush"];
  const blast = ["-u", "-b", "0", "-l", String(BLAST_BYTES), "-t", seconds, "-J"];
  const started: Deno.ChildProcess[] = [];
  const stop = () => started.forEach(kill);
  bench.signal.addEventListener("abort", stop);
  try {
    const server = iperf(["-s", "-1", "-B", "127.0.0.1", ...common]);
    started.push(server);
    // Its first words say that it listens.
    const output = server.stdout.getReader();
    await output.read();
    output.releaseLock();
    const client = iperf(["-c", "127.0.0.1", ...common, ...blast]);
    started.push(client);
    const { stdout } = await client.output();
    const sum = JSON.parse(new TextDecoder().decode(stdout)).end?.sum;
    const rate = sum?.bytes * (1 - sum?.lost_percent / 100) / sum?.seconds / 1e6;
    await server.stdout.cancel();
    return Number.isFinite(rate) ? rate : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    bench.signal.removeEventListener("abort", stop);
    stop();
    await Promise.all(started.map((child) => child.status));
  }
}

function iperf(args: string[]): Deno.ChildProcess {
  return new Deno.Command("iperf3", { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It is gone already.
  }
}
