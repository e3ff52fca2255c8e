import { Recovery, type RecoveryReason } from "../../lib/core/recovery.ts";
import { assertEquals } from "../assert.ts";

/** The recoveries up to `end` when `ask` is asked for a reason every second. */
function run(
  recovery: Recovery,
  end: number,
  ask: (now: number) => RecoveryReason | undefined,
): [number, RecoveryReason][] {
  const found: [number, RecoveryReason][] = [];
  for (let now = 0; now <= end; now += 100) {
    const reason = now % 1_000 === 0 ? ask(now) : undefined;
    if (reason !== undefined) recovery.request(reason);
    const due = recovery.poll(now);
    if (due !== undefined) found.push([now, due]);
  }
  return found;
}

Deno.test("recovery: suspicion alone starts over at distances that double up to two minutes", () => {
  const found = run(new Recovery(), 500_000, () => "silence").map(([at]) => at);
  assertEquals(found, [0, 20_000, 60_000, 140_000, 260_000, 380_000, 500_000]);
});

Deno.test("recovery: a real change is never put off for more than a second, and sets the distances back", () => {
  const found = run(new Recovery(), 30_000, (now) => now === 5_000 || now === 6_000 ? "network" : "silence");
  assertEquals(found.slice(0, 4), [[0, "silence"], [5_000, "network"], [6_000, "network"], [
    16_000,
    "silence",
  ]]);
  const recovery = new Recovery();
  recovery.request("network");
  assertEquals(recovery.poll(100), "network");
  recovery.request("endpoint");
  assertEquals([recovery.poll(200), recovery.pollTimeout()], [undefined, 1_100]);
  assertEquals(recovery.poll(1_100), "endpoint");
});

Deno.test("recovery: a heartbeat that is late by four intervals means that the computer has slept", () => {
  const recovery = new Recovery();
  for (let now = 0; now <= 20_000; now += 5_000) assertEquals(recovery.poll(now), undefined);
  assertEquals(recovery.poll(39_999), undefined, "late, but not by enough");
  assertEquals(recovery.poll(639_999), "resumed");
  assertEquals(recovery.awakeAt, 39_999);
  assertEquals(recovery.poll(640_500), undefined);
  recovery.request("network");
  assertEquals(recovery.poll(645_000), "network");
  assertEquals(recovery.awakeAt, 645_000);
});

Deno.test("recovery: asks for its heartbeat", () => {
  const recovery = new Recovery();
  recovery.poll(1_000);
  assertEquals(recovery.pollTimeout(), 6_000);
});
