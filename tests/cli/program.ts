/** Running the real `cli.ts` as a process. */

const ROOT = new URL("../..", import.meta.url).pathname;

/** What a finished process left. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to start it. */
export interface ProgramOptions {
  /** Variables on top of `PATH`; nothing else is inherited but what Deno needs to find its cache. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A running `pilot <args>` with its standard input piped. */
export function startPilot(args: readonly string[], options: ProgramOptions = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `${ROOT}cli.ts`, ...args],
    ...surroundings(options),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs `pilot <args>` to its end. */
export async function pilot(args: readonly string[], options: ProgramOptions = {}): Promise<Finished> {
  return await finish(
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", `${ROOT}cli.ts`, ...args],
      ...surroundings(options),
      stdin: "null",
    }),
  );
}

/** Runs a program of `bin/` to its end. */
export async function shim(
  path: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Finished> {
  return await finish(new Deno.Command(path, { args: [...args], ...surroundings(options), stdin: "null" }));
}

/** The repository's `bin/<name>`. */
export function shimPath(name: string): string {
  return `${ROOT}bin/${name}`;
}

/** Gives a folder for one test, and removes it afterwards. */
export async function inTempFolder(use: (folder: string) => Promise<void>): Promise<void> {
  // Socket paths are short; the temporary folder of some systems is not.
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "pilot-cli-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function finish(command: Deno.Command): Promise<Finished> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function surroundings(options: ProgramOptions): { clearEnv: true; env: Record<string, string>; cwd: string } {
  const env: Record<string, string> = { NO_COLOR: "1", ...options.env };
  for (const name of ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] ??= value;
  }
  return { clearEnv: true, env, cwd: options.cwd ?? "/" };
}
