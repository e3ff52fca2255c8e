/** Programs of this repository as real processes: what they print is kept, and none outlives its test. */

const ROOT = new URL("../..", import.meta.url).pathname;

/** Patience with anything that should happen soon, in milliseconds: the computer may be busy. */
export const DEADLINE_MS = 30_000;

/** What a finished process left. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The first line of `stdout`, or of `stderr` when that is empty, as JSON; `undefined` when it is none. */
  readonly json: unknown;
}

/** How to start a program. */
export interface ProgramOptions {
  /** Relative to the repository. */
  readonly script?: string;
  readonly args: readonly string[];
  /** On top of what Deno itself needs; nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input, empty by default. */
  readonly stdin?: Uint8Array;
  /** Whether it leads a process group of its own, as a program that is started from a terminal. */
  readonly group?: boolean;
  /** A command that becomes the program, such as `ip netns exec NAME`; it must keep its process. */
  readonly through?: readonly string[];
}

/** A process, `cli.ts` unless another script is given. */
export class Program {
  readonly name: string;
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #pumps: Promise<unknown>;
  #stdout = "";
  #stderr = "";
  #status: Deno.CommandStatus | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(options: ProgramOptions) {
    const { script = "cli.ts", args, env, stdin, group = false, through = [] } = options;
    this.name = `${script} ${args.join(" ")}`;
    const [command, ...words] = [...through, Deno.execPath(), "run", "-A", "--quiet", `${ROOT}${script}`];
    this.#child = new Deno.Command(command ?? Deno.execPath(), {
      args: [...words, ...args],
      clearEnv: true,
      env: { ...inherited(), NO_COLOR: "1", ...env },
      cwd: "/",
      detached: group,
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.#pumps = Promise.all([
      this.#pump(this.#child.stdout, (text) => this.#stdout += text),
      this.#pump(this.#child.stderr, (text) => this.#stderr += text),
      stdin === undefined ? undefined : feed(this.#child.stdin, stdin),
      this.#child.status.then((status) => {
        this.#status = status;
        this.#notify();
      }),
    ]);
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Everything it printed, for the report of a failure. */
  get log(): string {
    const end = this.#status === undefined ? "still running" : `ended with ${this.#status.code}`;
    return `--- ${this.name} (pid ${this.pid}, ${end})\n${this.#stdout}${this.#stderr}`;
  }

  /** Waits until its standard output matches. @throws Error when it ends before, or after the deadline */
  async ready(pattern: RegExp): Promise<RegExpExecArray> {
    const late = this.#alarm();
    try {
      for (;;) {
        const match = pattern.exec(this.#stdout);
        if (match !== null) return match;
        if (this.#status !== undefined) throw new Error(`it ended before it was ready\n${this.log}`);
        if (late.rang) throw new Error(`it is not ready in time\n${this.log}`);
        await this.#changed.promise;
      }
    } finally {
      late.cancel();
    }
  }

  /** Sends a signal; nothing happens when the process is gone. */
  signal(name: Deno.Signal): void {
    try {
      this.#child.kill(name);
    } catch {
      // Gone already.
    }
  }

  /** Waits for its end. @throws Error when it does not end by itself; it is killed then */
  async finished(): Promise<Result> {
    const late = this.#alarm();
    while (this.#status === undefined && !late.rang) await this.#changed.promise;
    late.cancel();
    if (this.#status === undefined) {
      const { log } = this;
      await this.kill();
      throw new Error(`it does not end\n${log}`);
    }
    await this.#pumps;
    return {
      code: this.#status.code,
      stdout: this.#stdout,
      stderr: this.#stderr,
      json: firstJson(this.#stdout === "" ? this.#stderr : this.#stdout),
    };
  }

  /** Sends a signal, SIGTERM by default, and waits for the end. @throws as {@link finished} */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<Result> {
    this.signal(signal);
    return await this.finished();
  }

  /** Ends it the hard way (SIGKILL). Resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#pumps;
  }

  #alarm(): { readonly rang: boolean; cancel(): void } {
    let rang = false;
    const timer = setTimeout(() => {
      rang = true;
      this.#notify();
    }, DEADLINE_MS);
    return {
      get rang() {
        return rang;
      },
      cancel: () => clearTimeout(timer),
    };
  }

  async #pump(stream: ReadableStream<Uint8Array<ArrayBuffer>>, take: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      take(text);
      this.#notify();
    }
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** Waits until `condition` holds. @throws Error with `what` after the deadline */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = DEADLINE_MS,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`it never happens: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What `promise` resolves with. @throws Error with `what` when that takes longer than the deadline */
export async function soon<T>(what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`it takes too long: ${what}`)), DEADLINE_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The processes whose command line or environment names `folder`, without this one. */
export function processesNaming(folder: string): number[] {
  const found: number[] = [];
  for (const { name } of readDir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    const texts = ["cmdline", "environ"].map((file) => readText(`/proc/${name}/${file}`));
    if (texts.some((text) => text.includes(folder))) found.push(Number(name));
  }
  return found;
}

/** What is at the end of a path of member names and indices in JSON, `undefined` when the path leads nowhere. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (within, name) => typeof within === "object" && within !== null ? Reflect.get(within, name) : undefined,
    value,
  );
}

/** As `at`, a list; empty when there is none. */
export function listAt(value: unknown, ...path: readonly (string | number)[]): unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** Whether anything, of whatever kind, lies at `path`. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

async function feed(stdin: WritableStream<Uint8Array>, data: Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(data);
    await writer.close();
  } catch {
    // It ended without reading all of it.
  }
}

function inherited(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function firstJson(text: string): unknown {
  try {
    return JSON.parse(text.split("\n", 1)[0] ?? "");
  } catch {
    return undefined;
  }
}

function readDir(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch {
    return []; // no such file system here
  }
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // gone, or not ours
  }
}
