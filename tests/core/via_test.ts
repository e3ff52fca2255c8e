import { assertEquals } from "../assert.ts";
import { ViaNumbers } from "../../lib/core/via.ts";

Deno.test("via: numbers begin after the main socket and are never given out twice", () => {
  const vias = new ViaNumbers();
  assertEquals([vias.take(), vias.take()], [1, 2]);
  vias.give(1);
  assertEquals(vias.take(), 3);
  assertEquals(vias.size, 2);
});

Deno.test("via: what is given back is closed once", () => {
  const vias = new ViaNumbers();
  const via = vias.take();
  vias.give(via);
  vias.give(via);
  vias.give(99);
  assertEquals([vias.pollClose(), vias.pollClose()], [via, undefined]);
});
