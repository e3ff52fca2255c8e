/** What a benchmark run says: rows beside their baselines, as a table or as JSON. */

import { chooseAead } from "../lib/io/aead_choice.ts";
import { significant } from "./bench_stats.ts";

/** One measured value beside the value that it is compared with, taken in the same run. */
export interface Row {
  /** Unique within a report. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, `null` when nothing fits. */
  readonly baseline: string | null;
  /** In the unit of `value`; `null` without a baseline. */
  readonly baseline_value: number | null;
  /** `value / baseline_value`. */
  readonly ratio: number | null;
}

/** The machine that was measured. */
export interface Machine {
  readonly os: string;
  readonly kernel: string;
  readonly arch: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_mb: number;
  readonly deno: string;
  readonly v8: string;
  /** Load of the last minute before the run: above zero, something else runs and figures suffer. */
  readonly load: number;
  /** The encryption that agents choose here. */
  readonly aead: string;
}

/** What `--json` prints. */
export interface Report {
  readonly machine: Machine;
  readonly results: readonly Row[];
}

/** A row with four significant digits and its ratio. A baseline that could not be measured is left out. */
export function row(
  name: string,
  measured: { readonly value: number; readonly unit: string },
  baseline?: { readonly name: string; readonly value: number | undefined },
): Row {
  const value = significant(measured.value);
  const compared = baseline?.value;
  if (baseline === undefined || compared === undefined || !Number.isFinite(compared)) {
    return { name, value, unit: measured.unit, baseline: null, baseline_value: null, ratio: null };
  }
  return {
    name,
    value,
    unit: measured.unit,
    baseline: baseline.name,
    baseline_value: significant(compared),
    ratio: compared === 0 ? null : significant(measured.value / compared),
  };
}

/** The rows as aligned text. */
export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((each) => [
    each.name,
    text(each.value),
    each.unit,
    each.ratio === null ? "" : `${each.ratio.toPrecision(3)}x`,
    each.baseline === null ? "" : `${each.baseline} ${text(each.baseline_value ?? NaN)}`,
  ]);
  const lines = [["measured", "value", "unit", "ratio", "baseline"], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    column === 1 || column === 3 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return lines.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

function text(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(significant(value, 4));
}

/** Describes this machine. */
export async function describeMachine(): Promise<Machine> {
  const cpuinfo = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  return {
    os: Deno.build.os,
    kernel: Deno.osRelease(),
    arch: Deno.build.arch,
    cpu: /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? "unknown",
    cores: navigator.hardwareConcurrency,
    memory_mb: Math.round(Deno.systemMemoryInfo().total / 2 ** 20),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    load: significant(Deno.loadavg()[0] ?? NaN, 3),
    aead: chooseAead().name,
  };
}
