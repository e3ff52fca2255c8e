/**
 * Situations beside the table: a shared line, a bloated queue, an outage, another path.
 */

import type { CongestionFactory } from "../../lib/core/stream/congestion.ts";
import { network, type Path, share } from "./cells.ts";
import type { Flow, Network } from "./network.ts";

/** Jain's fairness index of the shares: 1 when all are equal. */
export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, value) => total + value, 0);
  const squares = shares.reduce((total, value) => total + value * value, 0);
  return Math.round(1_000 * sum * sum / (shares.length * squares)) / 1_000;
}

/** Bytes that each flow receives from now on for `time` milliseconds. */
function count(net: Network, time: number): number[] {
  const before = net.flows.map(({ received }) => received);
  net.run(net.now + time);
  return net.flows.map(({ received }, i) => received - (before[i] ?? 0));
}

/** Two streams, the second one 2 s later: their fairness from 10 s on, and what they use of the line together. */
export function fairness(
  path: Path,
  loss: string,
  congestion: CongestionFactory,
): { jain: number; share: number } {
  const net = network(path, loss, 7);
  net.add({ congestion });
  net.run(2_000);
  net.add({ congestion });
  net.run(10_000);
  const bytes = count(net, 50_000);
  return {
    jain: jain(bytes),
    share: share(bytes.reduce((sum, value) => sum + value, 0), 50_000, path.rate),
  };
}

/** A queue of ten bandwidth-delay products: what the stream uses, and how long its packets wait on average. */
export function bloat(congestion: CongestionFactory): { share: number; waitingMs: number } {
  const path = { rate: 10, rtt: 50, queue: 10 };
  const net = network(path, "0", 3);
  const flow = net.add({ congestion });
  let waiting = 0;
  for (let i = 1; i <= 200; i++) {
    net.run(100 * i);
    if (i > 100) waiting += net.there.waiting(net.now) / 100;
  }
  return { share: share(flow.received, net.now, path.rate), waitingMs: Math.round(waiting) };
}

/** Milliseconds from now until the flow gets at least `wanted` bytes in a tenth of a second. */
function timeToRate(net: Network, flow: Flow, wanted: number): number {
  const start = net.now;
  for (let i = 1; i <= 100; i++) {
    const before = flow.received;
    net.run(start + 100 * i);
    if (flow.received - before >= wanted) return 100 * i;
  }
  return -1;
}

/** Nothing passes for 5 s: milliseconds until data arrives again, and until half of the line is used again. */
export function blackout(path: Path, congestion: CongestionFactory): { firstMs: number; halfMs: number } {
  const net = network(path, "0", 5);
  const flow = net.add({ congestion });
  net.run(8_000);
  net.there.isCut = net.back.isCut = true;
  net.run(13_000);
  net.there.isCut = net.back.isCut = false;
  const before = flow.received;
  net.run(33_000, () => flow.received > before);
  const firstMs = Math.round(net.now - 13_000);
  const halfMs = firstMs + timeToRate(net, flow, path.rate * 12_500 / 2);
  return { firstMs, halfMs };
}

/** The line becomes another one after 8 s: share of the new line in the 10 s from then on. */
export function pathChange(
  from: Path,
  to: Path,
  options: { congestion: CongestionFactory; isTold: boolean },
): number {
  const net = network(from, "0", 6);
  const flow = net.add({ congestion: options.congestion });
  net.run(8_000);
  const rate = to.rate * 125;
  const line = { rate, delay: to.rtt / 2, queue: rate * to.rtt };
  net.there.options = { ...net.there.options, ...line };
  net.back.options = { ...net.back.options, ...line };
  if (options.isTold) flow.sender.handlePathChange(net.now);
  const [bytes = 0] = count(net, 10_000);
  return share(bytes, 10_000, to.rate);
}
