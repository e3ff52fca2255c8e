import { assertEquals } from "../../assert.ts";
import { type DeliveryObserver, Scoreboard, type SentSegment } from "../../../lib/core/stream/scoreboard.ts";
import { Random } from "./pair.ts";

/** Counts what it hears of. */
class Deliveries implements DeliveryObserver {
  readonly indices: number[] = [];

  onDelivered(segment: SentSegment): void {
    this.indices.push(segment.index);
  }
}

Deno.test("scoreboard: bytes in flight equal a fresh count after any history", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const heard = new Deliveries();
    const board = new Scoreboard(heard);
    const live: SentSegment[] = [];
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
          const right = left + random.int(30);
          board.sack([{ left, right }]);
          assertEquals(
            live.filter(({ sequence, end, sacked }) => sequence >= left && end <= right && !sacked),
            [],
            `seed ${seed}`,
          );
          break;
        }
        case 4:
          acknowledged = live[random.int(live.length)]?.end ?? acknowledged;
          board.acknowledge(acknowledged);
          while (live[0] !== undefined && live[0].end <= acknowledged) live.shift();
          break;
        case 5:
          if (random.chance(0.2)) board.markAllLost(random.chance(0.5));
          else if (random.chance(0.1)) board.unmarkLost(turn);
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
      assertEquals(heard.indices.length, new Set(heard.indices).size, `seed ${seed}: heard twice`);
      assertEquals(inTurn(board), [...inFlight].sort((a, b) => a.order - b.order), `seed ${seed}: order`);
      assertEquals(board.firstLost, live.find(({ lost }) => lost), `seed ${seed}`);
    }
  }
});

/** The segments in flight in the order of transmission. */
function inTurn(board: Scoreboard): SentSegment[] {
  const all: SentSegment[] = [];
  for (let segment = board.oldest; segment !== undefined; segment = segment.later) all.push(segment);
  return all;
}

Deno.test("scoreboard: of 30,000 segments in flight exactly the missing ones are lost, and each is repeated", () => {
  const count = 30_000;
  const board = new Scoreboard(new Deliveries());
  const payload = new Uint8Array(100);
  for (let i = 0; i < count; i++) board.push(100 * i, payload, 0);
  // Every tenth is missing, and every arrival is reported with the run before it.
  for (let i = 1; i < count; i++) {
    if (i % 10 === 0) continue;
    const run = 1_000 * Math.floor(i / 10);
    const before = Math.max(100, run - 900);
    board.sack([{ left: before, right: Math.max(run, before) }, { left: run + 100, right: 100 * i + 100 }]);
  }
  const repeated: number[] = [];
  for (let i = 0; i < count; i += 10) {
    const segment = board.first;
    if (segment !== undefined) board.markLost(segment);
    const lost = board.firstLost;
    if (lost !== undefined) repeated.push(lost.sequence);
    if (lost !== undefined) board.repeat(lost, 1);
    board.acknowledge(100 * i + 1_000);
  }
  assertEquals(repeated, Array.from({ length: count / 10 }, (_, index) => 1_000 * index));
  assertEquals([board.count, board.bytes, board.inFlight], [0, 0, 0]);
});
