import { assertEquals } from "../assert.ts";
import { MemoryTrimmer } from "../../lib/io/memory_trim.ts";
import { FakeTimers } from "./fake_timers.ts";

const MB = 1024 * 1024;

Deno.test("memory trimmer: gives memory back once it is quiet after much, a few times, and then rests", () => {
  using timers = new FakeTimers();
  const times: number[] = [];
  const trimmer = new MemoryTrimmer({ trim: () => times.push(timers.now) });
  for (let total = 1; total <= 40; total++) {
    trimmer.note(total * MB);
    timers.pass(1_000);
  }
  assertEquals(times, []);
  timers.pass(20_000);
  assertEquals(times.length, 1);
  timers.pass(600_000);
  assertEquals(times.length, 3);
  assertEquals(timers.pending, 0);
  assertEquals(times.map((at) => at - (times[0] ?? 0)), [0, 20_000, 80_000]);
  trimmer.note(40 * MB + 1000);
  assertEquals(timers.pending, 0);
  trimmer.note(50 * MB);
  timers.pass(10_000);
  assertEquals(times.length, 4);
  trimmer.stop();
  trimmer.note(90 * MB);
  assertEquals(timers.pending, 0);
});

Deno.test("memory trimmer: what becomes free between two times is given back soon, too", () => {
  using timers = new FakeTimers();
  const times: number[] = [];
  const trimmer = new MemoryTrimmer({ trim: () => times.push(timers.now) });
  trimmer.add(3 * MB);
  timers.pass(35_000);
  assertEquals(times.length, 2);
  const end = timers.now;
  trimmer.add(1 * MB);
  timers.pass(20_000);
  assertEquals(times.length, 3);
  timers.pass(100_000);
  assertEquals(times.length, 5);
  assertEquals(times.slice(2).map((at) => Math.ceil((at - end) / 10_000)), [2, 4, 10]);
});

Deno.test("memory trimmer: little traffic sets no timer", () => {
  using timers = new FakeTimers();
  const trimmer = new MemoryTrimmer({ trim: () => {} });
  for (let total = 1000; total < 2 * MB; total += 1000) trimmer.add(1000);
  assertEquals(timers.pending, 0);
});
