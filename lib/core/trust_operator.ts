/**
 * What the operator decides about trust: ask, approve, turn down, revoke.
 */

import { encodeUtf8 } from "../wire/bytes.ts";
import type { Instant } from "./machine.ts";
import { MAX_TEXT_BYTES } from "./trust_constants.ts";
import type { TrustState } from "./trust_state.ts";
import { displayText } from "./trust_text.ts";
import type { PendingPeer } from "./trust_types.ts";

/** Node numbers 0 and 2^32-1 belong to nobody. */
const MAX_PEER = 0xffff_fffe;

/** What became of the operator's wish: on its way, complete at once, or nothing to do. */
export type RequestOutcome = "sent" | "approved" | "already_trusted";

/** The operator's side of trust. */
export class TrustOperator {
  readonly #state: TrustState;

  constructor(state: TrustState) {
    this.#state = state;
  }

  /** Asks for mutual trust, or completes it. @throws RangeError */
  request(peer: number, text: string, now: Instant): RequestOutcome {
    const { book, outbox } = this.#state;
    if (!Number.isInteger(peer) || peer < 1 || peer > MAX_PEER) {
      throw new RangeError(`${peer} is no node number`);
    }
    if (peer === this.#state.options.self()) throw new RangeError("a node cannot ask itself for trust");
    const justification = ownText("justification", text);
    if (book.trusted(peer) !== undefined) {
      outbox.remind(peer, justification, now);
      return "already_trusted";
    }
    const waiting = book.pending(peer);
    if (waiting !== undefined) {
      this.#approve(waiting, { mutual: true, now });
      return "approved";
    }
    outbox.hurryLeaving(peer, now);
    book.ask({ node: peer, justification, requestedAt: this.#state.unixSeconds(now) });
    this.#state.changed(now);
    outbox.request(peer, now);
    return "sent";
  }

  /** Approves a waiting request. False when there is none. */
  approve(peer: number, now: Instant): boolean {
    const waiting = this.#state.book.pending(peer);
    if (waiting === undefined) return false;
    this.#approve(waiting, { mutual: false, now });
    return true;
  }

  /** Turns a waiting request down. @throws RangeError */
  reject(peer: number, reason: string, now: Instant): boolean {
    const text = ownText("reason", reason);
    const { book, outbox } = this.#state;
    if (book.pending(peer) === undefined) return false;
    book.forget(peer);
    outbox.settle(peer);
    this.#state.changed(now);
    outbox.reject(peer, text, now);
    outbox.report({ type: "handshake.rejected", peer, via: "local", detail: text });
    return true;
  }

  /** Ends trust and denies the peer. False when it was not trusted. */
  revoke(peer: number, now: Instant): boolean {
    const { book, outbox } = this.#state;
    const trusted = book.trusted(peer);
    if (trusted === undefined) {
      if (book.denied(peer) !== undefined || !book.forget(peer)) return false;
      outbox.settle(peer);
      this.#state.changed(now);
      return false;
    }
    const deniedAt = this.#state.unixSeconds(now);
    book.deny({ node: peer, publicKey: trusted.publicKey, deniedAt });
    this.#state.changed(now);
    outbox.leave(peer, now);
    outbox.report({ type: "trust.revoked", peer, via: "local" });
    return true;
  }

  #approve(waiting: PendingPeer, options: { readonly mutual: boolean; readonly now: Instant }): void {
    const { node: peer, publicKey } = waiting;
    const { mutual, now } = options;
    const reachable = this.#state.options.canReach?.(peer) ?? false;
    this.#state.outbox.report({ type: "handshake.approved", peer, via: "local" });
    this.#state.establish(peer, {
      publicKey,
      mutual,
      via: "local",
      accept: reachable ? "both" : "relay",
      now,
    });
  }
}

/** Text of our operator, made fit to send. */
function ownText(name: string, text: string): string {
  const bytes = encodeUtf8(text).length;
  if (bytes > MAX_TEXT_BYTES) {
    throw new RangeError(`the ${name} has ${bytes} bytes, the limit is ${MAX_TEXT_BYTES}`);
  }
  return displayText(text);
}
