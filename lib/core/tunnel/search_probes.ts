/** Where the probes of a search go, from which socket and when: one function of a running number per role. */

import type { Endpoint } from "../../wire/endpoint.ts";
import type { SearchRole } from "./search_plan.ts";

/** Sockets of the side that opens many: with 2,048 random ports the other side misses all of them in 0.03 %. */
export const OPEN_SOCKETS = 256;
/** Most probes of one attempt. */
export const MAX_SEARCH_PROBES = 2_048;

/** Ports that NATs give out (RFC 4787 section 4.2.2 leaves the well-known ones alone). */
const FIRST_PORT = 1_024;
const PORTS = 65_536 - FIRST_PORT;
/** Unanswered mappings are refreshed at this distance, below the shortest known timer of 15 s, milliseconds. */
const REFRESH_MS = 12_000;
/** How far from the last port one is looked for; other hosts behind the same NAT take ports as well. */
const WINDOW = 32;
/** Ports beyond the last one that are tried twice, first of all. */
const LIKELY = 8;
/** Length of a row, and how often it is sent. */
const ROW = 16;
const ROW_REPEATS = 2;
/** When the side that offers one socket sends to the known one, milliseconds. */
const OFFER_MS: readonly number[] = [0, 100, 200, 400, 700, 1_000];

/** One probe. */
export interface SearchProbe {
  readonly endpoint: Endpoint;
  /** The socket, 0 for the main one. */
  readonly via: number;
  /** Not before this time since the round began, milliseconds. */
  readonly after: number;
}

/** What a round works with. */
export interface RoundPlan {
  readonly role: SearchRole;
  /** Where the beacon sees the peer. */
  readonly target: Endpoint;
  /** Sockets of ours: `OPEN_SOCKETS` for `open`, one for `offer` and `row`. */
  readonly vias: readonly number[];
  /** The port that the peer's NAT gave last, and the distance to the next one; for `aim` and `row`. */
  readonly lastPort: number;
  readonly step: number;
  /** Any 32-bit number; for `spray`. */
  readonly random: number;
}

/** The probe with a number from 0 on; `undefined` after the last one. */
export function searchProbe(plan: RoundPlan, index: number): SearchProbe | undefined {
  const { role, target, vias } = plan;
  const [via = 0] = vias;
  switch (role) {
    case "open": {
      const cycle = Math.floor(index / OPEN_SOCKETS);
      return { endpoint: target, via: vias[index % OPEN_SOCKETS] ?? 0, after: cycle * REFRESH_MS };
    }
    case "spray":
      return { endpoint: { host: target.host, port: sprayPort(plan.random, index) }, via: 0, after: 0 };
    case "offer": {
      const after = OFFER_MS[index];
      return after === undefined ? undefined : { endpoint: target, via, after };
    }
    case "aim": {
      const distance = AIM[index];
      if (distance === undefined) return undefined;
      return { endpoint: portAt(plan, distance), via: 0, after: 0 };
    }
    case "row":
      if (index >= ROW * ROW_REPEATS) return undefined;
      return { endpoint: portAt(plan, (index % ROW) + 1), via, after: 0 };
  }
}

/** How long a round lasts until it counts as failed, milliseconds, with a round trip of `rtt` through the relay. */
export function roundDuration(role: SearchRole, rtt: number): number {
  return role === "open" || role === "spray" ? 21_500 : 1_200 + 2 * rtt;
}

/** All of `PORTS` once each, in long steps that have no factor in common with their number, 2^10 * 3^2 * 7. */
function sprayPort(random: number, index: number): number {
  const start = random % PORTS;
  let stride = 16_127 + 2 * (Math.floor(random / PORTS) % 16_000);
  while (stride % 3 === 0 || stride % 7 === 0) stride += 2;
  return FIRST_PORT + ((start + index * stride) % PORTS);
}

/** The port that the peer's NAT gives to its `distance`-th mapping after the last one. */
function portAt({ target, lastPort, step }: RoundPlan, distance: number): Endpoint {
  const offset = lastPort - FIRST_PORT + distance * step;
  return { host: target.host, port: FIRST_PORT + (((offset % PORTS) + PORTS) % PORTS) };
}

/** Nearest first, in the direction in which ports go. */
const AIM: readonly number[] = (() => {
  const likely = Array.from({ length: LIKELY }, (_, index) => index + 1);
  const beyond = Array.from({ length: WINDOW - LIKELY }, (_, index) => LIKELY + index + 1);
  const before = Array.from({ length: WINDOW + 1 }, (_, index) => -index);
  return [...likely, ...likely, ...beyond, ...before];
})();
