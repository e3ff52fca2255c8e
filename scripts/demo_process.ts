/** Starting `cli.ts` as a separate process and listening to what it says. */

import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../cli.ts", import.meta.url));
/** Lines of output kept of each process, for the report of a failure. */
const KEPT_LINES = 200;
/** Patience with a process that was asked to stop, in milliseconds. */
const STOP_MS = 3_000;

/** What a finished command left. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start of the process to its end, in milliseconds. */
  readonly wallMs: number;
}

/** Variables set for a process on top of the environment. */
export type Variables = Readonly<Record<string, string>>;

/** How a process is started. */
export interface ProcessOptions {
  readonly args: readonly string[];
  readonly env: Variables;
  /** Arguments for the runtime itself. */
  readonly runtime?: readonly string[];
  /** What comes before it all on the command line, such as what enters a network namespace. */
  readonly enter?: readonly string[];
}

/** Runs `pilot <args>` to its end. Rejects when `signal` fires; the process is stopped then. */
export async function runPilot(
  args: readonly string[],
  options: { env: Variables; signal: AbortSignal },
): Promise<Finished> {
  options.signal.throwIfAborted();
  const start = performance.now();
  const child = command({ args, env: options.env }).spawn();
  let cancelInsisting = () => {};
  const stop = () => cancelInsisting = stopSoon(child);
  options.signal.addEventListener("abort", stop);
  try {
    const { code, stdout, stderr } = await child.output();
    options.signal.throwIfAborted();
    const decoder = new TextDecoder();
    const wallMs = performance.now() - start;
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr), wallMs };
  } finally {
    options.signal.removeEventListener("abort", stop);
    cancelInsisting();
  }
}

/** A process that goes on until it is stopped. */
export class Server {
  readonly name: string;
  readonly #child: Deno.ChildProcess;
  readonly #lines: string[] = [];
  readonly #pumps: Promise<void>[];
  #stdout = "";
  #ended: Deno.CommandStatus | undefined;
  #changed = Promise.withResolvers<void>();

  /** Starts `pilot <args>`. */
  constructor(
    name: string,
    options: ProcessOptions,
  ) {
    this.name = name;
    this.#child = command(options).spawn();
    this.#pumps = [
      this.#pump(this.#child.stdout, (text) => this.#stdout += text),
      this.#pump(this.#child.stderr, () => {}),
      this.#child.status.then((status) => {
        this.#ended = status;
        this.#notify();
      }),
    ];
  }

  /** Waits until its standard output matches and returns the output. @throws Error when it ends before */
  async ready(pattern: RegExp, signal: AbortSignal): Promise<string> {
    const abort = () => this.#notify();
    signal.addEventListener("abort", abort);
    try {
      while (!pattern.test(this.#stdout)) {
        signal.throwIfAborted();
        if (this.#ended !== undefined) throw new Error(`${this.name} ended with code ${this.#ended.code}`);
        await this.#changed.promise;
      }
      return this.#stdout;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Whether it still runs. */
  get running(): boolean {
    return this.#ended === undefined;
  }

  /** The last lines it wrote to either output. */
  get log(): string {
    return this.#lines.join("\n");
  }

  /** Asks it to stop, insists after a while, and returns when it is gone. */
  async stop(): Promise<void> {
    const cancelInsisting = stopSoon(this.#child);
    await Promise.all(this.#pumps);
    cancelInsisting();
  }

  async #pump(stream: ReadableStream<Uint8Array<ArrayBuffer>>, take: (text: string) => void): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      take(text);
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.#lines.push(...lines);
      this.#lines.splice(0, this.#lines.length - KEPT_LINES);
      this.#notify();
    }
    if (rest !== "") this.#lines.push(rest);
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function command({ args, env, runtime = [], enter = [] }: ProcessOptions): Deno.Command {
  const [program, ...words] = [...enter, Deno.execPath(), "run", "-A", "--quiet", ...runtime, CLI, ...args];
  return new Deno.Command(program ?? "", {
    args: words,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Asks a process to stop and kills it if it does not; the returned function calls that off. */
function stopSoon(child: Deno.ChildProcess): () => void {
  kill(child, "SIGTERM");
  const insist = setTimeout(() => kill(child, "SIGKILL"), STOP_MS);
  return () => clearTimeout(insist);
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It is gone already.
  }
}
