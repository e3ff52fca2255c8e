import {
  checkReceipt,
  Checksum,
  encodeReceipt,
  expectedReceipt,
  payload,
} from "../../scripts/bench_payload.ts";
import { cpuSeconds, residentMb } from "../../scripts/bench_proc.ts";
import { describeMachine, renderTable, row } from "../../scripts/bench_report.ts";
import {
  type Bench,
  type Benchmark,
  FULL,
  parseArguments,
  parseBytes,
  QUICK,
} from "../../scripts/bench_run.ts";
import { runBenchmarks } from "../../scripts/bench_run.ts";
import { median, quantile, significant, slope } from "../../scripts/bench_stats.ts";
import { growthOf, problemsOf } from "../../scripts/soak.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../assert.ts";

const MACHINE = {
  os: "linux",
  kernel: "6",
  arch: "x86_64",
  cpu: "some",
  cores: 2,
  memory_mb: 1000,
  deno: "2",
  v8: "15",
  load: 0.1,
  aead: "fake",
};

/** Runs fake benchmarks. */
function run(benchmarks: readonly Benchmark[], options: { only?: string[]; signal?: AbortSignal } = {}) {
  const { only = [], signal = new AbortController().signal } = options;
  return runBenchmarks(benchmarks, { effort: QUICK, only, signal, machine: MACHINE, note: () => {} });
}

function fake(name: string, step: (bench: Bench) => void = () => {}): Benchmark {
  return {
    name,
    summary: `measures ${name}`,
    run: (bench) => {
      step(bench);
      return Promise.resolve([row(name, { value: 12.34567, unit: "MB/s" }, { name: "raw", value: 50 })]);
    },
  };
}

Deno.test("quantiles interpolate between neighbours and do not care about order", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(median([7]), 7);
  assert(Number.isNaN(median([])));
  assertEquals(quantile([10, 0, 20], 0), 0);
  assertEquals(quantile([10, 0, 20], 1), 20);
  assertEquals(quantile([10, 0, 20], 0.75), 15);
  const values = [2, 1];
  median(values);
  assertEquals(values, [2, 1]);
});

Deno.test("a slope is that of the best line", () => {
  assertEquals(slope([{ x: 0, y: 1 }, { x: 1, y: 3 }, { x: 2, y: 5 }]), 2);
  assertEquals(slope([{ x: 0, y: 0 }, { x: 1, y: 3 }, { x: 2, y: 0 }]), 0);
  assertEquals(slope([{ x: 5, y: 1 }]), 0);
  assertEquals(slope([]), 0);
});

Deno.test("numbers are rounded to significant digits", () => {
  assertEquals(significant(12345.678), 12350);
  assertEquals(significant(0.00123456), 0.001235);
  assert(Number.isNaN(significant(NaN)));
});

Deno.test("a row holds its ratio, or says that there is nothing to compare with", () => {
  const measured = { value: 12.34567, unit: "us" };
  assertEquals(row("a", measured, { name: "raw", value: 4 }), {
    name: "a",
    value: 12.35,
    unit: "us",
    baseline: "raw",
    baseline_value: 4,
    ratio: 3.086,
  });
  const alone = { name: "a", value: 12.35, unit: "us", baseline: null, baseline_value: null, ratio: null };
  assertEquals(row("a", measured), alone);
  assertEquals(row("a", measured, { name: "iperf3", value: undefined }), alone);
});

Deno.test("a report is one object of the promised shape, and survives JSON", async () => {
  const report = await run([fake("one"), fake("two")]);
  assertEquals(JSON.parse(JSON.stringify(report)), {
    machine: MACHINE,
    results: ["one", "two"].map((name) => ({
      name,
      value: 12.35,
      unit: "MB/s",
      baseline: "raw",
      baseline_value: 50,
      ratio: 0.2469,
    })),
  });
});

Deno.test("only the named benchmarks run, and an unknown name is an error before any runs", async () => {
  const ran: string[] = [];
  const benchmarks = ["one", "two", "three"].map((name) => fake(name, () => ran.push(name)));
  assertEquals((await run(benchmarks, { only: ["three", "one"] })).results.length, 2);
  assertEquals(ran, ["one", "three"]);
  await assertRejects(() => run(benchmarks, { only: ["one", "four"] }), RangeError, "no benchmark four");
  assertEquals(ran.length, 2);
});

Deno.test("what a benchmark started ends with it, last first, also when it fails or cleaning up does", async () => {
  const ended: string[] = [];
  const failing = fake("failing", ({ defer }) => {
    defer(() => void ended.push("first"));
    defer(() => Promise.reject(new Error("stuck")));
    defer(() => void ended.push("last"));
    throw new Error("broken");
  });
  await assertRejects(() => run([failing]), Error, "broken");
  assertEquals(ended, ["last", "first"]);
});

Deno.test("an interruption is what is reported, not what broke because of it", async () => {
  const ending = new AbortController();
  const interrupted = fake("interrupted", () => {
    ending.abort(new Error("interrupted"));
    throw new Error("a process ended");
  });
  const ran: string[] = [];
  const benchmarks = [interrupted, fake("next", () => ran.push("next"))];
  await assertRejects(() => run(benchmarks, { signal: ending.signal }), Error, "interrupted");
  assertEquals(ran, []);
});

Deno.test("arguments choose the effort", () => {
  assertEquals(parseArguments([]), { json: false, only: [], effort: FULL });
  assertEquals(parseArguments(["--json", "--quick", "--only", "a,b", "--only=c"]), {
    json: true,
    only: ["a", "b", "c"],
    effort: QUICK,
  });
  const { effort } = parseArguments(["--bytes", "1GB", "--quick", "--rounds=7"]);
  assertEquals(effort, { ...QUICK, bytes: 1e9, rounds: 7 });
  assertThrows(() => parseArguments(["--fast"]), RangeError, "--fast");
  assertThrows(() => parseArguments(["--rounds", "many"]), RangeError);
});

Deno.test("sizes are decimal unless they say otherwise", () => {
  assertEquals(["64MB", "1GB", "10k", "1MiB", "1.5GB", "7"].map(parseBytes), [
    64e6,
    1e9,
    1e4,
    1 << 20,
    1.5e9,
    7,
  ]);
  for (const text of ["", "MB", "-1MB", "0", "1TB"]) assertThrows(() => parseBytes(text), RangeError);
});

Deno.test("the table is aligned and shows what is compared with what", () => {
  const rows = [
    row("short", { value: 5, unit: "ms" }),
    row("a_long_name", { value: 123456, unit: "us/MB" }, { name: "raw UDP", value: 996 }),
  ];
  assertEquals(renderTable(rows).split("\n"), [
    "measured      value  unit   ratio  baseline",
    "short             5  ms",
    "a_long_name  123500  us/MB   124x  raw UDP 996",
  ]);
});

Deno.test("a receipt proves length and content, however the bytes were cut", () => {
  const length = 3_000_001;
  const expected = expectedReceipt(length);
  assertEquals(expected.bytes, length);
  for (const cut of [1_152, 65_536, 200_000]) {
    const checksum = new Checksum();
    for (const piece of payload(length)) {
      for (let at = 0; at < piece.length; at += cut) checksum.add(piece.subarray(at, at + cut));
    }
    checkReceipt(encodeReceipt(checksum.receipt()), expected);
  }
});

Deno.test("a receipt betrays lost, changed and swapped bytes", () => {
  const expected = expectedReceipt(10_000);
  const sent = new Uint8Array([...payload(10_000)][0] ?? []);
  const changed = sent.slice();
  changed[5_000] = (changed[5_000] ?? 0) ^ 1;
  const swapped = new Uint8Array([...sent.subarray(5_000), ...sent.subarray(0, 5_000)]);
  for (const arrived of [sent.subarray(1), changed, swapped]) {
    const checksum = new Checksum();
    checksum.add(arrived);
    assertThrows(() => checkReceipt(encodeReceipt(checksum.receipt()), expected), Error, "sent 10000 bytes");
  }
});

Deno.test("memory growth counts the last twenty minutes only, or two thirds of a shorter run", () => {
  const samples = Array.from({ length: 31 }, (_, minutes) => ({
    minutes,
    mb: [minutes < 10 ? 50 + 10 * minutes : 150, 100 + minutes / 10],
  }));
  const [settled = NaN, growing = NaN] = growthOf(samples);
  assert(Math.abs(settled) < 1e-6, String(settled));
  assert(Math.abs(growing - 1) < 1e-6, String(growing));
  const long = Array.from({ length: 61 }, (_, minutes) => ({ minutes, mb: [Math.max(40, minutes)] }));
  assert(Math.abs((growthOf(long)[0] ?? NaN) - 10) < 1e-6);
  assert((growthOf(long.slice(0, 41))[0] ?? NaN) === 0);
});

Deno.test("a soak fails on errors, on load that stands still, and on growth once it is long enough", () => {
  const totals = {
    transfers: 1,
    transferredBytes: 1,
    requests: 1,
    requestBytes: 1,
    requestMs: [1],
    opened: 1,
    datagramsSent: 1,
    datagramsReceived: 1,
    errors: [],
  };
  assertEquals(problemsOf({ minutes: 30, growth: [0.5, -3], totals: [totals] }), []);
  assertEquals(problemsOf({ minutes: 1, growth: [50], totals: [totals] }), []);
  assertStringIncludes(problemsOf({ minutes: 30, growth: [0, 2], totals: [totals] }).join(), "agent 2 grows");
  assertEquals(problemsOf({ minutes: 1, growth: [], totals: [{ ...totals, errors: ["changed"] }] }), [
    "changed",
  ]);
  assertStringIncludes(
    problemsOf({ minutes: 1, growth: [], totals: [{ ...totals, opened: 0 }] }).join(),
    "still",
  );
});

Deno.test({
  name: "the kernel tells processor time and memory of this process",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    assert((cpuSeconds(Deno.pid) ?? 0) > 0);
    assert((residentMb(Deno.pid) ?? 0) > 10);
    assertEquals(cpuSeconds(0), undefined);
    assertEquals(residentMb(0), undefined);
    assert((await describeMachine()).cores > 0);
  },
});
