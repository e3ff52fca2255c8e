/**
 * Everything the trust book wants done in the world: messages to peers, errands at the registry, saving, events.
 *
 * It decides how and when, never whether: that is the business of `trust.ts`.
 */

import type { Identity } from "../crypto/identity.ts";
import type { HandshakeDocument } from "../wire/handshake.ts";
import type { Instant } from "./machine.ts";
import { Timers } from "./timers.ts";
import {
  ERRAND_RETRY_MS,
  EXPECT_ANSWER_MS,
  LAZY_SAVE_MS,
  NOTICE_WAIT_MS,
  REVOKED_GRACE_MS,
} from "./trust_constants.ts";
import { Errands } from "./trust_errands.ts";
import { composeMessage } from "./trust_message.ts";
import { RequestSchedule, type Route } from "./trust_requests.ts";
import type { TrustAction, TrustEvent } from "./trust_types.ts";

/** What the outbox must know. */
export interface OutboxOptions {
  /** Our node, 0 while not registered: nothing is sent then. */
  readonly self: () => number;
  readonly identity: Identity;
  /** Unix milliseconds at an instant. */
  readonly unixTime: (now: Instant) => number;
  /** Whether a direct delivery to the peer is likely to arrive. */
  readonly canReach: (peer: number) => boolean;
  /** The text of our request to the peer. */
  readonly justification: (peer: number) => string;
}

/** Outgoing work in order, and its deadlines. */
export class TrustOutbox {
  readonly #options: OutboxOptions;
  readonly #actions: TrustAction[] = [];
  readonly #events: TrustEvent[] = [];
  readonly errands = new Errands((action) => this.#actions.push(action));
  readonly requests = new RequestSchedule();
  readonly #timers = new Timers<"save" | `${"notice" | "drop"}:${number}`>();
  /** Peers whose revocation notice is under way. */
  readonly #leaving = new Set<number>();
  /** What happens after an acceptance was sent directly and failed, or by relay and succeeded: the other way. */
  readonly #otherWay = new Map<number, Route>();
  /** Accepted while we were not registered. */
  readonly #unsaid = new Set<number>();
  #saveWanted = false;
  #expectUntil: Instant | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Sends our request, now and again until `settle`. */
  request(peer: number, now: Instant): void {
    if (this.#options.self() === 0) return;
    this.requests.start(peer, now);
    this.#sendRequests(now);
  }

  /** Sends a request once, expecting nothing: repairs a peer that has forgotten us. */
  remind(peer: number, justification: string, now: Instant): void {
    if (this.#options.self() === 0) return;
    if (this.#options.canReach(peer)) this.#say(peer, "handshake_request", { now, justification });
    else this.#relayRequest(peer, justification, now);
  }

  /** Stops everything that is under way about `peer`. */
  settle(peer: number): void {
    this.requests.stop(peer);
    this.errands.cancel(peer);
    this.#otherWay.delete(peer);
    this.#unsaid.delete(peer);
  }

  /**
   * Tells the registry and the peer that we trust it. `first` is the way of the acceptance; by relay it is followed by
   * a direct one, which then finds the pair at the registry; directly it is followed by the relay only if it fails.
   */
  accept(peer: number, options: { readonly first: Route | "both"; readonly now: Instant }): void {
    const { first, now } = options;
    if (this.#options.self() === 0) {
      this.#unsaid.add(peer);
      return;
    }
    if (first === "direct") this.#otherWay.set(peer, "relay");
    if (first === "relay") this.#otherWay.set(peer, "direct");
    if (first !== "relay") this.#say(peer, "handshake_accept", { now });
    if (first !== "direct") this.respond(peer, { accept: true, now });
  }

  /** We are registered now: acceptances that could not be said before go out. */
  acceptUnsaid(now: Instant): void {
    const peers = [...this.#unsaid];
    this.#unsaid.clear();
    for (const peer of peers) this.accept(peer, { first: "relay", now });
  }

  /** Tells the peer that its request was turned down. */
  reject(peer: number, reason: string, now: Instant): void {
    this.respond(peer, { accept: false, now });
    if (this.#options.canReach(peer)) this.#say(peer, "handshake_reject", { now, reason });
  }

  /** Answers through the registry. */
  respond(peer: number, options: { readonly accept: boolean; readonly now: Instant }): void {
    const node = this.#options.self();
    if (node === 0) return;
    this.errands.start(peer, {
      type: "registry",
      request: { type: "respond_handshake", node_id: node, peer_id: peer, accept: options.accept },
    }, { now: options.now, retries: ERRAND_RETRY_MS });
  }

  /** States our trust, or its end, at the registry. `retries`: waits before repetitions, ms. */
  state(
    type: "report_trust" | "revoke_trust",
    peer: number,
    options: { readonly now: Instant; readonly retries?: readonly number[] },
  ): void {
    const node = this.#options.self();
    if (node === 0) return;
    this.errands.start(peer, { type: "registry", request: { type, node_id: node, peer_id: peer } }, {
      now: options.now,
      retries: options.retries ?? ERRAND_RETRY_MS,
    });
  }

  /** Fetches the registered key of `peer`. */
  lookup(peer: number, now: Instant): void {
    this.errands.start(peer, { type: "lookup" }, { now, retries: ERRAND_RETRY_MS });
  }

  /** Notice over the tunnel that still stands, then its end, then the registry: in this order the notice arrives. */
  leave(peer: number, now: Instant): void {
    this.settle(peer);
    this.#leaving.add(peer);
    if (this.#options.self() === 0) return this.#finishLeaving(peer, now);
    this.#timers.set(`notice:${peer}`, now + NOTICE_WAIT_MS);
    this.#say(peer, "handshake_revoke", { now, reason: "trust revoked" });
  }

  /** Whether the notice to `peer` is under way, so that its tunnel is needed for a moment. */
  isLeaving(peer: number): boolean {
    return this.#leaving.has(peer);
  }

  /** Ends the tunnel of a peer that revoked us, once its notice is acknowledged. */
  part(peer: number, now: Instant): void {
    this.settle(peer);
    this.state("revoke_trust", peer, { now, retries: [] });
    this.#timers.set(`drop:${peer}`, now + REVOKED_GRACE_MS);
  }

  /** Ends a notice early because the peer is wanted again. */
  hurryLeaving(peer: number, now: Instant): void {
    if (this.#leaving.has(peer)) this.#finishLeaving(peer, now);
    this.errands.cancel(peer);
  }

  /** Asks to persist the book: at once, or soon when a stranger caused the change. */
  save(now: Instant, options: { readonly lazy: boolean } = { lazy: false }): void {
    if (!options.lazy) {
      this.#saveWanted = true;
      this.#timers.set("save", undefined);
    } else if (!this.#saveWanted && this.#timers.get("save") === undefined) {
      this.#timers.set("save", now + LAZY_SAVE_MS);
    }
  }

  report(event: TrustEvent): void {
    this.#events.push(event);
  }

  handleDelivery(
    peer: number,
    kind: HandshakeDocument["type"],
    options: { delivered: boolean; now: Instant },
  ): void {
    const { delivered, now } = options;
    if (kind === "handshake_revoke" && this.#leaving.has(peer)) this.#finishLeaving(peer, now);
    if (kind === "handshake_request") this.#requestEnded(peer, "direct", { left: delivered, now });
    if (kind === "handshake_accept" && this.#otherWay.get(peer) === "relay") {
      this.#otherWay.delete(peer);
      if (!delivered) this.respond(peer, { accept: true, now });
    }
  }

  handleRegistryReply(tag: string, options: { readonly ok: boolean; readonly now: Instant }): void {
    const { ok, now } = options;
    const relayed = /^request_handshake:(\d+)$/.exec(tag)?.[1];
    if (relayed !== undefined) return this.#requestEnded(Number(relayed), "relay", { left: ok, now });
    const done = this.errands.reply(tag, { ok, now });
    if (done?.type !== "respond_handshake" || !done.accept) return;
    if (this.#otherWay.get(done.peer_id) !== "direct") return;
    this.#otherWay.delete(done.peer_id);
    this.#say(done.peer_id, "handshake_accept", { now });
  }

  /** Whether an answer of a peer is likely to wait at the registry. */
  expectsAnswer(now: Instant): boolean {
    return this.#expectUntil !== undefined && now < this.#expectUntil;
  }

  /** Something was sent or received: an answer may follow. */
  expectAnswer(now: Instant): void {
    this.#expectUntil = now + EXPECT_ANSWER_MS;
  }

  handleTimeout(now: Instant): void {
    this.errands.handleTimeout(now);
    for (let key = this.#timers.popDue(now); key !== undefined; key = this.#timers.popDue(now)) {
      const peer = Number(key.split(":")[1] ?? "0");
      if (key === "save") this.save(now);
      else if (key.startsWith("notice:")) this.#finishLeaving(peer, now);
      else this.#actions.push({ type: "drop", peer });
    }
    this.#sendRequests(now);
  }

  pollTimeout(): Instant | undefined {
    const deadlines = [this.#timers.next(), this.errands.pollTimeout(), this.requests.pollTimeout()];
    const first = Math.min(...deadlines.map((deadline) => deadline ?? Infinity));
    return first === Infinity ? undefined : first;
  }

  /** Saving comes first: what others hear of us is on disk before. */
  pollAction(): TrustAction | undefined {
    if (!this.#saveWanted) return this.#actions.shift();
    this.#saveWanted = false;
    return { type: "save" };
  }

  pollEvent(): TrustEvent | undefined {
    return this.#events.shift();
  }

  #finishLeaving(peer: number, now: Instant): void {
    this.#leaving.delete(peer);
    this.#timers.set(`notice:${peer}`, undefined);
    this.#actions.push({ type: "drop", peer });
    this.state("revoke_trust", peer, { now });
  }

  #sendRequests(now: Instant): void {
    for (let peer = this.requests.popDue(now); peer !== undefined; peer = this.requests.popDue(now)) {
      this.#sendRequest(peer, now);
    }
  }

  #sendRequest(peer: number, now: Instant): void {
    const route = this.requests.begin(peer, { reachable: this.#options.canReach(peer), now });
    const justification = this.#options.justification(peer);
    this.expectAnswer(now);
    if (route === "relay") return this.#relayRequest(peer, justification, now);
    this.#say(peer, "handshake_request", { now, justification });
  }

  #requestEnded(
    peer: number,
    route: Route,
    options: { readonly left: boolean; readonly now: Instant },
  ): void {
    const { left, now } = options;
    if (left) this.requests.left(peer, { route, now });
    else if (this.requests.failed(peer, { route, now })) this.#sendRequest(peer, now);
  }

  #relayRequest(peer: number, justification: string, now: Instant): void {
    const node = this.#options.self();
    if (node === 0) return;
    this.expectAnswer(now);
    this.#actions.push({
      type: "registry",
      request: { type: "request_handshake", from_node_id: node, to_node_id: peer, justification },
      tag: `request_handshake:${peer}`,
    });
  }

  #say(
    peer: number,
    kind: HandshakeDocument["type"],
    options: { readonly now: Instant; readonly justification?: string; readonly reason?: string },
  ): void {
    const { now, ...texts } = options;
    const from = this.#options.self();
    if (from === 0) return;
    const { identity, unixTime } = this.#options;
    const unixSeconds = Math.floor(unixTime(now) / 1000);
    const attempt = kind === "handshake_request" ? Math.max(1, this.requests.progress(peer).attempts) : 1;
    const document = composeMessage(identity, { kind, from, to: peer, unixSeconds, ...texts });
    this.#actions.push({ type: "send", peer, document, kind, attempt });
  }
}
