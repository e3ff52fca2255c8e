/** The processes that are measured, as seen from the one that measures. */

import { fileURLToPath } from "node:url";
import type { Bench } from "./bench_run.ts";
import type { Methods } from "./bench_worker.ts";

const WORKER = fileURLToPath(new URL("./bench_worker.ts", import.meta.url));
/** Patience with a process that was asked to end, milliseconds. */
const STOP_MS = 3_000;
/** Patience with a call: what takes longer stands still. Milliseconds. */
const CALL_MS = 300_000;

/** A worker process that carries out calls, one line of JSON each way. */
export class Worker {
  readonly name: string;
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #output: Promise<void>;
  #last = 0;
  #ended = false;

  private constructor(name: string, child: Deno.ChildProcess) {
    this.name = name;
    this.pid = child.pid;
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#output = this.#readAll();
  }

  /**
   * Starts a worker that ends with the benchmark; `runtime` are arguments for the runtime itself, `enter` what comes
   * before it all on the command line.
   */
  static start(
    name: string,
    bench: Pick<Bench, "defer" | "signal">,
    runtime: readonly string[] = [],
    enter: readonly string[] = [],
  ): Worker {
    const words = [...enter, Deno.execPath(), "run", "-A", "--quiet", "--unstable-net", ...runtime, WORKER];
    const child = new Deno.Command(words[0] ?? "", {
      args: words.slice(1),
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const worker = new Worker(name, child);
    const interrupt = () => worker.#kill("SIGKILL");
    bench.signal.addEventListener("abort", interrupt);
    bench.defer(async () => {
      bench.signal.removeEventListener("abort", interrupt);
      await worker.#stop();
    });
    return worker;
  }

  /** Calls a method over there. @throws Error when it fails, takes more than `timeoutMs`, or the process ends */
  async call<Name extends keyof Methods>(
    method: Name,
    params: Parameters<Methods[Name]>[0],
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Awaited<ReturnType<Methods[Name]>>> {
    const id = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    if (this.#ended) throw new Error(`${this.name} has ended`);
    this.#waiting.set(id, resolve);
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify({ id, method, params })}\n`));
    const timeoutMs = options.timeoutMs ?? CALL_MS;
    const giveUp = setTimeout(
      () => resolve({ id, error: `not done after ${timeoutMs / 1000} s` }),
      timeoutMs,
    );
    const answer = await promise;
    clearTimeout(giveUp);
    if (answer.error !== undefined) throw new Error(`${this.name}: ${method}: ${answer.error}`);
    // The other end is this very source, so the result is what the method returned.
    return answer.result as Awaited<ReturnType<Methods[Name]>>;
  }

  async #readAll(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line));
    }
    this.#ended = true;
    for (const settle of this.#waiting.values()) settle({ id: 0, error: "the process ended" });
    this.#waiting.clear();
  }

  #take(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }

  async #stop(): Promise<void> {
    const insist = setTimeout(() => this.#kill("SIGKILL"), STOP_MS);
    // A worker ends with its standard input.
    await this.#input.close().catch(() => {});
    await this.#child.status;
    clearTimeout(insist);
    await this.#output;
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It is gone already.
    }
  }
}

/** The answer to a call. */
export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}
