import { assertEquals } from "../assert.ts";
import { DriverTimer } from "../../lib/io/driver_timer.ts";
import { FakeTimers } from "./fake_timers.ts";

function timerAt(timers: FakeTimers): { timer: DriverTimer; woken: () => number } {
  let woken = 0;
  const timer = new DriverTimer({ now: () => timers.now }, () => woken++);
  return { timer, woken: () => woken };
}

Deno.test("driver timer: a deadline that stays where it is costs one timer, whatever fraction it has", () => {
  using timers = new FakeTimers();
  const { timer } = timerAt(timers);
  for (let datagram = 0; datagram < 100; datagram++) {
    timers.pass(0.04);
    timer.set(10.75);
  }
  assertEquals(timers.sleeps, [11]);
});

Deno.test("driver timer: a later deadline leaves it alone, an earlier one moves it", () => {
  using timers = new FakeTimers();
  const { timer, woken } = timerAt(timers);
  timer.set(10);
  timer.set(500);
  assertEquals(timers.sleeps, [10]);
  timer.set(5);
  assertEquals(timers.sleeps, [10, 5]);
  timers.pass(20);
  assertEquals(woken(), 1);
  timer.set(500);
  assertEquals(timers.sleeps, [10, 5, 480]);
});

Deno.test("driver timer: it never spins, never sleeps for long, and can be cleared", () => {
  using timers = new FakeTimers();
  const { timer, woken } = timerAt(timers);
  timer.set(-100);
  assertEquals(timers.sleeps, [1]);
  timer.set(undefined);
  assertEquals(timers.pending, 0);
  timer.set(1e9);
  assertEquals(timers.sleeps, [1, 2000]);
  timer.clear();
  timers.pass(1e6);
  assertEquals(woken(), 0);
});
