import { assert, assertEquals } from "../../assert.ts";
import { ReceiveMemory, ReceivePool } from "../../../lib/core/stream/recv_memory.ts";
import { Random } from "./pair.ts";

/** The bytes of a block. */
const BLOCK = 65_536;

Deno.test("pieces keep their bytes until they are given back, whatever the streams, the sizes and the order", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const pool = new ReceivePool();
    const streams = Array.from({ length: 1 + random.int(3) }, () => ({
      memory: new ReceiveMemory(pool),
      waiting: 0,
    }));
    const held: { stream: typeof streams[number]; piece: Uint8Array; fill: number }[] = [];
    for (let turn = 0; turn < 400; turn++) {
      const stream = streams[random.int(streams.length)];
      if (stream === undefined) throw new Error("no stream");
      if (random.chance(held.length < 60 ? 0.7 : 0.3)) {
        const length = 1 + random.int(random.chance(0.05) ? BLOCK : 3_000);
        const fill = random.int(256);
        const payload = new Uint8Array(length).fill(fill);
        const piece = stream.memory.keep(payload, stream.waiting);
        payload.fill(0);
        stream.waiting += length;
        held.push({ stream, piece, fill });
      } else {
        const [taken] = held.splice(random.chance(0.8) ? 0 : random.int(Math.max(1, held.length)), 1);
        if (taken === undefined) continue;
        assert(taken.piece.every((byte) => byte === taken.fill), `seed ${seed} turn ${turn}`);
        taken.stream.waiting -= taken.piece.length;
        // Some readers keep what they read, some give it back in two halves or lose a part of it.
        const middle = random.int(taken.piece.length);
        const halves = [taken.piece.subarray(0, middle), taken.piece.subarray(middle)];
        if (random.chance(0.05)) held.push({ ...taken, stream: { ...taken.stream } });
        else for (const half of halves) if (random.chance(0.99)) pool.giveBack(half);
      }
    }
    for (const { piece, fill } of held) assert(piece.every((byte) => byte === fill), `seed ${seed}`);
  }
});

Deno.test("a steady flow is written into the same blocks again and again", () => {
  const pool = new ReceivePool();
  const memory = new ReceiveMemory(pool);
  const buffers = new Set<ArrayBufferLike>();
  for (let round = 0; round < 1_000; round++) {
    const pieces = Array.from({ length: 64 }, () => memory.keep(new Uint8Array(1_200), 100_000));
    for (const piece of pieces) buffers.add(piece.buffer);
    for (const piece of pieces) pool.giveBack(piece);
  }
  assertEquals(buffers.size, 2);
});

Deno.test("what is never given back is never written again", () => {
  const pool = new ReceivePool();
  const memory = new ReceiveMemory(pool);
  const kept = Array.from({ length: 300 }, (_, i) => memory.keep(new Uint8Array(1_200).fill(i), 100_000));
  kept.forEach((piece, i) => assert(piece.every((byte) => byte === (i & 0xff))));
});

Deno.test("little that waits takes memory of just its size, and so does what comes after it was read", () => {
  const pool = new ReceivePool();
  const memory = new ReceiveMemory(pool);
  assertEquals(memory.keep(new Uint8Array(100), 0).buffer.byteLength, 100);
  assertEquals(memory.keep(new Uint8Array(100), 3_995).buffer.byteLength, 100);
  const piece = memory.keep(new Uint8Array(100), 3_996);
  assertEquals(piece.buffer.byteLength, BLOCK);
  assert(memory.keep(new Uint8Array(100), 0).buffer === piece.buffer, "while the block is in use");
  pool.giveBack(new Uint8Array(100));
  pool.giveBack(piece.subarray(0));
  pool.giveBack(piece.subarray(0));
  assertEquals(memory.keep(new Uint8Array(100), 0).buffer.byteLength, 100);
});

Deno.test("blocks go from stream to stream, never while one has something in them", () => {
  const pool = new ReceivePool();
  const [one, other] = [new ReceiveMemory(pool), new ReceiveMemory(pool)];
  const first = one.keep(new Uint8Array(5_000), 0);
  const second = other.keep(new Uint8Array(5_000), 0);
  assert(second.buffer !== first.buffer);
  pool.giveBack(first);
  assert(one.keep(new Uint8Array(5_000), 0).buffer === first.buffer);
  const full = other.keep(new Uint8Array(BLOCK), 0);
  assert(full.buffer !== first.buffer);
  assert(full.buffer !== second.buffer);
  assertEquals([full.length, full.byteOffset], [BLOCK, 0]);
});
