import { assertEquals } from "../assert.ts";
import { expectedOutcome, NETWORK_CLASSES } from "./expected.ts";

Deno.test("what must come of each pair of networks", () => {
  const rows = NETWORK_CLASSES.map((a) => NETWORK_CLASSES.map((b) => expectedOutcome(a, b)[0]).join(" "));
  assertEquals(rows, [
    // open, fullCone, addressRestricted, portRestricted, symmetric, carrier, blocked; d(irect), s(earched), r(elay),
    // w(ss)
    "d d d d d d w",
    "d d d d d d w",
    "d d d d d d w",
    "d d d d s s w",
    "d d d s r r w",
    "d d d s r r w",
    "w w w w w w w",
  ]);
});

Deno.test("it does not matter who dials", () => {
  for (const a of NETWORK_CLASSES) {
    for (const b of NETWORK_CLASSES) assertEquals(expectedOutcome(a, b), expectedOutcome(b, a), `${a} ${b}`);
  }
});
