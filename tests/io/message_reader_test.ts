/** The reader of the local socket. */

import { MessageReader } from "../../lib/io/message_reader.ts";
import { concatBytes, fromHex } from "../../lib/wire/bytes.ts";
import { encodeLengthPrefixed } from "../../lib/wire/framing.ts";
import { assert, assertEquals } from "../assert.ts";
import { SeededRandom } from "../sim/random.ts";

/** Gives bytes away in pieces of at most `largest`, as a socket does, and notes the buffers it was offered. */
class Source {
  readonly offered: number[] = [];
  readonly #bytes: Uint8Array;
  readonly #piece: () => number;
  #at = 0;

  constructor(bytes: Uint8Array, piece: () => number) {
    this.#bytes = bytes;
    this.#piece = piece;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.offered.push(buffer.length);
    if (this.#at === this.#bytes.length) return Promise.resolve(null);
    const count = Math.min(this.#piece(), buffer.length, this.#bytes.length - this.#at);
    buffer.set(this.#bytes.subarray(this.#at, this.#at + count));
    this.#at += count;
    return Promise.resolve(count);
  }
}

async function readAll(reader: MessageReader): Promise<{ messages: Uint8Array[]; end: string }> {
  const messages: Uint8Array[] = [];
  for (;;) {
    const read = await reader.read();
    if (typeof read === "string") return { messages, end: read };
    messages.push(...read);
  }
}

Deno.test("reader: any fragmentation gives the same messages, which stay as they are", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    const expected = Array.from({ length: 1 + random.int(60) }, () => {
      const size = random.chance(0.1) ? random.int(400_000) : random.int(random.chance(0.5) ? 40 : 9_000);
      return random.bytes(new Uint8Array(size));
    });
    const largest = 1 + random.int(random.chance(0.5) ? 300 : 400_000);
    const stream = concatBytes(...expected.map(encodeLengthPrefixed));
    const source = new Source(stream, () => 1 + random.int(largest));
    const { messages, end } = await readAll(new MessageReader(source, { maxLength: 400_000 }));
    assertEquals(end, "end", `seed ${seed}`);
    assertEquals(messages.length, expected.length, `seed ${seed}`);
    // Looked at only now: a buffer that were used twice would show.
    messages.forEach((message, i) =>
      assertEquals(message, expected[i] ?? message, `seed ${seed} message ${i}`)
    );
    for (const size of source.offered) assert(size > 0, `seed ${seed}`);
  }
});

Deno.test("reader: the limit is inclusive; a longer message ends it after those before", async () => {
  const bytes = concatBytes(encodeLengthPrefixed(new Uint8Array(9)), fromHex("0000000a"), new Uint8Array(10));
  const { messages, end } = await readAll(new MessageReader(new Source(bytes, () => 1e6), { maxLength: 9 }));
  assertEquals(messages, [new Uint8Array(9)]);
  assertEquals(end, "too-long");
});

Deno.test("reader: an end inside a message is told apart", async () => {
  for (const cut of ["00", "000000", "00000002 01"]) {
    const bytes = concatBytes(encodeLengthPrefixed(fromHex("aa")), fromHex(cut));
    const reader = new MessageReader(new Source(bytes, () => 100), { maxLength: 9 });
    assertEquals((await readAll(reader)).end, "cut");
    assert(reader.inMessage);
  }
});

Deno.test("reader: an announced length holds no memory, a busy connection reads much at a time", async () => {
  const announced = concatBytes(fromHex("00100000"), new Uint8Array(100));
  const quiet = new Source(announced, () => 20);
  await readAll(new MessageReader(quiet, { maxLength: 1 << 20 }));
  assert(Math.max(...quiet.offered) <= 4096);
  const busy = new Source(encodeLengthPrefixed(new Uint8Array(1 << 20)), () => 1e6);
  const { messages } = await readAll(new MessageReader(busy, { maxLength: 1 << 20 }));
  assertEquals(messages[0]?.length, 1 << 20);
  assert(busy.offered.length < 12, `${busy.offered.length} reads for 1 MiB`);
});

Deno.test("reader: a connection that has gone quiet gives its large buffer back", async () => {
  const ping = encodeLengthPrefixed(new Uint8Array(60));
  const bytes = concatBytes(
    encodeLengthPrefixed(new Uint8Array(700_000)),
    ...Array.from({ length: 30 }, () => ping),
  );
  let left = 700_004;
  const source = new Source(bytes, () => left > 0 ? (left -= Math.min(left, 100_000), 100_000) : 64);
  await readAll(new MessageReader(source, { maxLength: 1 << 20 }));
  assert((source.offered.at(-1) ?? 0) <= 8192, `${source.offered.at(-1)} bytes held`);
});
