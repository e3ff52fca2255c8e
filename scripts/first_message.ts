/**
 * How long the first message takes: from the start of the second `trust add` (both sides then agree) to the
 * acknowledged message, on fresh agents; and how long every later `connect --message` takes.
 *
 * Exits with 1 when a median is over its limit.
 */

import { count, Interrupted, inWorld, type World } from "./demo_world.ts";

const RUNS = 10;
/** Median limits in milliseconds. */
const LIMITS = { first: 1_000, later: 150 } as const;
const CONNECT = ["connect", "agent-b", "--message", '{"task":"analyze"}'];

/** In a fresh world: the first message, then `later` more. All times in milliseconds. */
async function measure(world: World, later: number): Promise<{ first: number; later: number[] }> {
  await world.startInfrastructure();
  await Promise.all([world.startAgent("agent-a"), world.startAgent("agent-b")]);
  await world.query("agent-a", ["trust", "add", "agent-b"]);
  await world.until("agent-b", { args: ["trust", "pending"], test: (data) => count(data, "pending") === 1 });
  const start = performance.now();
  await world.query("agent-b", ["trust", "add", "agent-a"]);
  await send(world);
  const first = performance.now() - start;
  const times: number[] = [];
  for (let run = 0; run < later; run++) times.push(await send(world));
  return { first, later: times };
}

async function send(world: World): Promise<number> {
  const start = performance.now();
  const answer = await world.query("agent-a", CONNECT);
  const ack = answer.get("ack");
  if (typeof ack !== "string" || !ack.startsWith("ACK ")) throw new Error("the message was not acknowledged");
  return performance.now() - start;
}

/** The middle value; of an even number the lower of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

function row(name: string, times: readonly number[], limit: number): string {
  const cells = [median(times), Math.max(...times), limit].map((ms) => ms.toFixed(0).padStart(8));
  return `${name.padEnd(38)}${cells.join("")}`;
}

async function main(): Promise<void> {
  const first: number[] = [];
  const later: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const times = await inWorld((world) => measure(world, run === RUNS - 1 ? RUNS : 0));
    first.push(times.first);
    later.push(...times.later);
  }
  console.log(
    `${RUNS} runs, milliseconds`.padEnd(38) +
      ["median", "max", "limit"].map((name) => name.padStart(8)).join(""),
  );
  console.log(row("second trust add to delivered message", first, LIMITS.first));
  console.log(row("later connect --message", later, LIMITS.later));
  if (!(median(first) <= LIMITS.first && median(later) <= LIMITS.later)) Deno.exitCode = 1;
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exitCode = error instanceof Interrupted ? 130 : 1;
  }
}
