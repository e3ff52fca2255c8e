/** Who may ask how often: token buckets per source address. */

import { type BucketRate, RateTable } from "../core/limiter.ts";
import { ipToBytes } from "../wire/endpoint.ts";
import type { Policy } from "./policy.ts";

/** What a request is charged to. */
export type BudgetName = keyof Policy["rates"];

/** The budgets of all sources. Bounded: a flood of addresses makes room by forgetting idle ones. */
export class Budgets {
  readonly #policy: Policy;
  readonly #tables: Readonly<Record<BudgetName, RateTable<string>>>;

  constructor(policy: Policy) {
    this.#policy = policy;
    const table = (rate: BucketRate) => new RateTable<string>(rate, policy.maxSources);
    const { register, ask, score, handshake, any } = policy.rates;
    this.#tables = {
      register: table(register),
      ask: table(ask),
      score: table(score),
      handshake: table(handshake),
      any: table(any),
    };
  }

  /** Charges one request to its source. 0 when it fits, else the milliseconds after which the next one does. */
  charge(name: BudgetName, host: string, now: number): number {
    if (this.#policy.exemptLoopback && isLoopback(host)) return 0;
    return this.#take(name, sourceOf(host), now);
  }

  /** Charges one message to the node that sends it, result as of `charge`. */
  chargeNode(node: number, now: number): number {
    return this.#take("handshake", `node ${node}`, now);
  }

  #take(name: BudgetName, key: string, now: number): number {
    if (this.#tables[name].take(key, now)) return 0;
    return Math.ceil(1000 / this.#policy.rates[name].perSecond);
  }
}

/** What counts as one source: an IPv4 address, or the /64 that an IPv6 host can roam in freely. */
export function sourceOf(host: string): string {
  const bytes = ipToBytes(host);
  return bytes === undefined || bytes.length === 4 ? host : `${bytes.subarray(0, 8).join(".")}/64`;
}

/** Whether an address names this computer: 127.0.0.0/8 or ::1. */
export function isLoopback(host: string): boolean {
  return host === "::1" || ipToBytes(host)?.length === 4 && host.startsWith("127.");
}
