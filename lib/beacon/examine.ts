/**
 * How a beacon answers the examination of a NAT: from the socket it was asked to answer from, and without keeping
 * anything.
 */

import type { Instant, Transmit } from "../core/machine.ts";
import { decodeExamine, encodeExamineReply } from "../wire/examine.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { Budgets } from "./budget.ts";
import type { BeaconSockets } from "./sockets.ts";
import type { BeaconStats } from "./stats.ts";

/** What answers are drawn from. */
export interface ExamineDesk {
  readonly sockets: BeaconSockets;
  readonly budgets: Budgets;
  readonly stats: BeaconStats;
}

/** A question as it arrived at the socket `via`. */
export interface ExamineArrival {
  readonly data: Uint8Array;
  readonly via: number;
  readonly now: Instant;
}

/** The answer to a question from `from`; `undefined` when it is malformed, too much, or there is no such socket. */
export function answerExamine(
  desk: ExamineDesk,
  from: Endpoint,
  { data, via, now }: ExamineArrival,
): Transmit | undefined {
  const question = decodeExamine(data);
  if (typeof question === "string") {
    desk.stats.malformed++;
    return undefined;
  }
  if (!desk.budgets.mayExamine(from.host, now)) {
    desk.stats.examinesLimited++;
    return undefined;
  }
  desk.stats.examines++;
  const place = desk.sockets.at(via, question.from);
  if (place === undefined) return undefined;
  const reply = { from: question.from, token: question.token, seen: from, ...desk.sockets.describe(via) };
  const to = question.port === 0 ? from : { host: from.host, port: question.port };
  return { to, data: encodeExamineReply(reply), via: place };
}
