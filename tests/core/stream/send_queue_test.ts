import { SEGMENT_SIZE } from "../../../lib/core/stream/segment.ts";
import { SendQueue } from "../../../lib/core/stream/send_queue.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";

/** Byte `at` of everything that is ever written. */
function byteAt(at: number): number {
  return (at * 31 + (at >> 8) * 7 + (at >> 16)) & 0xff;
}

function bytesAt(from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = byteAt(from + i);
  return bytes;
}

Deno.test("send queue: what was taken stays as it was written until it is released, whatever is written meanwhile", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new SeededRandom(seed);
    const queue = new SendQueue();
    const taken: { readonly from: number; readonly view: Uint8Array }[] = [];
    const largest = random.chance(0.5) ? 200_000 : 3_000;
    let [written, sent] = [0, 0];
    for (let step = 0; step < 300; step++) {
      if (random.chance(0.4) && queue.length < 300_000) {
        const data = bytesAt(written, 1 + random.int(random.chance(0.5) ? largest : 300));
        queue.push(data);
        written += data.length;
        data.fill(0);
      }
      for (let left = random.int(40); left > 0 && queue.length > 0; left--) {
        let view = queue.take(
          Math.min(queue.length, random.chance(0.8) ? SEGMENT_SIZE : 1 + random.int(20_000)),
        );
        if (view.length > 4 && random.chance(0.05)) {
          queue.putBack(view.subarray(4));
          view = view.subarray(0, 4);
        }
        taken.push({ from: sent, view });
        sent += view.length;
      }
      assertEquals(queue.length, written - sent, `seed ${seed}`);
      for (let left = random.int(40); left > 0; left--) {
        const next = taken.shift();
        if (next === undefined) break;
        const isWhole = next.view.every((byte, i) => byte === byteAt(next.from + i));
        assert(isWhole, `seed ${seed} step ${step}: bytes from ${next.from} on`);
        queue.release(next.view.length);
      }
    }
  }
});

Deno.test("send queue: a stream that flows writes into the same blocks again and again, one that is done keeps none", () => {
  const queue = new SendQueue();
  const blocks = new Set<ArrayBufferLike>();
  const data = bytesAt(0, 128 * 1024);
  const send = (bytes: number) => {
    for (let left = bytes; left > 0; left -= SEGMENT_SIZE) {
      const view = queue.take(Math.min(left, SEGMENT_SIZE));
      if (view.buffer.byteLength > 60_000) blocks.add(view.buffer);
    }
  };
  queue.push(data);
  queue.push(data);
  for (let round = 0; round < 200; round++) {
    queue.push(data);
    send(data.length);
    queue.release(data.length);
  }
  assert(blocks.size <= 8, `${blocks.size} blocks`);
  const used = blocks.size;
  send(2 * data.length);
  queue.release(2 * data.length);
  queue.push(data);
  send(data.length);
  assert(blocks.size >= used + 2, "blocks of a stream with nothing under way were kept");
});
