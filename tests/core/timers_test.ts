import { Timers } from "../../lib/core/timers.ts";
import { assertEquals } from "../assert.ts";
import { SeededRandom } from "../sim/random.ts";

Deno.test("a deadline can be set, moved and cleared", () => {
  const timers = new Timers<string>();
  assertEquals(timers.next(), undefined);
  timers.set("a", 10);
  timers.set("b", 5);
  assertEquals(timers.next(), 5);
  timers.set("b", 20);
  assertEquals(timers.next(), 10);
  assertEquals(timers.get("b"), 20);
  timers.set("a", undefined);
  assertEquals(timers.next(), 20);
  assertEquals(timers.popDue(19), undefined);
  assertEquals(timers.popDue(20), "b");
  assertEquals(timers.popDue(99), undefined);
  assertEquals(timers.next(), undefined);
});

Deno.test("a deadline that is moved and moved back fires once", () => {
  const timers = new Timers<string>();
  timers.set("a", 10);
  timers.set("a", 30);
  timers.set("a", 10);
  assertEquals(timers.popDue(50), "a");
  assertEquals(timers.popDue(50), undefined);
});

Deno.test("timers agree with a sorted list under random use", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = new SeededRandom(seed);
    const timers = new Timers<number>();
    const model = new Map<number, number>();
    let now = 0;
    for (let step = 0; step < 500; step++) {
      const key = random.int(20);
      if (random.chance(0.6)) {
        const at = now + random.int(1_000) + key / 100;
        timers.set(key, at);
        model.set(key, at);
      } else if (random.chance(0.5)) {
        timers.set(key, undefined);
        model.delete(key);
      } else {
        now += random.int(200);
        const due = [...model].filter(([, at]) => at <= now).sort(([, a], [, b]) => a - b).map(([name]) =>
          name
        );
        const popped: number[] = [];
        for (let name = timers.popDue(now); name !== undefined; name = timers.popDue(now)) popped.push(name);
        assertEquals(popped, due, `seed ${seed} step ${step}`);
        for (const name of due) model.delete(name);
      }
      const earliest = model.size === 0 ? undefined : Math.min(...model.values());
      assertEquals(timers.next(), earliest, `seed ${seed} step ${step}`);
    }
  }
});
