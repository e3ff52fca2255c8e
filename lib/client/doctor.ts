/** The health of an agent and its network, check by check, typed. */

import type { Fields } from "./fields.ts";

/** How a check came out. `unknown` is no verdict: it could not be made, or the answer would mean nothing. */
export type CheckStatus = "ok" | "warn" | "fail" | "unknown";

/** One check. */
export interface ClientCheck {
  /** A stable name. */
  readonly name: string;
  readonly status: CheckStatus;
  /** What was found, in a few words. */
  readonly value: string;
  /** What to do about it, empty when there is nothing to do. */
  readonly hint: string;
}

/** Everything that was found. */
export interface ClientDoctor {
  readonly nat_type: string;
  /** `host:port` as seen from outside, empty when unknown. */
  readonly endpoint: string;
  readonly strategy: string;
  readonly checks: readonly ClientCheck[];
}

/** Reads the answer to `Doctor`. */
export function readDoctor(reply: Fields): ClientDoctor {
  return {
    nat_type: reply.text("nat_type"),
    endpoint: reply.text("endpoint"),
    strategy: reply.text("strategy"),
    checks: reply.objects("checks").map((check) => ({
      name: check.text("name"),
      status: check.word("status", ["unknown", "ok", "warn", "fail"]),
      value: check.text("value"),
      hint: check.text("hint"),
    })),
  };
}
