/**
 * When our own unanswered requests are sent, and by which way.
 *
 * ```text
 * reachable peer:  direct -> (fails) relay at once -> ... ; direct -> (unanswered for a minute) relay -> direct ...
 * other peers:     relay  -> (fails) relay again soon    ; relay  -> (unanswered) relay again, ever more seldom
 * ```
 *
 * A private peer that does not know us answers nothing at all, so for it the relay is the fast way.
 */

import type { Instant } from "./machine.ts";
import { Timers } from "./timers.ts";
import {
  DELIVERY_REPORT_MS,
  ERRAND_REPLY_MS,
  FAILED_RETRY_MS,
  UNANSWERED_RETRY_MS,
} from "./trust_constants.ts";
import type { RequestProgress } from "./trust_types.ts";

/** How a request travels. */
export type Route = "direct" | "relay";

interface Progress {
  attempts: number;
  /** Sendings that left, and that failed in a row. */
  left: number;
  failed: number;
  /** Under way by this route, if at all. */
  sending: Route | undefined;
  last: Route | undefined;
  /** The way by which a sending left last. */
  arrived: Route | undefined;
  delivery: RequestProgress["delivery"];
}

/** The schedule of all own requests. */
export class RequestSchedule {
  readonly #progress = new Map<number, Progress>();
  readonly #timers = new Timers<number>();

  /** Sends to `peer` as soon as possible, from the start of the ladder. */
  start(peer: number, now: Instant): void {
    const attempts = this.#progress.get(peer)?.attempts ?? 0;
    this.#progress.set(peer, {
      attempts,
      left: 0,
      failed: 0,
      sending: undefined,
      last: undefined,
      arrived: undefined,
      delivery: "waiting",
    });
    this.#timers.set(peer, now);
  }

  /** Forgets `peer`: it answered, or nobody wants an answer any more. */
  stop(peer: number): void {
    this.#progress.delete(peer);
    this.#timers.set(peer, undefined);
  }

  /** The next peer to send to now, `undefined` when there is none. A sending without a report counts as failed. */
  popDue(now: Instant): number | undefined {
    for (let peer = this.#timers.popDue(now); peer !== undefined; peer = this.#timers.popDue(now)) {
      const sending = this.#progress.get(peer)?.sending;
      if (sending === undefined) return peer;
      if (this.failed(peer, { route: sending, now })) return peer;
    }
    return undefined;
  }

  /** Chooses the way of the next sending to `peer` and notes that it is under way. */
  begin(peer: number, options: { readonly reachable: boolean; readonly now: Instant }): Route {
    const progress = this.#progress.get(peer);
    const route: Route = options.reachable && progress?.last !== "direct" ? "direct" : "relay";
    if (progress === undefined) return route;
    progress.attempts++;
    progress.sending = route;
    progress.last = route;
    progress.delivery = "trying";
    this.#timers.set(peer, options.now + (route === "direct" ? DELIVERY_REPORT_MS : ERRAND_REPLY_MS));
    return route;
  }

  /** The sending by `route` left. */
  left(peer: number, options: { readonly route: Route; readonly now: Instant }): void {
    const progress = this.#take(peer, options.route);
    if (progress === undefined) return;
    progress.arrived = options.route;
    progress.delivery = options.route;
    progress.failed = 0;
    this.#timers.set(peer, options.now + step(UNANSWERED_RETRY_MS, progress.left++));
  }

  /** The sending by `route` failed. True when the other way is worth trying at once. */
  failed(peer: number, options: { readonly route: Route; readonly now: Instant }): boolean {
    const progress = this.#take(peer, options.route);
    if (progress === undefined) return false;
    // The registry also refuses a second copy while the first one waits there, so an earlier success still stands.
    progress.delivery = progress.arrived ?? "failed";
    if (options.route === "direct") return true;
    this.#timers.set(peer, options.now + step(FAILED_RETRY_MS, progress.failed++));
    return false;
  }

  /** How far the request to `peer` is. */
  progress(peer: number): Pick<RequestProgress, "attempts" | "delivery"> {
    const progress = this.#progress.get(peer);
    return { attempts: progress?.attempts ?? 0, delivery: progress?.delivery ?? "waiting" };
  }

  pollTimeout(): Instant | undefined {
    return this.#timers.next();
  }

  #take(peer: number, route: Route): Progress | undefined {
    const progress = this.#progress.get(peer);
    if (progress === undefined || progress.sending !== route) return undefined;
    progress.sending = undefined;
    return progress;
  }
}

function step(ladder: readonly number[], index: number): number {
  return ladder[Math.min(index, ladder.length - 1)] ?? 0;
}
