import { assert, assertEquals } from "../../assert.ts";
import { sequenceAdd } from "../../../lib/core/seq.ts";
import { ReceiveSide } from "../../../lib/core/stream/recv.ts";
import { concat, Random, sameBytes } from "./pair.ts";

Deno.test("reassembly agrees with a naive model, whatever the cuts, the order and the overlap", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed);
    const data = random.bytes(1 + random.int(4_000));
    const first = random.chance(0.5) ? random.int(2 ** 32) : 0xffffffff - random.int(data.length);
    const receive = new ReceiveSide(first);
    const isHere = new Array<boolean>(data.length).fill(false);
    const read: Uint8Array[] = [];
    for (let turn = 0; turn < 120; turn++) {
      const start = random.int(data.length);
      const end = Math.min(data.length, start + 1 + random.int(400));
      isHere.fill(true, start, end);
      receive.receive(sequenceAdd(first, start), data.slice(start, end));
      const gap = isHere.indexOf(false);
      const expected = gap === -1 ? data.length : gap;
      assertEquals(receive.next, sequenceAdd(first, expected), `seed ${seed} turn ${turn}`);
      for (const { left, right } of receive.sackBlocks()) {
        const [from, to] = [(left - first) >>> 0, (right - first) >>> 0];
        assert(
          from > expected && to > from && isHere.slice(from, to).every((here) => here),
          `seed ${seed}: block`,
        );
      }
      if (random.chance(0.3)) {
        for (let chunk = receive.read(); chunk !== undefined; chunk = receive.read()) read.push(chunk);
      }
    }
    for (let chunk = receive.read(); chunk !== undefined; chunk = receive.read()) read.push(chunk);
    const all = concat(read);
    assert(sameBytes(all, data.subarray(0, all.length)), `seed ${seed}: bytes`);
    assertEquals(sequenceAdd(first, all.length), receive.next, `seed ${seed}: count`);
  }
});

Deno.test("what finds no room is not acknowledged, what was acknowledged stays", () => {
  const receive = new ReceiveSide(0, { segments: 3 });
  assertEquals(receive.receive(2, new Uint8Array([2])), "early");
  assertEquals([receive.receive(0, new Uint8Array([0])), receive.receive(1, new Uint8Array([1]))], [
    "delivered",
    "delivered",
  ]);
  assertEquals([receive.next, receive.window], [3, 0]);
  assertEquals(receive.receive(3, new Uint8Array([3])), "dropped");
  assertEquals(receive.receive(4, new Uint8Array([4])), "dropped");
  assertEquals([receive.read(), receive.read(), receive.read(), receive.read()].map((bytes) => bytes?.[0]), [
    0,
    1,
    2,
    undefined,
  ]);
});

Deno.test("out of order: 128 segments at most, and none from far away", () => {
  const receive = new ReceiveSide(0);
  for (let i = 1; i <= 128; i++) assertEquals(receive.receive(2 * i, new Uint8Array(1)), "early");
  assertEquals(receive.receive(2 * 129, new Uint8Array(1)), "dropped");
  assertEquals(receive.early, 128);
  assertEquals(receive.receive(0x40000000, new Uint8Array(1)), "dropped");
  assertEquals(receive.receive(0x90000000, new Uint8Array(1)), "dropped");
});

Deno.test("bytes are bounded, too: a peer with huge segments fills the window sooner", () => {
  const receive = new ReceiveSide(0);
  let sequence = 0;
  while (receive.receive(sequence, new Uint8Array(65_535)) === "delivered") sequence += 65_535;
  assert(sequence <= 4 * 1024 * 1024);
  assert(receive.window < 16);
  receive.discard();
  assertEquals(receive.window, 512);
});

Deno.test("of many blocks the three lowest and the latest are reported, in order", () => {
  const receive = new ReceiveSide(0);
  for (const start of [10, 20, 30, 40, 50, 60]) receive.receive(start, new Uint8Array(5));
  assertEquals(receive.sackBlocks().map(({ left }) => left), [10, 20, 30, 60]);
  receive.receive(45, new Uint8Array(5));
  assertEquals(receive.sackBlocks().map(({ left, right }) => [left, right]), [[10, 15], [20, 25], [30, 35], [
    40,
    55,
  ]]);
  receive.receive(15, new Uint8Array(5));
  assertEquals(receive.sackBlocks().map(({ left, right }) => [left, right]), [[10, 25], [30, 35], [40, 55], [
    60,
    65,
  ]]);
});
