import { assert, assertEquals } from "../../assert.ts";
import { agreeOn, FOREIGN_PROFILE, OWN_PROFILE } from "../../../lib/core/stream/profile.ts";
import { Flag } from "../../../lib/wire/packet.ts";
import { SEGMENT_SIZE } from "../../../lib/core/stream/segment.ts";
import { ReceiveSide } from "../../../lib/core/stream/recv.ts";
import { concat, Pair, Random, sameBytes } from "./pair.ts";

const OWN = { profile: OWN_PROFILE };

Deno.test("profile: what both offer, and no less than every node can do", () => {
  assertEquals(agreeOn(OWN_PROFILE, OWN_PROFILE), OWN_PROFILE);
  const small = { segmentSize: 1, outOfOrder: 1, windowSegments: 1, windowShift: 0 };
  assertEquals(agreeOn(OWN_PROFILE, small), {
    ...FOREIGN_PROFILE,
    windowSegments: OWN_PROFILE.windowSegments,
  });
  const absurd = { segmentSize: 1e9, outOfOrder: 1e9, windowSegments: 1e9, windowShift: 99 };
  assertEquals(agreeOn(OWN_PROFILE, absurd), OWN_PROFILE);
});

Deno.test("profile: between nodes like ours more than 25 MB are in flight on a path of 200 ms", () => {
  const pair = Pair.open({ link: { delay: 100, jitter: 0, loss: 0, duplicate: 0 }, a: OWN, b: OWN });
  const chunk = new Uint8Array(4_000_000);
  let most = 0;
  for (let i = 0; i < 60; i++) {
    if (pair.a.pending < chunk.length) pair.a.give(chunk);
    pair.wait(50);
    most = Math.max(most, pair.a.stream.stats.in_flight);
  }
  assert(most > 25_000_000, `${most}`);
});

Deno.test("profile: with any node never more than 128 segments are out", () => {
  const pair = Pair.open({ link: { delay: 100, jitter: 0, loss: 0, duplicate: 0 } });
  pair.a.give(new Uint8Array(2_000_000));
  let most = 0;
  for (let i = 0; i < 200; i++) {
    pair.wait(10);
    most = Math.max(most, pair.a.stream.stats.unacked);
  }
  assertEquals(most, 128);
});

Deno.test("profile: the window field counts in units of the shift, but not with SYN", () => {
  const profile = { ...OWN_PROFILE, windowShift: 4 };
  const pair = Pair.open({ a: { profile }, b: { profile } });
  const data = new Random(1).bytes(3_000_000);
  pair.a.give(data);
  assert(pair.run(() => pair.b.receivedBytes === data.length, 60_000));
  assert(sameBytes(concat(pair.b.received), data));
  const [synAck, ...others] = pair.b.sent;
  assertEquals([synAck?.flags, synAck?.window], [Flag.SYN | Flag.ACK, 512]);
  const last = others.at(-1)?.window ?? 0;
  // The last one may still be under way.
  assert(pair.run(() => pair.a.stream.stats.peer_recv_win === 4_096 * 16 * last, 1_000));
  assert(last * 16 >= 496);
});

Deno.test("profile: a stream that waits for its answer takes what is agreed on meanwhile", () => {
  const pair = new Pair({ b: OWN, link: { delay: 50, jitter: 0, loss: 0, duplicate: 0 } });
  pair.a.stream.setProfile(OWN_PROFILE);
  pair.run(() => pair.a.has("connected"), 5_000);
  pair.a.stream.setProfile(FOREIGN_PROFILE);
  pair.a.give(new Uint8Array(8_000_000));
  let most = 0;
  for (let i = 0; i < 100; i++) {
    pair.wait(10);
    most = Math.max(most, pair.a.stream.stats.unacked);
  }
  assert(most > 1_000, `${most}`);
});

Deno.test("profile: the window follows a reader that keeps up, and not one that does not", () => {
  for (const reads of [true, false]) {
    const pair = Pair.open({ link: { delay: 50, jitter: 0, loss: 0, duplicate: 0 }, a: OWN, b: OWN });
    pair.b.reads = reads;
    pair.a.give(new Uint8Array(20_000_000));
    pair.wait(3_000);
    const { recv_win, bytes_recv } = pair.b.stream.stats;
    if (reads) assert(recv_win > 4 * 512 * 4_096, `${recv_win}`);
    else assert(bytes_recv <= 512 * SEGMENT_SIZE, `${bytes_recv}`);
  }
});

Deno.test("profile: out of order as much as was promised, and bytes are bounded", () => {
  const receive = new ReceiveSide(0, OWN);
  let count = 0;
  for (let i = 1; i <= 600; i++) {
    if (receive.receive(2_000 * i, new Uint8Array(1_000)) === "early") count++;
  }
  // The window that was advertised, which has not grown yet.
  assertEquals(count, 512);
  const large = new ReceiveSide(0, { ...OWN, bytes: 1_000_000 });
  let sequence = 0;
  while (large.receive(sequence, new Uint8Array(10_000)) === "delivered") sequence += 10_000;
  assertEquals([sequence, large.window], [1_000_000, 0]);
});
