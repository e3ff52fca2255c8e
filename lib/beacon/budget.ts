/**
 * How much of a beacon one sender may use.
 */

import type { Instant } from "../core/machine.ts";
import { type BucketRate, RateTable } from "../core/limiter.ts";
import { ipToBytes } from "../wire/endpoint.ts";
import { toHex } from "../wire/bytes.ts";

/** Rates of one source address (IPv6: of one /64), except where a node ID is named. */
export interface BeaconLimits {
  /** Discover: answers, and new entries in the table. Many nodes may share an address behind a carrier's NAT. */
  readonly discover: BucketRate;
  /** Examinations of NATs: each takes some forty questions. */
  readonly examine: BucketRate;
  /** Punch requests. */
  readonly punch: BucketRate;
  /** Punches that another beacon passes on, for all of its nodes. */
  readonly meshPunch: BucketRate;
  /** Punch requests towards one node, so that nobody makes a node send to many addresses. */
  readonly punchTarget: BucketRate;
  /** Relayed data, in pieces of 1,280 bytes. */
  readonly relay: BucketRate;
  /** Relayed data whose claimed sender is known at another endpoint: perhaps its NAT has just moved it. */
  readonly implausible: BucketRate;
  /** Relayed data towards an endpoint that has sent one Discover only, by node ID: it may have been forged. */
  readonly unconfirmed: BucketRate;
  /** Most nodes in the table. */
  readonly nodes: number;
  /** Most nodes on connections of their own. */
  readonly sessions: number;
}

/** Limits for a public beacon. */
export const DEFAULT_LIMITS: BeaconLimits = {
  discover: { perSecond: 20, burst: 200 },
  examine: { perSecond: 40, burst: 400 },
  punch: { perSecond: 4, burst: 32 },
  meshPunch: { perSecond: 100, burst: 400 },
  punchTarget: { perSecond: 1, burst: 8 },
  relay: { perSecond: 4000, burst: 8000 },
  implausible: { perSecond: 10, burst: 20 },
  unconfirmed: { perSecond: 10, burst: 64 },
  nodes: 100_000,
  sessions: 10_000,
};

/** Sources remembered per budget. */
const MAX_SOURCES = 65_536;
/** Bytes of relayed data that cost one token (the smallest MTU of IPv6, RFC 8200 section 5). */
const PIECE_BYTES = 1280;

/** The budgets of all senders. */
export class Budgets {
  readonly #discover: RateTable<string>;
  readonly #examine: RateTable<string>;
  readonly #punch: RateTable<string>;
  readonly #meshPunch: RateTable<string>;
  readonly #punchTarget: RateTable<number>;
  readonly #relay: RateTable<string>;
  readonly #implausible: RateTable<string>;
  readonly #unconfirmed: RateTable<number>;

  constructor(limits: BeaconLimits) {
    this.#discover = new RateTable(limits.discover, MAX_SOURCES);
    this.#examine = new RateTable(limits.examine, MAX_SOURCES);
    this.#punch = new RateTable(limits.punch, MAX_SOURCES);
    this.#meshPunch = new RateTable(limits.meshPunch, MAX_SOURCES);
    this.#punchTarget = new RateTable(limits.punchTarget, MAX_SOURCES);
    this.#relay = new RateTable(limits.relay, MAX_SOURCES);
    this.#implausible = new RateTable(limits.implausible, MAX_SOURCES);
    this.#unconfirmed = new RateTable(limits.unconfirmed, MAX_SOURCES);
  }

  mayDiscover(host: string, now: Instant): boolean {
    return this.#discover.take(sourceKey(host), now);
  }

  mayExamine(host: string, now: Instant): boolean {
    return this.#examine.take(sourceKey(host), now);
  }

  mayPunch(host: string, target: number, now: Instant): boolean {
    return this.#punch.take(sourceKey(host), now) && this.#punchTarget.take(target, now);
  }

  mayMeshPunch(host: string, target: number, now: Instant): boolean {
    return this.#meshPunch.take(host, now) && this.#punchTarget.take(target, now);
  }

  mayRelay(host: string, bytes: number, now: Instant): boolean {
    const key = sourceKey(host);
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      if (!this.#relay.take(key, now)) return false;
    }
    return true;
  }

  mayRelayImplausibly(host: string, now: Instant): boolean {
    return this.#implausible.take(sourceKey(host), now);
  }

  mayReachUnconfirmed(node: number, now: Instant): boolean {
    return this.#unconfirmed.take(node, now);
  }
}

/** One customer has one IPv4 address, or (RFC 6177) at least one IPv6 /64. */
function sourceKey(host: string): string {
  if (!host.includes(":")) return host;
  const bytes = ipToBytes(host);
  return bytes === undefined ? host : toHex(bytes.subarray(0, 8));
}
