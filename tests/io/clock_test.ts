import { assert, assertEquals, assertGreaterOrEqual } from "../assert.ts";
import { SystemClock } from "../../lib/io/clock.ts";

/** A computer whose readings are set by hand. All values in milliseconds, the uptime is given out in seconds. */
class FakeComputer {
  mono = 500;
  wallMs = 1_700_000_000_000;
  up = 90_000;

  run(ms: number): void {
    this.mono += ms;
    this.wallMs += ms;
    this.up += ms;
  }

  sleep(ms: number): void {
    this.wallMs += ms;
    this.up += ms;
  }

  readonly sources = {
    monotonic: () => this.mono,
    wall: () => this.wallMs,
    uptime: () => Math.floor(this.up / 1000),
  };
}

Deno.test("clock: follows the monotonic counter while awake", () => {
  const computer = new FakeComputer();
  const clock = new SystemClock(computer.sources);
  const start = clock.now();
  computer.run(1234.5);
  assertEquals(clock.now() - start, 1234.5);
  assertEquals(clock.unixMs(), computer.wallMs);
});

Deno.test("clock: counts a suspend to within a second or two", () => {
  const computer = new FakeComputer();
  const clock = new SystemClock(computer.sources);
  const start = clock.now();
  computer.run(1000);
  clock.now();
  computer.sleep(600_000);
  computer.run(10);
  const first = clock.now() - start;
  assert(first > 598_000 && first <= 602_000, `${first}`);
  computer.run(5000);
  assertEquals(clock.now() - start, first + 5000);
  computer.sleep(3_600_000);
  const second = clock.now() - start - first - 5000;
  assert(second > 3_598_000 && second <= 3_602_000, `${second}`);
});

Deno.test("clock: a wall clock set forward or back is no sleep", () => {
  const computer = new FakeComputer();
  const clock = new SystemClock(computer.sources);
  const start = clock.now();
  computer.wallMs += 86_400_000;
  computer.run(100);
  assertEquals(clock.now() - start, 100);
  computer.wallMs -= 2 * 86_400_000;
  computer.run(100);
  assertEquals(clock.now() - start, 200);
});

Deno.test("clock: a sleep found together with a wall clock set back is still no step back", () => {
  const computer = new FakeComputer();
  const clock = new SystemClock(computer.sources);
  let last = clock.now();
  for (const jump of [60_000, -90_000, 30_000, -5_000]) {
    computer.sleep(30_000);
    computer.wallMs += jump;
    computer.run(1);
    const now = clock.now();
    assertGreaterOrEqual(now, last);
    last = now;
  }
});

Deno.test("clock: the real one advances and knows the date", () => {
  const clock = new SystemClock();
  const before = clock.now();
  const until = performance.now() + 3;
  while (performance.now() < until);
  assertGreaterOrEqual(clock.now() - before, 2.9);
  assert(Math.abs(clock.unixMs() - Date.now()) < 1000);
});
