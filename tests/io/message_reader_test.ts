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

Deno.test("reader: messages stay as they are until they are given back, in any order, now or later or never", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    const expected = Array.from({ length: 300 }, () => {
      const size = random.chance(0.05) ? random.int(400_000) : random.int(random.chance(0.5) ? 40 : 50_000);
      return random.bytes(new Uint8Array(size));
    });
    const stream = concatBytes(...expected.map(encodeLengthPrefixed));
    const reader = new MessageReader(new Source(stream, () => 1 + random.int(400_000)), {
      maxLength: 400_000,
    });
    const held: { readonly message: Uint8Array; readonly index: number }[] = [];
    const hoard = random.int(20);
    for (let index = 0; index < expected.length;) {
      const messages = await reader.read();
      assert(typeof messages !== "string", `seed ${seed}`);
      for (const message of messages) held.push({ message, index: index++ });
      while (held.length > hoard) {
        const [{ message, index } = { message: new Uint8Array(0), index: -1 }] = held.splice(
          random.int(held.length),
          1,
        );
        assertEquals(message, expected[index], `seed ${seed} message ${index}`);
        if (random.chance(0.9)) reader.giveBack(message.subarray(message.length >> 1));
      }
    }
    for (const { message, index } of held) {
      assertEquals(message, expected[index], `seed ${seed} message ${index}`);
    }
  }
});

Deno.test("reader: where messages are given back a connection needs no new memory, busy or not", async () => {
  for (
    const { size, piece, held, most } of [
      { size: 60, piece: 64, held: 0, most: 1 },
      { size: 131_081, piece: 200_000, held: 2, most: 5 },
    ]
  ) {
    const one = encodeLengthPrefixed(new Uint8Array(size).fill(7));
    const source = new Source(concatBytes(...new Array(400).fill(one)), () => piece);
    const reader = new MessageReader(source, { maxLength: 400_000 });
    const buffers: ArrayBufferLike[] = [];
    const messages: Uint8Array[] = [];
    for (let read = await reader.read(); typeof read !== "string"; read = await reader.read()) {
      messages.push(...read);
      while (messages.length > held) reader.giveBack(messages.shift() ?? one);
      buffers.push(...read.map(({ buffer }) => buffer));
    }
    // The first ones are the smaller ones with which a connection begins.
    const used = new Set(buffers.slice(20));
    assert(buffers.length === 400 && used.size <= most, `${used.size} buffers for messages of ${size} bytes`);
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
