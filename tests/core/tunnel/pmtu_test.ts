/** Path MTU discovery of one path, without a network: sizes pass or vanish by rule. */

import { BASE_DATAGRAM, Pmtu } from "../../../lib/core/tunnel/pmtu.ts";
import { assert, assertEquals } from "../../assert.ts";

const RTT = 20;

interface Line {
  readonly pmtu: Pmtu;
  now: number;
  /** Whether a datagram of `size` bytes arrives. */
  passes: (size: number) => boolean;
  /** Sizes of the probes sent, 0 for small ones. */
  readonly sent: number[];
}

function makeLine(ceiling: number, passes: (size: number) => boolean): Line {
  return { pmtu: new Pmtu({ ceiling }), now: 0, passes, sent: [] };
}

/** Lets time pass until `ms` later; probes that pass are answered after a round trip. */
function run(line: Line, ms: number): void {
  const end = line.now + ms;
  const answers: { at: number; token: number }[] = [];
  let token = line.sent.length * 1_000;
  for (;;) {
    const due = line.pmtu.nextTimeout() ?? Infinity;
    const answer = answers[0];
    const next = Math.min(due, answer?.at ?? Infinity);
    if (next > end) break;
    line.now = Math.max(line.now, next);
    if (answer !== undefined && answer.at <= line.now) {
      answers.shift();
      line.pmtu.handleAnswer(answer.token, line.now);
      continue;
    }
    for (const probe of line.pmtu.dueProbes(line.now)) {
      line.pmtu.noteProbe(++token, probe);
      line.sent.push(probe.size ?? 0);
      if (line.passes(probe.size ?? 100)) answers.push({ at: line.now + RTT, token });
    }
  }
  line.now = end;
}

Deno.test("pmtu: the base until something larger is proven, then what Ethernet carries, in a few round trips", () => {
  const line = makeLine(1_472, (size) => size <= 1_472);
  assertEquals(line.pmtu.limit, BASE_DATAGRAM);
  assertEquals(line.pmtu.nextTimeout(), undefined, "nothing before the path is proven");
  line.pmtu.start(RTT, 0);
  run(line, 4 * RTT);
  assertEquals(line.pmtu.limit, 1_472);
  assertEquals(line.sent, [1_392, 1_452, 1_472]);
  run(line, 60_000);
  assertEquals(line.sent.length, 3, "the search is over");
});

Deno.test("pmtu: a ceiling at the base is never probed", () => {
  const line = makeLine(BASE_DATAGRAM, () => true);
  line.pmtu.start(RTT, 0);
  run(line, 10_000);
  assertEquals(line.sent, []);
  assertEquals(line.pmtu.limit, BASE_DATAGRAM);
});

Deno.test("pmtu: finds any limit to within 16 bytes and never above it", () => {
  for (let mtu = BASE_DATAGRAM; mtu <= 1_472; mtu += 7) {
    const line = makeLine(1_472, (size) => size <= mtu);
    line.pmtu.start(RTT, 0);
    run(line, 60_000);
    assert(line.pmtu.limit <= mtu, `${line.pmtu.limit} on a path of ${mtu}`);
    assert(mtu - line.pmtu.limit <= 16, `${line.pmtu.limit} on a path of ${mtu}`);
  }
});

Deno.test("pmtu: jumbo frames, up to the ceiling exactly", () => {
  for (const ceiling of [8_972, 16_454]) {
    const line = makeLine(ceiling, () => true);
    line.pmtu.start(RTT, 0);
    run(line, 10 * RTT);
    assertEquals(line.pmtu.limit, ceiling);
  }
});

Deno.test("pmtu: a lost probe is repeated, a size is given up after three", () => {
  let lose = 2;
  const line = makeLine(1_392, () => lose-- <= 0);
  line.pmtu.start(RTT, 0);
  run(line, 5_000);
  assertEquals(line.pmtu.limit, 1_392);
  assertEquals(line.sent, [1_392, 1_392, 1_392]);
});

Deno.test("pmtu: a black hole is found by small probes that pass, and the new size after it", () => {
  const line = makeLine(1_472, (size) => size <= 1_472);
  line.pmtu.start(RTT, 0);
  run(line, 1_000);
  line.passes = (size) => size <= 1_300;
  assert(line.pmtu.doubt(line.now));
  run(line, 500);
  assert(line.pmtu.limit <= 1_300, `still ${line.pmtu.limit} after 0.5 s`);
  run(line, 30_000);
  assert(line.pmtu.limit > 1_284 && line.pmtu.limit <= 1_300, `${line.pmtu.limit}`);
});

Deno.test("pmtu: while nothing passes at all nothing is concluded", () => {
  const line = makeLine(1_472, (size) => size <= 1_472);
  line.pmtu.start(RTT, 0);
  run(line, 1_000);
  line.passes = () => false;
  line.pmtu.doubt(line.now);
  run(line, 5_000);
  assertEquals(line.pmtu.limit, 1_472);
});

Deno.test("pmtu: large traffic has its size confirmed every few seconds, small traffic does not", () => {
  const line = makeLine(1_472, (size) => size <= 1_472);
  line.pmtu.start(RTT, 0);
  run(line, 1_000);
  const before = line.sent.length;
  for (let second = 0; second < 30; second++) {
    line.pmtu.noteSent(200, line.now);
    run(line, 1_000);
  }
  assertEquals(line.sent.length, before);
  for (let second = 0; second < 30; second++) {
    line.pmtu.noteSent(1_472, line.now);
    run(line, 1_000);
  }
  const confirmations = line.sent.length - before;
  assert(confirmations >= 5 && confirmations <= 7, `${confirmations} confirmations`);
  line.passes = (size) => size <= 1_222;
  for (let second = 0; second < 7; second++) {
    line.pmtu.noteSent(1_472, line.now);
    run(line, 1_000);
  }
  assert(line.pmtu.limit < 1_240, `${line.pmtu.limit}: a black hole under traffic both ways`);
});

Deno.test("pmtu: a limit that has grown is found again after ten minutes of traffic", () => {
  const line = makeLine(1_472, (size) => size <= 1_300);
  line.pmtu.start(RTT, 0);
  run(line, 60_000);
  assert(line.pmtu.limit <= 1_300);
  line.passes = () => true;
  run(line, 600_000);
  line.pmtu.noteSent(100, line.now);
  run(line, 5_000);
  assertEquals(line.pmtu.limit, 1_472);
});

Deno.test("pmtu: a path that is no longer proven begins at the base again", () => {
  const line = makeLine(1_472, () => true);
  line.pmtu.start(RTT, 0);
  run(line, 1_000);
  line.pmtu.reset();
  assertEquals(line.pmtu.limit, BASE_DATAGRAM);
  assertEquals(line.pmtu.nextTimeout(), undefined);
  line.pmtu.start(RTT, line.now);
  run(line, 1_000);
  assertEquals(line.pmtu.limit, 1_472);
});

Deno.test("pmtu: answers to unknown, used or superseded probes prove nothing", () => {
  const pmtu = new Pmtu({ ceiling: 1_472 });
  assertEquals(pmtu.handleAnswer(7, 0), false);
  pmtu.start(RTT, 0);
  const [probe] = pmtu.dueProbes(0);
  assert(probe !== undefined);
  pmtu.noteProbe(1, probe);
  assertEquals(pmtu.handleAnswer(1, RTT), true);
  assertEquals(pmtu.limit, 1_392);
  assertEquals(pmtu.handleAnswer(1, RTT), false);
  const [next] = pmtu.dueProbes(RTT);
  assert(next !== undefined);
  pmtu.noteProbe(2, next);
  pmtu.reset();
  pmtu.handleAnswer(2, 2 * RTT);
  assertEquals(pmtu.limit, BASE_DATAGRAM);
});

Deno.test("pmtu: a lower ceiling holds at once, a higher one is searched", () => {
  const line = makeLine(1_472, () => true);
  line.pmtu.start(RTT, 0);
  run(line, 1_000);
  line.pmtu.setCeiling(1_300, line.now);
  assertEquals(line.pmtu.limit, 1_300);
  line.pmtu.setCeiling(9_000, line.now);
  run(line, 1_000);
  assertEquals(line.pmtu.limit, 9_000);
});
