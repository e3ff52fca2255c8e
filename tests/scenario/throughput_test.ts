/**
 * The goodput table, in virtual time. It is stored in `throughput.json` and compared exactly; run with
 * `UPDATE_THROUGHPUT=1` to store what is measured.
 */

import { CONTROLLERS } from "../../lib/core/stream/congestion_choice.ts";
import { assert, assertEquals } from "../assert.ts";
import { goodput, LOSSES, RATES, RTTS } from "./cells.ts";
import { blackout, bloat, fairness, pathChange } from "./situations.ts";

const FILE = new URL("throughput.json", import.meta.url);
const { bbr } = CONTROLLERS;

type Results = Record<string, Record<string, number>>;

/** Percent of the line by path and loss. */
function table(name: "bbr" | "cubic"): Results {
  const results: Results = {};
  for (const rate of RATES) {
    for (const rtt of RTTS) {
      const row: Record<string, number> = {};
      for (const loss of LOSSES) {
        row[`${loss}%`.replace("bursty%", "bursty")] = goodput({ rate, rtt }, loss, CONTROLLERS[name]);
      }
      results[`${name}: ${rate} Mbit/s, ${rtt} ms`] = row;
    }
  }
  return results;
}

function situations(): Results {
  const slow = { rate: 10, rtt: 50 };
  const fast = { rate: 100, rtt: 20 };
  const radio = { rate: 100, rtt: 10, queue: 2, pauses: { chance: 0.02, ms: 8 } };
  const results: Results = {};
  for (const [name, congestion] of Object.entries(CONTROLLERS)) {
    results[`${name}: pauses of 8 ms, 100 Mbit/s, 10 ms`] = { share: goodput(radio, "0", congestion) };
    results[`${name}: two streams, 10 Mbit/s, 50 ms`] = fairness(slow, "0", congestion);
    results[`${name}: two streams, 100 Mbit/s, 20 ms`] = fairness(fast, "0", congestion);
    results[`${name}: queue of 10 products`] = bloat(congestion);
    results[`${name}: blackout of 5 s, 10 Mbit/s, 50 ms`] = blackout(slow, congestion);
    results[`${name}: blackout of 5 s, 100 Mbit/s, 20 ms`] = blackout(fast, congestion);
    results[`${name}: path change, share of the new line`] = {
      "to the slow": pathChange(fast, slow, { congestion, isTold: false }),
      "to the slow, told": pathChange(fast, slow, { congestion, isTold: true }),
      "to the fast": pathChange(slow, fast, { congestion, isTold: false }),
      "to the fast, told": pathChange(slow, fast, { congestion, isTold: true }),
    };
  }
  results["bbr: two streams, 10 Mbit/s, 50 ms, 2% loss"] = fairness(slow, "2", bbr);
  return results;
}

/** Compares one part of the stored results, or stores it. */
function compare(part: string, measured: Results): void {
  const isUpdate = Deno.env.get("UPDATE_THROUGHPUT") !== undefined;
  let stored: Record<string, Results> = {};
  try {
    stored = JSON.parse(Deno.readTextFileSync(FILE));
  } catch (error) {
    if (!isUpdate || !(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (!isUpdate) return assertEquals(measured, stored[part]);
  stored[part] = measured;
  Deno.writeTextFileSync(FILE, JSON.stringify(stored, undefined, 2) + "\n");
}

Deno.test("goodput of BBR, the default: every cell of the table reaches its target", () => {
  const results = table("bbr");
  compare("bbr", results);
  const least: Readonly<Record<string, number>> = {
    "0%": 90,
    "0.5%": 90,
    "2%": 80,
    "5%": 60,
    "12%": 0,
    bursty: 60,
  };
  for (const [path, row] of Object.entries(results)) {
    for (const [loss, value] of Object.entries(row)) {
      assert(value >= (least[loss] ?? 0), `${path}, ${loss}: ${value}`);
    }
  }
});

Deno.test("goodput of CUBIC: full without loss, and every transfer ends", () => {
  const results = table("cubic");
  compare("cubic", results);
  for (const [path, row] of Object.entries(results)) {
    assert((row["0%"] ?? 0) >= 90, `${path}: ${row["0%"]}`);
    for (const [loss, value] of Object.entries(row)) assert(value >= 0, `${path}, ${loss} does not end`);
  }
});

Deno.test("shared lines, bloated queues, outages and path changes", () => {
  const results = situations();
  compare("situations", results);
  for (const [name, values] of Object.entries(results)) {
    if (values["jain"] !== undefined) assert(values["jain"] >= 0.9, `${name}: ${values["jain"]}`);
    const rtt = name.includes("50 ms") ? 50 : 20;
    if (values["firstMs"] !== undefined) {
      assert(values["firstMs"] >= 0 && values["firstMs"] <= 1_000 + 2 * rtt, `${name}: ${values["firstMs"]}`);
    }
    if (name.startsWith("bbr") && values["halfMs"] !== undefined) {
      assert(values["halfMs"] <= 1_000 + 2 * rtt, `${name}: ${values["halfMs"]}`);
    }
  }
  // Taken for a queue, the pauses would cost half of the line.
  assert((results["bbr: pauses of 8 ms, 100 Mbit/s, 10 ms"]?.["share"] ?? 0) >= 75, "an unsteady line");
  assert((results["bbr: queue of 10 products"]?.["waitingMs"] ?? 1_000) < 50, "a short queue");
});
