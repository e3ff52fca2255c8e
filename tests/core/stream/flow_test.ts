import { assert, assertEquals } from "../../assert.ts";
import { Flag } from "../../../lib/wire/packet.ts";
import { MAX_OUTSTANDING, SEGMENT_SIZE } from "../../../lib/core/stream/segment.ts";
import { concat, fixedSequence, type Link, Pair, Random, sameBytes, TERRIBLE } from "./pair.ts";

Deno.test("half-close: the answer comes after the end of the question", () => {
  const pair = Pair.open();
  pair.a.give(new TextEncoder().encode("question"));
  pair.a.ends = true;
  assert(pair.run(() => pair.b.has("finished"), 5_000));
  const answer = new Random(1).bytes(300_000);
  pair.b.give(answer);
  assert(pair.run(() => pair.a.receivedBytes === answer.length, 20_000));
  assertEquals([pair.a.stream.state.name, pair.b.stream.state.name], ["FIN_WAIT", "CLOSE_WAIT"]);
  // A half-closed stream stays open as long as both are alive.
  pair.wait(600_000);
  assertEquals([pair.a.closed, pair.b.closed], [undefined, undefined]);
  pair.b.ends = true;
  assert(pair.run(() => pair.a.closed === "done" && pair.b.closed === "done", 5_000));
  assert(sameBytes(concat(pair.a.received), answer));
  pair.wait(30_000);
  assert(pair.a.stream.isOver && pair.b.stream.isOver);
});

Deno.test("both ends finish at the same moment", () => {
  const pair = Pair.open();
  pair.a.ends = pair.b.ends = true;
  assert(pair.run(() => pair.a.closed === "done" && pair.b.closed === "done", 5_000));
});

Deno.test("abort resets the peer", () => {
  const pair = Pair.open();
  pair.a.stream.abort(pair.now);
  assert(pair.run(() => pair.b.closed !== undefined, 1_000));
  assertEquals([pair.a.closed, pair.b.closed], ["aborted", "reset"]);
  assert(pair.a.stream.isOver && pair.b.stream.isOver);
});

Deno.test("an idle connection lives, one whose link died is given up by both sides", () => {
  const pair = Pair.open();
  pair.wait(86_400_000);
  assertEquals([pair.a.closed, pair.b.closed], [undefined, undefined]);
  pair.filter = () => false;
  pair.wait(200_000);
  assertEquals([pair.a.closed, pair.b.closed], ["idle", "idle"]);
});

Deno.test("an outage of 40 s in the middle of a transfer is survived", () => {
  const pair = Pair.open();
  const data = new Random(3).bytes(3_000_000);
  pair.a.give(data);
  pair.wait(100);
  pair.filter = () => false;
  pair.wait(40_000);
  pair.filter = () => true;
  assert(pair.run(() => pair.b.receivedBytes === data.length, 20_000));
  assert(sameBytes(concat(pair.b.received), data));
});

Deno.test("a reader that stops stops the sender, memory stays bounded, and reading resumes the flow", () => {
  for (const link of [{ delay: 10, jitter: 0, loss: 0, duplicate: 0 }, { ...TERRIBLE, loss: 0.05 }]) {
    const pair = Pair.open({ link, seed: 5 });
    pair.b.reads = false;
    const data = new Random(4).bytes(4_000_000);
    pair.a.give(data);
    pair.wait(60_000);
    assertEquals(pair.b.stream.stats.recv_win, 0);
    assert(pair.b.stream.stats.bytes_recv <= 512 * SEGMENT_SIZE);
    // What the stream took is in its send buffer or received.
    assert(data.length - pair.a.pending <= 1_048_576 + 512 * SEGMENT_SIZE);
    const before = pair.a.sent.length;
    pair.wait(60_000);
    assert(pair.a.sent.length - before <= 8, `${pair.a.sent.length - before} packets into a closed window`);
    assertEquals(pair.a.closed, undefined);
    pair.b.reads = true;
    assert(pair.run(() => pair.b.receivedBytes === data.length, 300_000), `${pair.b.receivedBytes}`);
    assert(sameBytes(concat(pair.b.received), data));
  }
});

Deno.test("a reader that takes one segment now and then", () => {
  const pair = Pair.open({ b: { receiveSegments: 4 } });
  pair.b.reads = false;
  const data = new Random(4).bytes(100_000);
  pair.a.give(data);
  for (let turn = 0; turn < 10_000 && pair.b.receivedBytes < data.length; turn++) {
    pair.wait(20);
    pair.b.readOne(pair.now);
  }
  assert(sameBytes(concat(pair.b.received), data));
});

Deno.test("closing a full receiver lets the sender go on at once, and both ends close in order", () => {
  const pair = Pair.open();
  pair.b.reads = false;
  pair.a.give(new Random(4).bytes(2_000_000));
  pair.wait(20_000);
  pair.b.stream.close(pair.now);
  pair.a.ends = true;
  assert(pair.run(() => pair.a.closed !== undefined && pair.b.closed !== undefined, 5_000));
  assertEquals([pair.a.closed, pair.b.closed], ["done", "done"]);
});

Deno.test("zero-window probes end after thirty", () => {
  const pair = Pair.open();
  pair.b.reads = false;
  pair.a.give(new Random(4).bytes(1_000_000));
  pair.wait(600_000);
  assertEquals(pair.a.closed, undefined);
  pair.wait(600_000);
  assertEquals(pair.a.closed, "unreachable");
});

Deno.test("sequence numbers wrap", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const near = { random: fixedSequence(0xffffffff - seed * 1_000) };
    const pair = Pair.open({ seed, link: { ...TERRIBLE, loss: 0.05 }, a: near, b: near });
    const random = new Random(seed);
    const [fromA, fromB] = [random.bytes(60_000), random.bytes(60_000)];
    pair.a.give(fromA);
    pair.b.give(fromB);
    pair.a.ends = pair.b.ends = true;
    assert(pair.run(() => pair.a.closed === "done" && pair.b.closed === "done", 600_000), `seed ${seed}`);
    assert(
      sameBytes(concat(pair.b.received), fromA) && sameBytes(concat(pair.a.received), fromB),
      `seed ${seed}`,
    );
    const numbers = pair.a.sent.filter(({ payload }) => payload.length > 0).map(({ sequence }) => sequence);
    assert(Math.min(...numbers) < 2 ** 31 && Math.max(...numbers) > 2 ** 31);
  }
});

Deno.test("never more than 128 segments or the peer's window are outstanding, and bounds never change", () => {
  for (const [window, loss] of [[512, 0], [90, 0], [90, 0.02]] as const) {
    const link = { delay: 100, jitter: loss > 0 ? 40 : 0, loss, duplicate: 0 };
    const pair = Pair.open({ link, seed: 9, b: { receiveSegments: window } });
    const bounds = new Map<number, number>();
    let most = 0;
    pair.filter = (segment, from) => {
      if (from !== pair.a || segment.payload.length === 0) return true;
      assert(segment.payload.length <= SEGMENT_SIZE);
      assertEquals(
        bounds.get(segment.sequence) ?? segment.payload.length,
        segment.payload.length,
        "cut anew",
      );
      bounds.set(segment.sequence, segment.payload.length);
      most = Math.max(most, pair.a.stream.stats.unacked);
      return true;
    };
    pair.a.give(new Random(2).bytes(2_000_000));
    assert(pair.run(() => pair.b.receivedBytes === 2_000_000, 600_000));
    const limit = Math.min(window, MAX_OUTSTANDING);
    assert(most <= limit && (loss > 0 || most === limit), `${most} of ${limit}`);
  }
});

Deno.test("small writes: a short segment waits only for an earlier short one, 40 ms at most", () => {
  const pair = Pair.open({ link: { delay: 100, jitter: 0, loss: 0, duplicate: 0 } });
  const sizes: number[] = [];
  pair.filter = (segment, from) => {
    if (from === pair.a && segment.payload.length > 0) sizes.push(segment.payload.length);
    return true;
  };
  pair.wait(1_000);
  for (const size of [10, 20, 30]) {
    pair.a.give(new Uint8Array(size));
    pair.flush();
  }
  assertEquals(sizes, [10]);
  pair.wait(40);
  assertEquals(sizes, [10, 50]);
  pair.a.give(new Uint8Array(SEGMENT_SIZE + 7));
  pair.flush();
  assertEquals(sizes, [10, 50, SEGMENT_SIZE, 7]);
});

Deno.test("user data that looks like SACK arrives whole between nodes like ours", () => {
  const pair = Pair.open({ link: { delay: 10, jitter: 30, loss: 0.1, duplicate: 0.1 }, seed: 3 });
  const piece = new TextEncoder().encode("SACK\x02");
  const data = concat(Array.from({ length: 20_000 }, () => piece));
  pair.a.give(data);
  assert(pair.run(() => pair.b.receivedBytes === data.length, 600_000));
  assert(sameBytes(concat(pair.b.received), data));
});

Deno.test("goodput on a lossy long path stays useful", () => {
  const link: Link = { delay: 25, jitter: 0, loss: 0.02, duplicate: 0 };
  const pair = Pair.open({ link, seed: 11 });
  const start = pair.now;
  pair.a.give(new Random(2).bytes(5_000_000));
  assert(pair.run(() => pair.b.receivedBytes === 5_000_000, 600_000));
  const rate = 5_000_000 / (pair.now - start);
  assert(rate > 100, `${rate.toFixed(0)} kB/s`);
});

Deno.test("a path that reorders is not taken for one that loses", () => {
  const pair = Pair.open({ link: { delay: 30, jitter: 15, loss: 0, duplicate: 0 }, seed: 11 });
  const start = pair.now;
  pair.a.give(new Random(2).bytes(5_000_000));
  assert(pair.run(() => pair.b.receivedBytes === 5_000_000, 600_000));
  const rate = 5_000_000 / (pair.now - start);
  assert(rate > 500, `${rate.toFixed(0)} kB/s`);
});

Deno.test("a lost third packet is repeated, so the accepting side gets its connection", () => {
  const pair = new Pair();
  let lost = 0;
  pair.filter = (segment, from) => from !== pair.a || segment.flags !== Flag.ACK || ++lost > 1;
  assert(pair.run(() => pair.b.has("connected"), 5_000));
});
