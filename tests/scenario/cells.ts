/**
 * The goodput table: what share of a line one stream uses, and what several situations cost.
 */

import type { CongestionFactory } from "../../lib/core/stream/congestion.ts";
import { burstyLoss, type LineOptions, type LossModel, randomLoss } from "./line.ts";
import { Network } from "./network.ts";

export const RTTS = [10, 50, 200] as const;
export const RATES = [10, 100] as const;
export const LOSSES = ["0", "0.5", "2", "5", "12", "bursty"] as const;

/** A line: megabits per second, round-trip time in milliseconds. */
export interface Path {
  readonly rate: number;
  readonly rtt: number;
  /** The queue in bandwidth-delay products; 1 unless given. */
  readonly queue?: number;
  readonly pauses?: LineOptions["pauses"];
}

function lossModel(loss: string): LossModel {
  // Bursts of 8 packets, every 400: 1 % in all.
  return loss === "bursty" ? burstyLoss({ toBad: 1 / 400, toGood: 1 / 8 }) : randomLoss(Number(loss) / 100);
}

export function network(path: Path, loss: string, seed: number): Network {
  const rate = path.rate * 125;
  const queue = Math.max(rate * path.rtt * (path.queue ?? 1), 4 * 1_200);
  const options = () => ({ rate, delay: path.rtt / 2, queue, loss: lossModel(loss), pauses: path.pauses });
  return new Network({ there: options(), back: options(), seed });
}

/** Percent of the line, with one decimal. */
export function share(bytes: number, milliseconds: number, rate: number): number {
  return Math.round(1_000 * bytes / (milliseconds * rate * 125)) / 10;
}

/** One cell: percent of the line that arrives in the first seconds of a stream. -1 when it does not end in order. */
export function goodput(path: Path, loss: string, congestion: CongestionFactory): number {
  const net = network(path, loss, path.rtt * 1_000 + path.rate);
  const flow = net.add({ congestion });
  const time = path.rtt >= 200 ? 45_000 : 15_000;
  net.run(time);
  const result = share(flow.received, time, path.rate);
  flow.isGiving = false;
  flow.sender.shutdown(net.now);
  const isComplete = net.run(time + 120_000, () => flow.closed);
  return isComplete ? result : -1;
}
