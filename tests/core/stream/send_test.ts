import { assert, assertEquals } from "../../assert.ts";
import { Cubic, cubic } from "../../../lib/core/stream/cubic.ts";
import { OWN_PROFILE } from "../../../lib/core/stream/profile.ts";
import { SEGMENT_SIZE } from "../../../lib/core/stream/segment.ts";
import { type Acknowledgement, SendSide } from "../../../lib/core/stream/send.ts";

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
  const send = new SendSide(0, { congestion: cubic });
  send.open(512);
  send.write(new Uint8Array(segments * SEGMENT_SIZE));
  return send;
}

const block = (from: number, to: number) => ({ left: from * SEGMENT_SIZE, right: to * SEGMENT_SIZE });

Deno.test("send: a window of parts of bytes never makes a write take parts of bytes", () => {
  class Fractional extends Cubic {
    override get window(): number {
      return 2_000_000.5;
    }
  }
  const send = new SendSide(0, { congestion: (options) => new Fractional(options), profile: OWN_PROFILE });
  send.open(512);
  assertEquals(send.write(new Uint8Array(3_000_000)), 2_000_000);
});

Deno.test("send: the initial window is ten segments, slow start adds what is acknowledged", () => {
  const send = filled(100);
  assertEquals(sendAll(send, 0).length, 10);
  send.acknowledge(ack(2 * SEGMENT_SIZE), 50);
  assertEquals(sendAll(send, 50), [10, 11, 12, 13]);
});

Deno.test("send: SACK shows a loss, which is repeated once, and reduces the window once", () => {
  const send = filled(100);
  sendAll(send, 0);
  send.acknowledge(ack(0, { blocks: [block(1, 2)] }), 50);
  send.acknowledge(ack(0, { blocks: [block(1, 3)] }), 51);
  assertEquals(sendAll(send, 51).includes(0), false);
  send.acknowledge(ack(0, { blocks: [block(1, 4)] }), 52);
  assertEquals(sendAll(send, 52)[0], 0);
  assertEquals([send.congestion.threshold, send.inRecovery], [7 * SEGMENT_SIZE, true]);
  send.acknowledge(ack(0, { blocks: [block(1, 9)] }), 53);
  assertEquals(sendAll(send, 53).includes(0), false);
  assertEquals(send.congestion.threshold, 7 * SEGMENT_SIZE);
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
