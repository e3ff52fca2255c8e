/** Loss detection and its repair, seen from outside: what is sent again, and when. */

import { assert, assertEquals } from "../../assert.ts";
import { cubic } from "../../../lib/core/stream/cubic.ts";
import { OWN_PROFILE } from "../../../lib/core/stream/profile.ts";
import { SEGMENT_SIZE } from "../../../lib/core/stream/segment.ts";
import { SendSide } from "../../../lib/core/stream/send.ts";
import { concat, Pair, Random, sameBytes } from "./pair.ts";

const at = (segments: number) => segments * SEGMENT_SIZE;
const block = (from: number, to: number) => ({ left: at(from), right: at(to) });

/** A sender whose peer the test is. Its round-trip time of 100 ms is known. */
class Sender {
  readonly side = new SendSide(0, { congestion: cubic, profile: OWN_PROFILE });
  now = 100;

  constructor(segments: number) {
    this.side.rtt.sample(100);
    this.side.open(512);
    this.side.write(new Uint8Array(at(segments)));
  }

  /** Numbers of the segments that leave now. */
  send(): number[] {
    const sent: number[] = [];
    for (let next = this.side.poll(this.now); next !== undefined; next = this.side.poll(this.now)) {
      sent.push(next.sequence / SEGMENT_SIZE);
    }
    return sent;
  }

  hear(segments: number, ...blocks: { left: number; right: number }[]): number[] {
    this.side.acknowledge({ number: at(segments), window: 512, blocks, hasData: false }, this.now);
    return this.send();
  }

  /** Lets the next deadline pass. */
  expire(): number[] {
    this.now = this.side.deadline ?? this.now;
    this.side.handleTimeout(this.now);
    return this.send();
  }
}

Deno.test("recovery: one late segment is lost a quarter of a round trip after a younger one arrived", () => {
  const sender = new Sender(4);
  assertEquals(sender.send(), [0, 1, 2, 3]);
  sender.now += 100;
  assertEquals(sender.hear(0, block(1, 2)), []);
  assertEquals(sender.side.deadline, 225);
  assertEquals(sender.expire(), [0]);
});

Deno.test("recovery: three arrivals make the loss certain at once, unless the path was seen to reorder", () => {
  const sender = new Sender(10);
  sender.send();
  sender.now += 100;
  assertEquals(sender.hear(0, block(1, 4)), [0]);

  const reordering = new Sender(10);
  reordering.send();
  reordering.now += 100;
  reordering.hear(0, block(1, 2));
  reordering.hear(2);
  assertEquals(reordering.hear(2, block(3, 6)), []);
  assertEquals(reordering.side.deadline, 225);
});

Deno.test("recovery: a lost repetition is found, too", () => {
  const sender = new Sender(30);
  sender.send();
  sender.now += 100;
  assertEquals(sender.hear(0, block(1, 4))[0], 0);
  sender.now += 100;
  sender.hear(0, block(1, 10));
  sender.now += 100;
  // What left after the repetition has arrived.
  assertEquals(sender.hear(0, block(1, 11)).includes(0), true);
});

Deno.test("recovery: the end of a flight is probed after two round trips, not after the timeout", () => {
  const sender = new Sender(3);
  sender.send();
  sender.now += 100;
  sender.hear(1);
  assertEquals(sender.side.deadline, 400);
  assertEquals(sender.expire(), [2]);
  // The probe arrives and shows the hole before it.
  sender.now += 100;
  assertEquals(sender.hear(1, block(2, 3)), [1]);
});

Deno.test("recovery: a probe carries new data when there is any", () => {
  const sender = new Sender(2);
  sender.send();
  sender.side.write(new Uint8Array(100));
  // Nagle holds nothing back here: the window does.
  assertEquals(sender.send().concat(sender.expire()), [2, 2]);
});

Deno.test("recovery: a timeout that was none is undone, and only one segment was sent twice", () => {
  const sender = new Sender(10);
  sender.send();
  const { window } = sender.side.congestion;
  sender.expire();
  const again = sender.expire();
  assertEquals(again, [0]);
  // All answers were late by the same time.
  sender.now += 20;
  sender.hear(1);
  sender.now += 1;
  sender.hear(10);
  assert(sender.side.congestion.window >= window, `${sender.side.congestion.window}`);
  assertEquals([sender.side.inRecovery, sender.side.isDrained], [false, true]);
});

Deno.test("recovery: after an outage in which only reports were lost, the rest is sent again at once", () => {
  const sender = new Sender(40);
  sender.send();
  for (let i = 0; i < 4; i++) sender.expire();
  sender.now += 150;
  // The repetition is answered: the first three had arrived before the outage.
  const sent = sender.hear(3);
  assertEquals(sent[0], 3);
});

Deno.test("recovery: on another path everything is sent again at once, in an initial window", () => {
  const sender = new Sender(40);
  sender.send();
  sender.now += 10;
  sender.side.handlePathChange(sender.now);
  assertEquals(sender.send(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("recovery: what became too large for the path is sent again in pieces to a node like ours", () => {
  const options = { profile: OWN_PROFILE, segmentSize: 8_000 };
  const pair = Pair.open({ a: options, b: options });
  const data = new Random(1).bytes(1_000_000);
  pair.a.give(data);
  pair.wait(30);
  // A black hole for anything large.
  pair.filter = ({ payload }) => payload.length <= SEGMENT_SIZE;
  pair.wait(500);
  assert(pair.b.receivedBytes < data.length);
  pair.a.stream.setSegmentSize(SEGMENT_SIZE);
  assert(pair.run(() => pair.b.receivedBytes === data.length, 20_000), `${pair.b.receivedBytes}`);
  assert(sameBytes(concat(pair.b.received), data));
});

Deno.test("recovery: heavy reordering and duplication without loss leave the window alone", () => {
  const link = { delay: 40, jitter: 10, loss: 0, duplicate: 0.1 };
  const pair = Pair.open({
    seed: 3,
    link,
    a: { profile: OWN_PROFILE, congestion: cubic },
    b: { profile: OWN_PROFILE },
  });
  pair.a.give(new Random(2).bytes(6_000_000));
  assert(pair.run(() => pair.b.receivedBytes === 6_000_000, 60_000));
  const { retransmits, segs_sent } = pair.a.stream.stats;
  assert(retransmits < segs_sent / 50, `${retransmits} of ${segs_sent}`);
});
