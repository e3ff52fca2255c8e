import { assert, assertEquals } from "../assert.ts";
import { NameReader, NameWriter } from "../../lib/io/udp_names.ts";
import { NAME_WORDS } from "../../lib/io/udp_messages.ts";
import { SeededRandom } from "../sim/random.ts";

Deno.test("socket addresses: there and back, many of them, each family", () => {
  const random = new SeededRandom(8);
  const reader = new NameReader();
  const v4 = new NameWriter(2);
  const v6 = new NameWriter(10);
  const names = new Uint32Array(3 * NAME_WORDS);
  for (let i = 0; i < 5000; i++) {
    const host = random.chance(0.5)
      ? `10.${random.int(3)}.${random.int(256)}.${random.int(256)}`
      : `2001:db8::${(1 + random.int(4000)).toString(16)}`;
    const endpoint = { host, port: random.int(65_536) };
    const name6 = v6.name(endpoint);
    assert(name6 !== undefined);
    names.set(name6, NAME_WORDS);
    assertEquals(reader.read(names, NAME_WORDS), endpoint, `step ${i}`);
    const name4 = v4.name(endpoint);
    assertEquals(name4 === undefined, host.includes(":"));
    if (name4 === undefined) continue;
    names.set(name4, 2 * NAME_WORDS);
    assertEquals(reader.read(names, 2 * NAME_WORDS), endpoint);
    assertEquals(reader.read(names, 2 * NAME_WORDS), endpoint);
  }
  assertEquals(v6.name({ host: "localhost", port: 1 }), undefined);
});
