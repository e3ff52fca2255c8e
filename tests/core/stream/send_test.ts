import { assert, assertEquals } from "../../assert.ts";
import { NewReno } from "../../../lib/core/stream/congestion.ts";
import { RoundTripTime } from "../../../lib/core/stream/rtt.ts";
import { Scoreboard } from "../../../lib/core/stream/scoreboard.ts";
import { SEGMENT_SIZE } from "../../../lib/core/stream/segment.ts";
import { type Acknowledgement, SendSide } from "../../../lib/core/stream/send.ts";
import { Random } from "./pair.ts";

function ack(number: number, parts: Partial<Acknowledgement> = {}): Acknowledgement {
  return { number, window: 512, blocks: [], hasData: false, ...parts };
}

function sendAll(send: SendSide, now: number): number[] {
  const sent: number[] = [];
  for (let next = send.poll(now); next !== undefined; next = send.poll(now)) {
    sent.push(next.sequence / SEGMENT_SIZE);
  }
  return sent;
}

function filled(segments: number): SendSide {
  const send = new SendSide(0);
  send.open(512);
  send.write(new Uint8Array(segments * SEGMENT_SIZE));
  return send;
}

const block = (from: number, to: number) => ({ left: from * SEGMENT_SIZE, right: to * SEGMENT_SIZE });

Deno.test("send: the initial window is ten segments, slow start adds what is acknowledged", () => {
  const send = filled(100);
  assertEquals(sendAll(send, 0).length, 10);
  send.acknowledge(ack(2 * SEGMENT_SIZE), 50);
  assertEquals(sendAll(send, 50), [10, 11, 12, 13]);
});

Deno.test("send: SACK shows a loss, which is repeated once, and halves the window once", () => {
  const send = filled(100);
  sendAll(send, 0);
  send.acknowledge(ack(0, { blocks: [block(1, 2)] }), 50);
  send.acknowledge(ack(0, { blocks: [block(1, 3)] }), 51);
  assertEquals(sendAll(send, 51).includes(0), false);
  send.acknowledge(ack(0, { blocks: [block(1, 4)] }), 52);
  assertEquals(sendAll(send, 52)[0], 0);
  const { window } = send.congestion;
  assert(window <= 5 * SEGMENT_SIZE && send.inRecovery);
  send.acknowledge(ack(0, { blocks: [block(1, 9)] }), 53);
  assertEquals(sendAll(send, 53).includes(0), false);
  assertEquals(send.congestion.window, window);
  assertEquals([send.stats.fastRetransmissions, send.stats.duplicates], [1, 4]);
});

Deno.test("send: without SACK three duplicates repeat the first, a part of the flight repeats the next hole", () => {
  const send = filled(10);
  sendAll(send, 0);
  for (let i = 0; i < 3; i++) send.acknowledge(ack(0), 50);
  assertEquals(sendAll(send, 50), [0]);
  send.acknowledge(ack(4 * SEGMENT_SIZE), 100);
  assertEquals(sendAll(send, 100), [4]);
  send.acknowledge(ack(10 * SEGMENT_SIZE), 150);
  assertEquals([send.inRecovery, send.isDrained], [false, true]);
});

Deno.test("send: window updates and data are no duplicates, and nothing in flight has none", () => {
  const send = filled(1);
  send.acknowledge(ack(0), 0);
  sendAll(send, 0);
  send.acknowledge(ack(0, { window: 400 }), 1);
  send.acknowledge(ack(0, { window: 400, hasData: true }), 1);
  assertEquals(send.stats.duplicates, 0);
});

Deno.test("send: the timer repeats one segment, doubles, and slow start follows", () => {
  const send = filled(10);
  sendAll(send, 0);
  assertEquals(send.deadline, 1_000);
  send.handleTimeout(1_000);
  assertEquals([sendAll(send, 1_000), send.deadline], [[0], 3_000]);
  send.handleTimeout(3_000);
  assertEquals([sendAll(send, 3_000), send.deadline], [[0], 7_000]);
  send.acknowledge(ack(SEGMENT_SIZE), 3_100);
  assertEquals(sendAll(send, 3_100), [1, 2]);
});

Deno.test("send: a closed window stops all but probes, whose distance doubles", () => {
  const send = filled(10);
  sendAll(send, 0);
  send.acknowledge(ack(10 * SEGMENT_SIZE, { window: 0 }), 50);
  send.write(new Uint8Array(5 * SEGMENT_SIZE));
  assertEquals(sendAll(send, 60), []);
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    const at = send.deadline ?? send.acknowledge(ack(10 * SEGMENT_SIZE, { window: 0 }), 60);
    assert(typeof at === "number" || i === 0);
    const due = send.deadline ?? 0;
    send.handleTimeout(due);
    assertEquals(sendAll(send, due), [10]);
    times.push(due);
  }
  const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
  assertEquals(gaps.map((gap) => gap / (gaps[0] ?? 1)), [1, 2, 4]);
  send.acknowledge(ack(10 * SEGMENT_SIZE, { window: 4 }), 10_000);
  assertEquals(sendAll(send, 10_000).slice(0, 2), [10, 11]);
});

Deno.test("send: window 0 means nothing before any other, nor on an ACK when nothing is in flight", () => {
  const send = new SendSide(0);
  send.open(0);
  send.write(new Uint8Array(3 * SEGMENT_SIZE));
  assertEquals(sendAll(send, 0).length, 3);
  send.acknowledge(ack(3 * SEGMENT_SIZE), 1);
  send.acknowledge(ack(3 * SEGMENT_SIZE, { window: 0 }), 2);
  assertEquals(send.window, 512);
});

Deno.test("send: a window that no one uses does not grow", () => {
  const send = filled(2);
  const { window } = send.congestion;
  sendAll(send, 0);
  send.acknowledge(ack(2 * SEGMENT_SIZE), 10);
  assertEquals(send.congestion.window, window);
});

Deno.test("scoreboard: bytes in flight equal a fresh count after any history", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const board = new Scoreboard();
    const live: { sequence: number; end: number; sacked: boolean; lost: boolean; payload: Uint8Array }[] = [];
    let next = 0;
    let acknowledged = 0;
    for (let turn = 0; turn < 200; turn++) {
      const lost = board.firstLost;
      switch (random.int(6)) {
        case 0:
        case 1:
          live.push(board.push(next, new Uint8Array(1 + random.int(9)), turn));
          next = live.at(-1)?.end ?? next;
          break;
        case 2:
          if (lost !== undefined) board.repeat(lost, turn);
          break;
        case 3: {
          const left = acknowledged + random.int(next - acknowledged + 1);
          board.sack([{ left, right: left + random.int(30) }], turn, 0);
          board.detectLosses();
          break;
        }
        case 4:
          acknowledged = live[random.int(live.length)]?.end ?? acknowledged;
          board.acknowledge(acknowledged, turn, 0);
          while (live[0] !== undefined && live[0].end <= acknowledged) live.shift();
          break;
        case 5:
          if (random.chance(0.2)) board.markAllLost(random.chance(0.5));
          else board.markFirstLost();
      }
      const inFlight = live.filter(({ sacked, lost }) => !sacked && !lost);
      const sum = (segments: typeof live) =>
        segments.reduce((total, { payload }) => total + payload.length, 0);
      assertEquals(
        [board.inFlight, board.bytes, board.count],
        [sum(inFlight), sum(live), live.length],
        `seed ${seed}`,
      );
      assertEquals(board.firstLost, live.find(({ lost }) => lost), `seed ${seed}`);
    }
  }
});

Deno.test("round-trip time: RFC 6298 with bounds", () => {
  const rtt = new RoundTripTime();
  assertEquals(rtt.timeout, 1_000);
  rtt.sample(100);
  assertEquals([rtt.smoothed, rtt.variation, rtt.timeout], [100, 50, 300]);
  rtt.sample(200);
  assertEquals([rtt.smoothed, rtt.variation, rtt.timeout], [112.5, 62.5, 362.5]);
  rtt.backOff();
  assertEquals(rtt.timeout, 725);
  for (let i = 0; i < 50; i++) rtt.backOff();
  assertEquals(rtt.timeout, 5_000);
  rtt.resetBackOff();
  assertEquals(rtt.timeout, 362.5);
  for (let i = 0; i < 100; i++) rtt.sample(1);
  assertEquals([rtt.timeout, rtt.minimum], [200, 1]);
  for (let i = 0; i < 100; i++) rtt.sample(60_000);
  assertEquals(rtt.timeout, 10_000);
});

Deno.test("NewReno: slow start, then one segment per window, halving, one segment after a timeout", () => {
  const reno = new NewReno(1_000);
  const report = { inFlight: 10_000, rtt: undefined, limited: true, now: 0 };
  reno.onAcknowledged({ ...report, bytes: 5_000 });
  assertEquals(reno.window, 12_000);
  reno.onLoss(12_000);
  assertEquals([reno.window, reno.threshold], [6_000, 6_000]);
  for (let i = 0; i < 6; i++) reno.onAcknowledged({ ...report, bytes: 1_000 });
  assertEquals(reno.window, 7_000);
  reno.onTimeout(7_000, { first: true });
  reno.onTimeout(1_000, { first: false });
  assertEquals([reno.window, reno.threshold], [1_000, 3_500]);
});
