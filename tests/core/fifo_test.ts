import { Fifo } from "../../lib/core/fifo.ts";
import { assertEquals } from "../assert.ts";
import { SeededRandom } from "../sim/random.ts";

Deno.test("fifo: first in, first out, whatever the order of calls", () => {
  const random = new SeededRandom(1);
  const fifo = new Fifo<number>();
  const model: number[] = [];
  for (let step = 0; step < 20_000; step++) {
    if (random.chance(step < 10_000 ? 0.6 : 0.4)) {
      fifo.push(step);
      model.push(step);
    } else assertEquals(fifo.shift(), model.shift(), `seed 1 step ${step}`);
    assertEquals(fifo.length, model.length);
  }
  assertEquals(fifo.takeAll(), model);
  assertEquals(fifo.length, 0);
  assertEquals(fifo.shift(), undefined);
});
