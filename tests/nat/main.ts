/**
 * Real agents behind the NATs of a real kernel, in network namespaces of this computer. Needs root, iproute2,
 * nftables, conntrack and openssl; says so and succeeds where they are missing.
 *
 * ```text
 * deno task test:nat [--only PATTERN] [--runs N] [--size MB]
 *   --only PATTERN   only what has a name that matches this regular expression
 *   --runs N         repeat each pair that needs a port search N times; nine of ten must succeed
 *   --size MB        megabytes of each transfer, 20 by default
 * ```
 */

import { parseArgs } from "node:util";
import { checkBehaviour } from "./behaviour.ts";
import { expectedOutcome, notYet } from "./expected.ts";
import { runJourneys } from "./journeys.ts";
import { Lab } from "./lab.ts";
import { allCells, cellName, Matrix } from "./matrix.ts";
import { obstacle, removeLeftovers, removeOwn } from "./namespaces.ts";
import { Report } from "./report.ts";

interface Options {
  readonly only: RegExp;
  readonly runs: number;
  /** Bytes. */
  readonly size: number;
}

function readOptions(): Options {
  const { values } = parseArgs({
    args: [...Deno.args],
    options: {
      only: { type: "string", default: "" },
      runs: { type: "string", default: "1" },
      size: { type: "string", default: "20" },
    },
  });
  return {
    only: new RegExp(values.only),
    runs: count("runs", values.runs),
    size: count("size", values.size) * 1_000_000,
  };
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} ${text}: a whole number from 1 on is needed`);
}

async function work(lab: Lab, report: Report, { only, runs, size }: Options): Promise<void> {
  const wanted = (name: string) => only.test(name);
  await checkBehaviour(lab, report, wanted);
  const cells = allCells().filter((cell) => wanted(cellName(cell)));
  if (cells.length > 0) {
    const matrix = new Matrix(lab, report);
    await matrix.prepare(cells);
    await matrix.run(cells);
    const searched = cells.filter(({ row, column }) =>
      expectedOutcome(row, column) === "searched" && notYet(row, column) === undefined
    );
    if (runs > 1) await matrix.repeat(searched, runs);
    await matrix.end();
  }
  await runJourneys(lab, report, { size, wanted });
}

async function main(): Promise<number> {
  const options = readOptions();
  const missing = await obstacle();
  if (missing !== undefined) {
    console.log(`NOT RUN: the lab of real NATs did not run, because ${missing}`);
    return 0;
  }
  await removeLeftovers();
  const report = new Report();
  let lab: Lab | undefined;
  let interrupted = false;
  const stop = (status: number) => async () => {
    interrupted = true;
    await lab?.end();
    await removeOwn();
    Deno.exit(status);
  };
  Deno.addSignalListener("SIGINT", stop(130));
  Deno.addSignalListener("SIGTERM", stop(143));
  try {
    lab = await Lab.create();
    await work(lab, report, options);
  } catch (error) {
    // The programs are killed under what waits for them.
    if (interrupted) await new Promise(() => {});
    report.fail("the lab", error instanceof Error ? error.stack ?? error.message : String(error), lab?.log);
  } finally {
    await lab?.end();
    await removeOwn();
  }
  report.finish();
  return report.failed ? 1 : 0;
}

Deno.exit(await main());
