/** Weaknesses of the Pilot Protocol's streams, where no other test shows that ours do not have them. */

import { assert, assertEquals } from "../../assert.ts";
import { Connections } from "../../../lib/core/stream/connections.ts";
import { Ports } from "../../../lib/core/stream/ports.ts";
import { ReceiveSide } from "../../../lib/core/stream/recv.ts";
import { SEGMENT_SIZE } from "../../../lib/core/stream/segment.ts";
import { Stream } from "../../../lib/core/stream/stream.ts";
import { Flag, type Packet, Protocol } from "../../../lib/wire/packet.ts";
import { fixedSequence, Random } from "./pair.ts";

const A = { network: 0, node: 1 };
const B = { network: 0, node: 2 };

Deno.test("weakness: first sequence numbers and ports follow no order, and differ after a restart", () => {
  const life = (seed: number) => {
    const ports = new Ports({ random: new Random(seed).source });
    return Array.from({ length: 200 }, () => {
      const id = ports.connect(B, 80, 0);
      const out = ports.pollTransmit(0);
      assertEquals(out?.segment.flags, Flag.SYN);
      return { sequence: out?.segment.sequence ?? 0, port: ports.get(id)?.local_port ?? 0 };
    });
  };
  const [first, second] = [life(1), life(2)];
  for (const field of ["sequence", "port"] as const) {
    const values = first.map((each) => each[field]);
    assert(new Set(values).size === values.length && !values.includes(0), field);
    const steps = values.slice(1).filter((value, n) => Math.abs(value - (values[n] ?? 0)) <= 1);
    assert(steps.length <= 3, `${field}: ${steps.length} follow their predecessor`);
    const again = second.filter((each, n) => each[field] === values[n]);
    assert(again.length <= 3, `${field}: ${again.length} as before the restart`);
  }
});

Deno.test("weakness: a stream whose reader sleeps does not hold up another one", () => {
  const [a, b] = [new Ports({ random: new Random(1).source }), new Ports({ random: new Random(2).source })];
  let now = 1_000;
  const accepted: number[] = [];
  const exchange = () => {
    for (let isBusy = true; isBusy;) {
      isBusy = false;
      for (const [from, to, source] of [[a, b, A], [b, a, B]] as const) {
        for (let out = from.pollTransmit(now); out; out = from.pollTransmit(now)) {
          isBusy = true;
          const { remote: destination, remotePort: destinationPort, localPort: sourcePort, segment } = out;
          const names = { source, sourcePort, destination, destinationPort };
          const packet: Packet = { version: 1, protocol: Protocol.STREAM, ...names, ...segment };
          to.handlePacket(packet, now, { admitted: true });
        }
      }
      a.handleTimeout(now);
      b.handleTimeout(now);
    }
    while (a.pollEvent() !== undefined);
    for (let event = b.pollEvent(); event; event = b.pollEvent()) {
      if (event.type === "accepted") accepted.push(event.id);
    }
  };
  b.listen(80);
  const streams = [a.connect(B, 80, now), a.connect(B, 80, now)];
  exchange();
  const [asleep = 0, awake = 0] = accepted;
  assert(asleep !== awake);
  const [toAsleep = 0, toAwake = 0] = streams;
  let read = 0;
  let written = 0;
  for (; now < 61_000; now += 10) {
    a.write(toAsleep, new Uint8Array(4 * SEGMENT_SIZE), now);
    written += a.write(toAwake, new Uint8Array(SEGMENT_SIZE), now);
    exchange();
    for (let chunk = b.read(awake, now); chunk !== undefined; chunk = b.read(awake, now)) {
      read += chunk.length;
    }
  }
  exchange();
  for (let chunk = b.read(awake, now); chunk !== undefined; chunk = b.read(awake, now)) read += chunk.length;
  assertEquals(b.get(asleep)?.recv_win, 0, "the sleeper is full");
  assertEquals([read, written], [6_000 * SEGMENT_SIZE, 6_000 * SEGMENT_SIZE]);
});

Deno.test("weakness: what was held out of order and came once more in other pieces is let go", () => {
  const receive = new ReceiveSide(0);
  for (const start of [10, 25, 40, 77]) receive.receive(start, new Uint8Array(7));
  assertEquals(receive.early, 4);
  receive.receive(0, new Uint8Array(60));
  assertEquals([receive.next, receive.early, receive.gaps], [60, 1, 1]);
  receive.receive(60, new Uint8Array(60));
  assertEquals([receive.next, receive.early, receive.sackBlocks()], [120, 0, []]);
  const small = new ReceiveSide(0, { segments: 4 });
  const kept = [1, 2, 3, 4, 5, 6].filter((n) => small.receive(10 * n, new Uint8Array(1)) === "early");
  assertEquals(kept.length, 4, "no more than the window");
});

Deno.test("weakness: each of 10,000 connections is found by its name, and no other name finds one", () => {
  const count = 10_000;
  const connections = new Connections();
  for (let id = 1; id <= count; id++) {
    connections.add({
      id,
      localPort: 80,
      remote: { network: 0, node: id },
      remotePort: 50_000,
      stream: Stream.connect({ random: fixedSequence(1) }, 0),
      createdAt: 0,
      hasFixedSegments: false,
      stage: "taken",
      isReady: false,
      wakeAt: Infinity,
      isLingering: false,
      isRemoved: false,
    });
  }
  for (let node = 1; node <= count; node++) {
    assertEquals(connections.find(80, { network: 0, node }, 50_000)?.id, node);
    assertEquals(connections.find(81, { network: 0, node }, 50_000), undefined);
    assertEquals(connections.find(80, { network: 0, node }, 50_001), undefined);
    assertEquals(connections.find(80, { network: 1, node }, 50_000), undefined);
  }
});
