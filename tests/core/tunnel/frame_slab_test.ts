import { FrameSlab } from "../../../lib/core/tunnel/frame_slab.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";

/** Reserves `size` bytes and fills them. */
function make(slab: FrameSlab, size: number, fill: number): Uint8Array<ArrayBuffer> {
  const start = slab.reserve(size);
  assert(slab.view.buffer === slab.bytes.buffer, "bytes and view show different memory");
  return slab.bytes.subarray(start, start + size).fill(fill);
}

Deno.test("frame slab: frames share no memory until reuse says that nobody needs them", () => {
  const random = new SeededRandom(3);
  const slab = new FrameSlab();
  for (let round = 0; round < 200; round++) {
    const frames = Array.from({ length: random.int(400) }, () => {
      const fill = random.int(256);
      const size = random.chance(0.02) ? 60_000 + random.int(10_000) : 1 + random.int(1_500);
      return { frame: make(slab, size, fill), size, fill };
    });
    for (const { frame, size, fill } of frames) {
      assertEquals(frame.length, size);
      assert(frame.every((byte) => byte === fill), `round ${round}`);
    }
    slab.reuse();
  }
});

Deno.test("frame slab: batch after batch takes the same memory", () => {
  const slab = new FrameSlab();
  const blocks = new Set<ArrayBuffer>();
  for (let batch = 0; batch < 100; batch++) {
    for (let i = 0; i < 64; i++) blocks.add(make(slab, 16_454, i).buffer);
    slab.reuse();
  }
  assertEquals(blocks.size, Math.ceil(64 / 3));
});

Deno.test("frame slab: without reuse, and after a batch however large, it keeps a bounded number of blocks", () => {
  const slab = new FrameSlab();
  const first = new Set<ArrayBuffer>();
  for (let i = 0; i < 1_000; i++) first.add(make(slab, 65_536, 0).buffer);
  assertEquals(first.size, 1_000);
  slab.reuse();
  let again = 0;
  for (let i = 0; i < 100; i++) if (first.has(make(slab, 65_536, 0).buffer)) again++;
  assertEquals(again, 25);
});
