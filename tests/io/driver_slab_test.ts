import { assert, assertEquals } from "../assert.ts";
import { Slab } from "../../lib/io/driver_slab.ts";
import { NameReader, NameWriter } from "../../lib/io/udp_names.ts";
import { NAME_WORDS } from "../../lib/io/udp_messages.ts";
import { SeededRandom } from "../sim/random.ts";

Deno.test("slab: pieces of every size stay what they were, whatever is written to others", () => {
  const slab = new Slab();
  const random = new SeededRandom(7);
  const pieces: { readonly piece: Uint8Array; readonly fill: number }[] = [];
  const source = new Uint8Array(65_535);
  for (let i = 0; i < 3000; i++) {
    const size = random.chance(0.02) ? random.int(65_536) : random.int(2000);
    const fill = 1 + random.int(255);
    source.fill(fill);
    const piece = slab.keep(source.subarray(0, size));
    assertEquals(piece.length, size);
    if (random.chance(0.1)) piece.fill(0);
    else pieces.push({ piece, fill });
  }
  for (const { piece, fill } of pieces) assert(piece.every((byte) => byte === fill));
});

Deno.test("slab: a small datagram that is kept does not keep much more alive", () => {
  const slab = new Slab();
  for (const [size, limit] of [[1, 4096], [256, 4096], [257, 65_536], [16_385, 16_385]] as const) {
    const piece = slab.keep(new Uint8Array(size));
    assert(piece.buffer.byteLength <= limit, `${size} bytes keep ${piece.buffer.byteLength}`);
  }
});

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
