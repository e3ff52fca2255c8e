import { NodeWatchdog } from "../../lib/core/node_watchdog.ts";
import { assertEquals } from "../assert.ts";

/** When a watchdog that hears nothing wants to recover, each time after it has asked, with a datagram every `gap` milliseconds until `end`. */
function recoveries(watchdog: NodeWatchdog, gap: number, end: number): number[] {
  const found: number[] = [];
  let asked = false;
  for (let now = 0; now <= end; now += 100) {
    if (now % gap === 0) watchdog.noteSent(now);
    const step = watchdog.handleTimeout(now);
    assertEquals(step === "recover", step !== undefined && asked, "asked before");
    if (step !== undefined) asked = !asked;
    if (step === "recover") found.push(now);
  }
  return found;
}

Deno.test("node watchdog: silence while sending is answered at doubling distances", () => {
  const found = recoveries(new NodeWatchdog(), 100, 300_000);
  assertEquals(found.slice(0, 5), [3_500, 9_100, 18_700, 36_300, 69_900]);
  const gaps = found.slice(5).map((at, index) => at - (found[index + 4] ?? 0));
  assertEquals(new Set(gaps), new Set([61_600]));
});

Deno.test("node watchdog: one or two datagrams without answer mean nothing, nor do those that are answered late", () => {
  const watchdog = new NodeWatchdog();
  watchdog.noteSent(0);
  watchdog.noteSent(10);
  assertEquals(watchdog.pollTimeout(), undefined);
  watchdog.noteSent(100_000);
  assertEquals(watchdog.pollTimeout(), 101_500);
  watchdog.noteReceived();
  assertEquals([watchdog.pollTimeout(), watchdog.handleTimeout(200_000)], [undefined, undefined]);
});

Deno.test("node watchdog: what is heard sets the patience back", () => {
  const watchdog = new NodeWatchdog();
  recoveries(watchdog, 100, 60_000);
  watchdog.noteReceived();
  for (let n = 0; n < 3; n++) watchdog.noteSent(70_000);
  assertEquals(watchdog.pollTimeout(), 72_000);
});
