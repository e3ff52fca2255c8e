import { assertEquals } from "../../assert.ts";
import { RoundTripTime } from "../../../lib/core/stream/rtt.ts";

Deno.test("round-trip time: RFC 6298 with bounds", () => {
  const rtt = new RoundTripTime();
  assertEquals(rtt.timeout, 1_000);
  rtt.backOff();
  assertEquals(rtt.timeout, 2_000);
  for (let i = 0; i < 50; i++) rtt.backOff();
  assertEquals(rtt.timeout, 5_000);
  rtt.resetBackOff();
  rtt.sample(100);
  assertEquals([rtt.smoothed, rtt.variation, rtt.timeout], [100, 50, 300]);
  rtt.sample(200);
  assertEquals([rtt.smoothed, rtt.variation, rtt.timeout], [112.5, 62.5, 362.5]);
  for (let i = 0; i < 100; i++) rtt.sample(1);
  assertEquals([Math.round(rtt.timeout), rtt.minimum], [201, 1]);
  for (let i = 0; i < 100; i++) rtt.sample(60_000);
  assertEquals(rtt.timeout, 10_000);
  rtt.reset();
  assertEquals([rtt.timeout, rtt.smoothed, rtt.minimum], [1_000, undefined, undefined]);
});

Deno.test("round-trip time: on a known path the timer expires twice a second during an outage of seconds", () => {
  const rtt = new RoundTripTime();
  rtt.sample(100);
  const waits: number[] = [];
  for (let i = 0; i < 24; i++) {
    rtt.backOff();
    waits.push(rtt.timeout);
  }
  assertEquals(waits.slice(0, 16), new Array<number>(16).fill(500));
  assertEquals(waits.slice(-3), [5_000, 5_000, 5_000]);
  rtt.resetBackOff();
  assertEquals(rtt.timeout, 300);
});
