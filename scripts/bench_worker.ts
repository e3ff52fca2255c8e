/** The process at the other end of `bench_process.ts`: carries out calls until its standard input ends. */

import type { Answer } from "./bench_process.ts";
import { rawMethods } from "./bench_raw.ts";
import { simulationMethods } from "./bench_simulation.ts";
import { streamMethods } from "./bench_streams.ts";
import { soakMethods } from "./soak_load.ts";

/** Everything a worker can do. */
export const methods = { ...rawMethods, ...streamMethods, ...simulationMethods, ...soakMethods };

/** The calls of a worker by name. */
export type Methods = typeof methods;

async function answer(line: string): Promise<void> {
  const call: { id: number; method: keyof Methods; params: unknown } = JSON.parse(line);
  // The caller is checked against the very same types.
  const method = methods[call.method] as (params: unknown) => Promise<unknown>;
  let reply: Answer;
  try {
    reply = { id: call.id, result: await method(call.params) };
  } catch (error) {
    reply = { id: call.id, error: error instanceof Error ? error.stack ?? error.message : String(error) };
  }
  const bytes = new TextEncoder().encode(`${JSON.stringify(reply)}\n`);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

if (import.meta.main) {
  // Ctrl-C reaches the whole process group; the parent decides when this one ends.
  Deno.addSignalListener("SIGINT", () => {});
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) void answer(line);
  }
  Deno.exit(0);
}
