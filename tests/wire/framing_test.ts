import { assert, assertEquals, assertThrows } from "../assert.ts";
import { ByteQueue } from "../../lib/wire/byte_queue.ts";
import { concatBytes, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { encodeLengthPrefixed, FrameSplitter } from "../../lib/wire/framing.ts";
import { SeededRandom } from "../sim/random.ts";
import { FUZZ_ROUNDS, inPieces } from "./fuzz.ts";

Deno.test("framing: length in front, zero is legal", () => {
  assertEquals(toHex(encodeLengthPrefixed(fromHex("0103e8"))), "000000030103e8");
  assertEquals(toHex(encodeLengthPrefixed(new Uint8Array(0))), "00000000");
  const splitter = new FrameSplitter(10);
  assertEquals(splitter.push(fromHex("00000000 00000003 0103e8 0000")), [
    new Uint8Array(0),
    fromHex("0103e8"),
  ]);
  assertEquals(splitter.pendingBytes, 2);
  assertEquals(splitter.push(fromHex("0001 ff")), [fromHex("ff")]);
  assertEquals(splitter.pendingBytes, 0);
});

Deno.test("framing: any fragmentation gives the same bodies", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    const bodies = Array.from(
      { length: 1 + random.int(30) },
      () => random.bytes(new Uint8Array(random.int(random.chance(0.1) ? 5000 : 40))),
    );
    const stream = concatBytes(...bodies.map(encodeLengthPrefixed));
    const splitter = new FrameSplitter(5000);
    const largest = 1 + random.int(200);
    assertEquals(inPieces(splitter, { stream, random, largest }), bodies, `seed ${seed}`);
    assertEquals(splitter.pendingBytes, 0, `seed ${seed}`);
  }
});

Deno.test("framing: the limit is inclusive and final", () => {
  const splitter = new FrameSplitter(4);
  assertEquals(splitter.push(encodeLengthPrefixed(new Uint8Array(4))), [new Uint8Array(4)]);
  assert(!splitter.failed);
  assertEquals(splitter.push(fromHex("00000005")), "too-long");
  assert(splitter.failed);
  assertEquals(splitter.push(encodeLengthPrefixed(new Uint8Array(1))), "too-long");
  assertEquals(splitter.pendingBytes, 0);
});

Deno.test("framing: bodies before a too long one are still delivered", () => {
  const splitter = new FrameSplitter(4);
  assertEquals(splitter.push(fromHex("00000001 aa ffffffff")), [fromHex("aa")]);
  assert(splitter.failed);
  assertEquals(splitter.push(new Uint8Array(0)), "too-long");
});

Deno.test("framing: an announced length holds no memory", () => {
  const before = new FrameSplitter(0xffffffff);
  assertEquals(before.push(fromHex("ffffffff 01")), []);
  assertEquals(before.pendingBytes, 5);
});

Deno.test("framing: random streams never throw", () => {
  const random = new SeededRandom(61);
  let splitter = new FrameSplitter(300);
  for (let round = 0; round < FUZZ_ROUNDS; round++) {
    const chunk = random.bytes(new Uint8Array(random.int(40)));
    if (random.chance(0.7)) chunk.fill(0, 0, random.int(4));
    const before = chunk.slice();
    const result = splitter.push(chunk);
    assertEquals(chunk, before, `seed 61 round ${round}`);
    assert(splitter.pendingBytes <= 304, `seed 61 round ${round}`);
    if (result === "too-long") splitter = new FrameSplitter(300);
  }
});

Deno.test("queue: first in, first out, with a look at the front", () => {
  const queue = new ByteQueue();
  const random = new SeededRandom(62);
  let expected: number[] = [];
  for (let round = 0; round < 20_000; round++) {
    if (random.chance(0.5)) {
      const chunk = random.bytes(new Uint8Array(random.int(60)));
      queue.push(chunk);
      expected.push(...chunk);
    } else {
      const count = random.int(queue.length + 1);
      assertEquals([...queue.take(count)], expected.slice(0, count), `seed 62 round ${round}`);
      expected = expected.slice(count);
    }
    assertEquals(queue.length, expected.length, `seed 62 round ${round}`);
    if (queue.length >= 6) {
      const [, , a = 0, b = 0, c = 0, d = 0] = expected;
      assertEquals(queue.uint16(2), a * 256 + b, `seed 62 round ${round}`);
      assertEquals(queue.uint32(2), ((a * 256 + b) * 256 + c) * 256 + d, `seed 62 round ${round}`);
    }
  }
  queue.clear();
  assertEquals(queue.length, 0);
  assertThrows(() => queue.take(1), RangeError);
  assertThrows(() => queue.uint32(0), RangeError);
});
