/** The matrix once more, with agents that find out themselves what is in front of them. */

import { assert, assertEquals } from "../assert.ts";
import { Duo, type Side } from "./duo.ts";
import { CLASSES, type ClassName, outcomeOf } from "./matrix.ts";

const NAMES: readonly ClassName[] = ["P", "F", "A", "PR", "Sa", "Sx", "Sq", "Sr"];
const SEEDS = 3;

function unknown(name: ClassName): Side {
  const side: Side = CLASSES[name];
  return side.nat === undefined ? {} : { nat: side.nat };
}

for (const dialler of NAMES) {
  Deno.test(`${dialler} dials every class, both examined by their own means`, () => {
    for (const dialled of NAMES) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const where = `${dialler} dials ${dialled}, seed ${seed}`;
        const duo = new Duo({ seed, a: unknown(dialler), b: unknown(dialled) });
        duo.net.run(3_000);
        duo.a.dial();
        const isDirect = duo.net.runUntil(() => duo.isDirect, 20_000);
        assertEquals(isDirect, outcomeOf(dialler, dialled) !== "relay", where);
        if (!isDirect) assert(duo.a.path === "relay" && duo.b.path === "relay", where);
      }
    }
  });
}
