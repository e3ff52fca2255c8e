import { assert, assertEquals } from "../../assert.ts";
import { Bbr } from "../../../lib/core/stream/bbr.ts";
import { type AcknowledgementReport, emptyReport } from "../../../lib/core/stream/congestion.ts";
import { Cubic } from "../../../lib/core/stream/cubic.ts";
import { HyStart } from "../../../lib/core/stream/hystart.ts";
import { Pacer } from "../../../lib/core/stream/pacer.ts";
import { ProportionalRateReduction } from "../../../lib/core/stream/prr.ts";

const OPTIONS = { segmentSize: 1_000, seed: 1 };

function report(parts: Partial<AcknowledgementReport>): AcknowledgementReport {
  return { ...emptyReport(), limited: true, minimumRtt: 100, smoothedRtt: 100, ...parts };
}

Deno.test("CUBIC: slow start, reduction to 0.7, growth back to the old window in about K seconds, then beyond", () => {
  const controller = new Cubic(OPTIONS);
  controller.onAcknowledged(report({ acknowledged: 90_000, delivered: 90_000, now: 0 }));
  assertEquals(controller.window, 100_000);
  controller.onLoss(100_000);
  controller.onRecovered();
  assertEquals([controller.window, controller.threshold], [70_000, 70_000]);
  // RFC 9438 figure 2: K = cbrt(100 * 0.3 / 0.4) = 4.2 s.
  const after = (seconds: number) => {
    const copy = new Cubic(OPTIONS);
    copy.onAcknowledged(report({ acknowledged: 90_000, delivered: 90_000, now: 0 }));
    copy.onLoss(100_000);
    copy.onRecovered();
    for (let now = 0; now <= 1_000 * seconds; now += 10) {
      const acknowledged = copy.window / 10;
      copy.onAcknowledged(report({ acknowledged, delivered: acknowledged, now }));
    }
    return copy.window;
  };
  assert(after(2) > 85_000 && after(2) < 98_000, `${after(2)}`);
  assert(after(4.2) > 97_000 && after(4.2) < 103_000, `${after(4.2)}`);
  assert(after(8) > 115_000, `${after(8)}`);
});

Deno.test("CUBIC: a timeout leaves one segment, an undo restores all, no growth without use", () => {
  const controller = new Cubic(OPTIONS);
  controller.onTimeout(10_000, { first: true, now: 0 });
  controller.onTimeout(1_000, { first: false, now: 0 });
  assertEquals([controller.window, controller.threshold], [1_000, 7_000]);
  controller.onUndo();
  assertEquals(controller.window, 10_000);
  controller.onAcknowledged(report({ acknowledged: 5_000, delivered: 5_000, limited: false }));
  assertEquals(controller.window, 10_000);
});

Deno.test("HyStart++: a rise of the round-trip time makes slow start careful, a fall takes that back", () => {
  const hystart = new HyStart();
  const round = (rtt: number) => {
    let isOver = hystart.note(rtt, true);
    for (let i = 0; i < 9; i++) isOver = hystart.note(rtt, false) || isOver;
    return isOver;
  };
  round(100);
  round(100);
  assertEquals([hystart.isConservative, hystart.growth(8)], [false, 8]);
  round(113);
  assertEquals([hystart.isConservative, hystart.growth(8)], [true, 2]);
  round(101);
  assertEquals(hystart.isConservative, false);
  round(120);
  const rounds = [1, 2, 3, 4, 5].map(() => round(130));
  assertEquals(rounds, [false, false, false, false, true]);
});

Deno.test("PRR: of 20 segments in flight that become 14, 14 leave while 19 are reported", () => {
  const prr = new ProportionalRateReduction(1_000);
  prr.begin(20_000, 14_000);
  let inFlight = 19_000;
  let sent = 0;
  for (let i = 0; i < 19; i++) {
    inFlight -= 1_000;
    const window = prr.window(1_000, inFlight);
    while (inFlight + 1_000 <= window) {
      prr.noteSent(1_000);
      inFlight += 1_000;
      sent++;
    }
  }
  assert(sent >= 13 && sent <= 14 && inFlight <= 14_000, `${sent} sent, ${inFlight} in flight`);
});

Deno.test("pacer: bursts of a millisecond, the rate holds over time, a late timer is made up for", () => {
  const pacer = new Pacer(1_000);
  const rate = 10_000;
  let sent = 0;
  const burst = (now: number) => {
    let count = 0;
    for (; pacer.allows(now, rate); count++) pacer.noteSent(1_000, now, rate);
    sent += 1_000 * count;
    return count;
  };
  assert(burst(0) >= 10);
  assertEquals(burst(0.5), 0);
  for (let now = 0; now < 1_000; now = Math.max(now + 0.1, pacer.deadline) + 0.7) burst(now);
  assert(Math.abs(sent - 1_000 * rate) < 0.03 * 1_000 * rate, `${sent}`);
  assertEquals(pacer.allows(2_000, Infinity), true);
});

/** BBR on a model of a line: everything is delivered at `rate` after 50 ms. */
function drive(controller: Bbr, options: { rate: number; seconds: number; from?: number }): void {
  const rtt = 50;
  let delivered = options.from ?? 0;
  const start = delivered;
  for (let now = 0; now < 1_000 * options.seconds; now += 5) {
    const rate = Math.min(options.rate, controller.window / rtt, controller.pacingRate);
    const bytes = rate * 5;
    delivered += bytes;
    const waiting = Math.max(0, controller.window - options.rate * rtt) / options.rate;
    controller.onAcknowledged(report({
      now: start + now,
      delivered: bytes,
      acknowledged: bytes,
      rtt: controller.pacingRate > options.rate ? rtt + waiting : rtt,
      rate,
      totalDelivered: delivered,
      priorDelivered: delivered - rate * rtt,
      priorInFlight: rate * rtt,
      inFlight: Math.min(controller.window, rate * rtt),
      sentInFlight: rate * rtt,
    }));
  }
}

Deno.test("BBR: finds the rate in startup, drains, and keeps near it with two products as window", () => {
  const controller = new Bbr(OPTIONS);
  drive(controller, { rate: 1_000, seconds: 10 });
  assert(["cruise", "down", "up", "refill"].includes(controller.phase), controller.phase);
  assert(controller.pacingRate > 800 && controller.pacingRate < 1_300, `${controller.pacingRate}`);
  assert(controller.window >= 50_000 && controller.window < 150_000, `${controller.window}`);
});

Deno.test("BBR: a few bytes written first do not make the pace of what follows a crawl", () => {
  const controller = new Bbr(OPTIONS);
  const parts = { delivered: 1, acknowledged: 1, rtt: 50, smoothedRtt: 50, rate: 0.02, isAppLimited: true };
  controller.onAcknowledged(report({ ...parts, now: 50, totalDelivered: 1 }));
  assert(controller.pacingRate >= 10 * 1_000 / 50, `${controller.pacingRate} bytes/ms`);
});

Deno.test("BBR: what waits for a turn of the hosts on a path too short for timers is no queue to yield in", () => {
  const controller = new Bbr(OPTIONS);
  const rate = 100_000;
  let totalDelivered = 0;
  let least = Infinity;
  for (let round = 0; round < 500; round++) {
    const inFlight = Math.min(controller.window, 4 * rate);
    totalDelivered += inFlight;
    controller.onAcknowledged(report({
      now: round,
      delivered: inFlight,
      acknowledged: inFlight,
      rtt: round === 0 ? 0.1 : 1,
      rate,
      totalDelivered,
      priorDelivered: totalDelivered - inFlight,
      priorInFlight: inFlight,
      sentInFlight: inFlight,
    }));
    if (controller.phase === "cruise") least = Math.min(least, controller.window);
  }
  // Two milliseconds of the rate: what a host sends while the other one has no turn.
  assert(least >= 2 * rate && least < Infinity, `${least} bytes`);
});

Deno.test("BBR: a timeout leaves one segment until something arrives; another path begins anew", () => {
  const controller = new Bbr(OPTIONS);
  drive(controller, { rate: 1_000, seconds: 5 });
  const { window } = controller;
  controller.onTimeout(window, { first: true, now: 5_000 });
  assertEquals(controller.window, 1_000);
  controller.onTimeout(1_000, { first: false, now: 5_500 });
  controller.onAcknowledged(report({ now: 6_000, delivered: 1_000, rtt: 50, totalDelivered: 6e6 }));
  assert(controller.window > window / 2, `${controller.window}`);
  controller.onPathChange(6_000);
  assertEquals([controller.phase, controller.window, controller.pacingRate], ["startup", 10_000, Infinity]);
});
