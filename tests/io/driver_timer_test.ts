import { assertEquals } from "../assert.ts";
import { DriverTimer } from "../../lib/io/driver_timer.ts";

/** A timer whose sleeps are written down instead of slept. */
function timerAt(clock: { time: number }) {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const sleeps: number[] = [];
  let fire: (() => void) | undefined;
  let woken = 0;
  const replaced = {
    setTimeout: (callback: () => void, ms: number) => {
      sleeps.push(ms);
      fire = callback;
      return sleeps.length;
    },
    clearTimeout: () => fire = undefined,
  };
  Object.assign(globalThis, replaced);
  return {
    timer: new DriverTimer({ now: () => clock.time }, () => woken++),
    sleeps,
    fire: () => fire?.(),
    isSet: () => fire !== undefined,
    woken: () => woken,
    [Symbol.dispose]: () => void Object.assign(globalThis, real),
  };
}

Deno.test("driver timer: a deadline that stays where it is costs one timer, whatever fraction it has", () => {
  const clock = { time: 1000.3 };
  using at = timerAt(clock);
  for (let datagram = 0; datagram < 100; datagram++) {
    clock.time += 0.04;
    at.timer.set(1010.75);
  }
  assertEquals(at.sleeps, [11]);
});

Deno.test("driver timer: a later deadline leaves it alone, an earlier one moves it", () => {
  const clock = { time: 1000 };
  using at = timerAt(clock);
  at.timer.set(1010);
  at.timer.set(1500);
  assertEquals(at.sleeps, [10]);
  at.timer.set(1005);
  assertEquals(at.sleeps, [10, 5]);
  clock.time = 1005;
  at.fire();
  assertEquals(at.woken(), 1);
  at.timer.set(1500);
  assertEquals(at.sleeps, [10, 5, 495]);
});

Deno.test("driver timer: it never spins, never sleeps for long, and can be cleared", () => {
  using at = timerAt({ time: 1000 });
  at.timer.set(900);
  assertEquals(at.sleeps, [1]);
  at.timer.set(undefined);
  assertEquals(at.isSet(), false);
  at.timer.set(1e9);
  assertEquals(at.sleeps, [1, 2000]);
  at.timer.clear();
  assertEquals(at.isSet(), false);
});
