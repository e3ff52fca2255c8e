/**
 * A beacon on a workbench: a clock set by hand, datagrams in hex.
 */

import { Beacon, type BeaconOptions } from "../../lib/beacon/beacon.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import { type Endpoint, formatEndpoint } from "../../lib/wire/endpoint.ts";
import { SeededRandom } from "../sim/random.ts";

export const A: Endpoint = { host: "203.0.113.7", port: 40000 };
export const B: Endpoint = { host: "198.51.100.9", port: 50000 };
export const EVE: Endpoint = { host: "192.0.2.66", port: 6666 };
export const CLEAR_SYN = "50494c5411010000000000000001000000000002c00003e800000000000000000200145ed874";
export const SEALED = `50494c5300000001${"00".repeat(28)}`;

/** A beacon with a clock set by hand, spoken to in hex. */
export class Bench {
  readonly beacon: Beacon;
  now = 1000;

  constructor(options: Omit<BeaconOptions, "random"> = {}) {
    this.beacon = new Beacon({ random: new SeededRandom(1).bytes, ...options });
    this.beacon.handleTimeout(0);
    this.sent();
  }

  /** Lets a datagram in at the socket `via`; what goes out, as `endpoint hex`, with `via N` if not from the first. */
  say(from: Endpoint, hex: string, via = 0): string[] {
    this.beacon.handleDatagram(from, fromHex(hex), this.now, via);
    return this.sent();
  }

  wait(ms: number): string[] {
    const sent: string[] = [];
    const end = this.now + ms;
    for (let due = this.beacon.pollTimeout(); due <= end; due = this.beacon.pollTimeout()) {
      this.now = due;
      this.beacon.handleTimeout(due);
      sent.push(...this.sent());
    }
    this.now = end;
    return sent;
  }

  sent(): string[] {
    const list: string[] = [];
    for (let next = this.beacon.pollTransmit(); next !== undefined; next = this.beacon.pollTransmit()) {
      const via = (next.via ?? 0) === 0 ? "" : ` via ${next.via}`;
      list.push(`${formatEndpoint(next.to)} ${toHex(next.data)}${via}`);
    }
    return list;
  }
}

export const id = (node: number) => node.toString(16).padStart(8, "0");
export const discover = (node: number) => `01${id(node)}`;
export const relay = (from: number, to: number, frame = SEALED) => `05${id(from)}${id(to)}${frame}`;

/** Nodes 1 at A and 2 at B, both confirmed by a second Discover. */
export function acquainted(options: Omit<BeaconOptions, "random"> = {}): Bench {
  const bench = new Bench(options);
  for (let round = 0; round < 2; round++) {
    bench.say(A, discover(1));
    bench.say(B, discover(2));
    bench.wait(1000);
  }
  return bench;
}
