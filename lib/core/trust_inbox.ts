/**
 * What peers say about trust, directly or through the registry: believed only if proven, acted on only if expected.
 *
 * | message | trusted sender | sender we asked | anyone else |
 * | --- | --- | --- | --- |
 * | request | accepted again | trusted (mutual) | waits for the operator |
 * | acceptance, direct | nothing | trusted | waits for the operator, like a request |
 * | acceptance, relayed | nothing | trusted | nothing |
 * | rejection | nothing | our request ends | nothing |
 * | revocation | trust ends | nothing | its waiting request ends |
 */

import { type HandshakeDocument, parseHandshake } from "../wire/handshake.ts";
import { HANDSHAKE_READ_LIMIT } from "./constants.ts";
import type { Instant } from "./machine.ts";
import { originOf } from "./trust_book.ts";
import { ANSWER_GAP_MS, REJECT_ECHO_MS } from "./trust_constants.ts";
import { disbelieve, fullChallenge } from "./trust_message.ts";
import { ReplaySet } from "./trust_replay.ts";
import type { TrustState, Via } from "./trust_state.ts";
import { displayText } from "./trust_text.ts";
import type { TrustSource } from "./trust_types.ts";

const KEY_BYTES = 32;

/** A request as both ways deliver it. */
interface IncomingRequest {
  readonly publicKey: Uint8Array | undefined;
  readonly justification: string;
  readonly origin: string | undefined;
  readonly via: Via;
  readonly now: Instant;
}

/** The peers' side of trust. */
export class TrustInbox {
  readonly #state: TrustState;
  readonly #replay = new ReplaySet();
  /** When a trusted peer's request was answered last. */
  readonly #answered = new Map<number, Instant>();
  /** Trusted peers that asked by relay: answered once the registry proves that they still hold their key. */
  readonly #verifying = new Set<number>();
  /** How and when our request was turned down last, because the same comes twice. */
  readonly #rejected = new Map<number, { readonly via: Via; readonly at: Instant }>();
  readonly #drops = new Map<string, number>();

  constructor(state: TrustState) {
    this.#state = state;
  }

  /** What was ignored and why: reason to number of messages. */
  get drops(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#drops);
  }

  /** A document arrived on port 444 through a tunnel that `source` authenticated. */
  handleMessage(bytes: Uint8Array, source: TrustSource, now: Instant): void {
    const { book, options } = this.#state;
    if (book.denied(source.node) !== undefined) return this.#drop("denied");
    if (bytes.length > HANDSHAKE_READ_LIMIT) return this.#drop("size");
    const document = parseHandshake(bytes);
    if (typeof document === "string") return this.#drop(document);
    const self = options.self();
    const unixSeconds = this.#state.unixSeconds(now);
    const disbelief = disbelieve(document, { self, source, unixSeconds });
    if (disbelief !== undefined) return this.#drop(disbelief);
    if (!this.#state.acceptsKey(source.node, source.publicKey, "direct")) return this.#drop("key-refused");
    const content = fullChallenge(document, self);
    const seen = this.#replay.take(
      { node: source.node, timestamp: document.timestamp, content },
      unixSeconds,
    );
    if (seen !== "fresh") return this.#drop(seen);
    if (book.pin(source.node, source.publicKey)) this.#state.changed(now, { lazy: true });
    this.#state.outbox.expectAnswer(now);
    this.#dispatch(document, source, now);
  }

  /** The registry handed over a request of `from`. */
  handleRelayedRequest(from: number, justification: string, now: Instant): void {
    if (this.#isUnwelcome(from)) return;
    this.#state.outbox.expectAnswer(now);
    const request = { publicKey: undefined, justification, origin: undefined, via: "relay", now } as const;
    this.#receiveRequest(from, request);
  }

  /** The registry handed over an answer of `from`. */
  handleRelayedResponse(from: number, accept: boolean, now: Instant): void {
    if (this.#isUnwelcome(from)) return;
    if (!accept) return this.#receiveRejection(from, { reason: "", via: "relay", now });
    if (this.#state.book.trusted(from) !== undefined) return;
    if (this.#state.book.outgoing(from) === undefined) return this.#drop("unsolicited");
    this.#state.establish(from, { publicKey: undefined, mutual: true, via: "relay", now });
  }

  /** The registry's key of `peer` is known, or could not be had. */
  handleKey(peer: number, publicKey: Uint8Array | undefined, now: Instant): void {
    const { book, outbox } = this.#state;
    const known = publicKey?.length === KEY_BYTES ? publicKey : undefined;
    outbox.errands.lookedUp(peer, { ok: known !== undefined, now });
    if (known === undefined) return;
    if (!this.#state.acceptsKey(peer, known, "relay")) {
      this.#verifying.delete(peer);
      this.#drop("key-refused");
      // A denied peer under a new number: its request must not reach the operator.
      if (book.pending(peer)?.publicKey === undefined && book.pending(peer) !== undefined) {
        book.forget(peer);
        this.#state.changed(now, { lazy: true });
      }
      return;
    }
    if (book.pin(peer, known)) this.#state.changed(now, { lazy: true });
    if (!this.#verifying.delete(peer) || book.trusted(peer) === undefined) return;
    outbox.respond(peer, { accept: true, now });
  }

  /** Forgets what was remembered about the conversation with `peer`. */
  forget(peer: number): void {
    this.#answered.delete(peer);
    this.#verifying.delete(peer);
    this.#rejected.delete(peer);
  }

  #dispatch(document: HandshakeDocument, source: TrustSource, now: Instant): void {
    const { node: peer, publicKey } = source;
    const origin = originOf(source.origin, publicKey);
    switch (document.type) {
      case "handshake_request": {
        const { justification } = document;
        return this.#receiveRequest(peer, { publicKey, justification, origin, via: "direct", now });
      }
      case "handshake_accept": {
        if (this.#state.book.trusted(peer) !== undefined) return;
        if (this.#state.book.outgoing(peer) !== undefined) {
          return this.#state.establish(peer, { publicKey, mutual: true, via: "direct", now });
        }
        return this.#pend(peer, { publicKey, justification: "", origin, via: "direct", now });
      }
      case "handshake_reject":
        return this.#receiveRejection(peer, { reason: document.reason, via: "direct", now });
      case "handshake_revoke":
        return this.#receiveRevocation(peer, now);
    }
  }

  #receiveRequest(peer: number, request: IncomingRequest): void {
    const { book, outbox } = this.#state;
    const { publicKey, via, now } = request;
    if (book.trusted(peer) !== undefined) return this.#answerAgain(peer, request);
    if (book.outgoing(peer) === undefined) return this.#pend(peer, request);
    this.#reportReceived(peer, request);
    outbox.report({ type: "handshake.auto_approved", peer, via, detail: "mutual" });
    this.#state.establish(peer, { publicKey, mutual: true, via, accept: via, now });
  }

  /** A trusted peer asks: it lost our answer or its memory. Say it again, seldom. */
  #answerAgain(peer: number, request: IncomingRequest): void {
    const { via, now } = request;
    const last = this.#answered.get(peer);
    if (last !== undefined && now - last < ANSWER_GAP_MS) return this.#drop("answered");
    this.#answered.set(peer, now);
    this.#reportReceived(peer, request);
    if (via === "direct") return this.#state.outbox.accept(peer, { first: "direct", now });
    this.#verifying.add(peer);
    this.#state.outbox.lookup(peer, now);
  }

  #pend(peer: number, request: IncomingRequest): void {
    const { publicKey, via, now } = request;
    const justification = displayText(request.justification);
    const receivedAt = this.#state.unixSeconds(now);
    const outcome = this.#state.book.pend(
      { node: peer, publicKey, justification, receivedAt },
      request.origin,
    );
    if (outcome === "full") return this.#drop("pending-full");
    if (outcome === "same") return;
    this.#state.changed(now, { lazy: true });
    this.#reportReceived(peer, request);
    this.#state.outbox.report({ type: "handshake.pending", peer, via, detail: justification });
    // By relay only the registry vouches for the sender, so its key is asked for even when one is known.
    if (via === "relay") this.#state.outbox.lookup(peer, now);
  }

  #receiveRejection(
    peer: number,
    options: { readonly reason: string; readonly via: Via; readonly now: Instant },
  ): void {
    const { reason, via, now } = options;
    const last = this.#rejected.get(peer);
    this.#rejected.delete(peer);
    // It comes directly and by relay; the second one must not end a request made in between.
    if (last !== undefined && last.via !== via && now - last.at < REJECT_ECHO_MS) return this.#drop("echo");
    if (this.#state.book.outgoing(peer) === undefined) return this.#drop("unsolicited");
    this.#rejected.set(peer, { via, at: now });
    this.#state.book.forget(peer);
    this.#state.outbox.settle(peer);
    this.#state.changed(now);
    this.#state.outbox.report({ type: "handshake.rejected", peer, via, detail: displayText(reason) });
  }

  #receiveRevocation(peer: number, now: Instant): void {
    const { book, outbox } = this.#state;
    const trusted = book.trusted(peer) !== undefined;
    if (!trusted && book.pending(peer) === undefined) return this.#drop("unsolicited");
    book.forget(peer);
    this.forget(peer);
    if (trusted) outbox.part(peer, now);
    else outbox.settle(peer);
    this.#state.changed(now);
    outbox.report({ type: "trust.revoked_by_peer", peer, via: "direct" });
  }

  #reportReceived(peer: number, request: IncomingRequest): void {
    const { via, justification } = request;
    this.#state.outbox.report({ type: "handshake.received", peer, via, detail: displayText(justification) });
  }

  #isUnwelcome(from: number): boolean {
    if (from === this.#state.options.self()) this.#drop("self");
    else if (this.#state.book.denied(from) !== undefined) this.#drop("denied");
    else return false;
    return true;
  }

  #drop(reason: string): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }
}
