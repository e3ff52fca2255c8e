import { formatMilliseconds, formatUptime, parseDuration } from "../../lib/cli/duration.ts";
import { columns, printable } from "../../lib/cli/columns.ts";
import { editDistance, nearest } from "../../lib/cli/suggest.ts";
import { assert, assertEquals } from "../assert.ts";

Deno.test("durations are Go syntax or seconds", () => {
  const table: [string, number | undefined][] = [
    ["10", 10_000],
    ["0", 0],
    ["0.25", 250],
    [".5", 500],
    ["300ms", 300],
    ["10s", 10_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["2us", 0.002],
    ["2µs", 0.002],
    ["1000ns", 0.001],
    ["1h2m3s4ms", 3_723_004],
    ["", undefined],
    ["s", undefined],
    ["10 s", undefined],
    ["10x", undefined],
    ["-1s", undefined],
    ["1s2", undefined],
    ["1e3", undefined],
    ["NaN", undefined],
    ["Infinity", undefined],
  ];
  for (const [text, expected] of table) assertEquals(parseDuration(text), expected, text);
});

Deno.test("measured times read well", () => {
  assertEquals([0.04, 0.44, 9.94, 38.2, 999.4, 1_900].map(formatMilliseconds), [
    "0.0 ms",
    "0.4 ms",
    "9.9 ms",
    "38 ms",
    "999 ms",
    "1.9 s",
  ]);
  assertEquals([0, 61, 3_661, 360_000].map(formatUptime), ["00:00:00", "00:01:01", "01:01:01", "100:00:00"]);
});

Deno.test("edit distance counts swaps of neighbours as one", () => {
  const table: [string, string, number][] = [
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["status", "status", 0],
    ["sttaus", "status", 1],
    ["statu", "status", 1],
    ["statuss", "status", 1],
    ["ca", "abc", 3],
    ["kitten", "sitting", 3],
  ];
  for (const [a, b, expected] of table) {
    assertEquals(editDistance(a, b), expected, `${a} -> ${b}`);
    assertEquals(editDistance(b, a), expected, `${b} -> ${a}`);
  }
});

Deno.test("edit distance agrees with the naive definition", () => {
  const naive = (a: string, b: string): number => {
    if (a === "" || b === "") return Math.max(a.length, b.length);
    const same = a.at(-1) === b.at(-1) ? 0 : 1;
    const least = Math.min(
      naive(a.slice(0, -1), b) + 1,
      naive(a, b.slice(0, -1)) + 1,
      naive(a.slice(0, -1), b.slice(0, -1)) + same,
    );
    const swapped = a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1);
    return swapped ? Math.min(least, naive(a.slice(0, -2), b.slice(0, -2)) + 1) : least;
  };
  const words = ["a", "ab", "ba", "abc", "acb", "bca", "abba", "baab", "cabd"];
  for (const a of words) for (const b of words) assertEquals(editDistance(a, b), naive(a, b), `${a} -> ${b}`);
});

Deno.test("only slips of the fingers are suggested", () => {
  const known = ["status", "trust add", "inbox", "info"];
  assertEquals(nearest("sttaus", known), "status");
  assertEquals(nearest("STATUS", known), "status");
  assertEquals(nearest("trust ad", known), "trust add");
  assertEquals(nearest("inf", known), "info");
  assertEquals(nearest("weather", known), undefined);
  assertEquals(nearest("x", known), undefined);
});

Deno.test("columns line up and end without spaces", () => {
  assertEquals(columns([["A", "LONG"], ["✓ word", "x"]]), ["A       LONG", "✓ word  x"]);
});

Deno.test("text of strangers cannot move the cursor", () => {
  const safe = printable("ok\u001b[2J\u202e\u0007 line\nnext\ttab é");
  assert(!safe.includes("\u001b") && !safe.includes("\u202e") && !safe.includes("\u0007"));
  assert(safe.endsWith(" line\nnext\ttab é"));
});
