/**
 * Trust between nodes: private by default, mutual, anchored on keys.
 *
 * A pure machine around the book of relations. Feed it what peers, the registry and the operator say; it answers who
 * may reach us, and emits what has to be done (`pollAction`) and what is worth knowing (`pollEvent`).
 *
 * Whoever asks waits until the other side's operator approves, or asks as well:
 *
 * ```text
 * we ask        -> outgoing --(accepted, or the peer asks too)--> trusted --(revoke)-------> denied
 * the peer asks -> pending  --(approve, or we ask too)----------> trusted --(peer revokes)-> nothing
 * ```
 *
 * Nothing that a peer sends makes it trusted unless we asked it before.
 */

import type { HandshakeDocument } from "../wire/handshake.ts";
import { PORT_HANDSHAKE } from "./constants.ts";
import type { Instant } from "./machine.ts";
import { TrustInbox } from "./trust_inbox.ts";
import { type RequestOutcome, TrustOperator } from "./trust_operator.ts";
import { admits, mayExchangeKeys } from "./trust_policy.ts";
import { TrustState } from "./trust_state.ts";
import type {
  DeniedPeer,
  PendingPeer,
  RequestProgress,
  TrustAction,
  TrustedPeer,
  TrustEvent,
  TrustOptions,
  TrustSnapshot,
  TrustSource,
} from "./trust_types.ts";

export type * from "./trust_types.ts";
export { decodeTrustFile, encodeTrustFile } from "./trust_file.ts";

/** The trust of one node in others. */
export class Trust {
  readonly #state: TrustState;
  readonly #operator: TrustOperator;
  readonly #inbox: TrustInbox;
  readonly #replyPorts: ReadonlySet<number>;

  constructor(options: TrustOptions) {
    this.#state = new TrustState(options);
    this.#operator = new TrustOperator(this.#state);
    this.#inbox = new TrustInbox(this.#state);
    this.#replyPorts = new Set(options.replyPorts);
  }

  /**
   * The operator wants mutual trust with `peer`. `approved` when this completes a waiting request of the peer. Lifts
   * an earlier revocation. An already trusted peer is reminded once, in case it has forgotten us.
   *
   * @throws RangeError when `peer` cannot be a peer, or the justification has more than 1,024 bytes of UTF-8
   */
  request(peer: number, options: { readonly justification: string; readonly now: Instant }): RequestOutcome {
    this.#state.advance(options.now);
    return this.#operator.request(peer, options.justification, options.now);
  }

  /** The operator approves the waiting request of `peer`. False when there is none. */
  approve(peer: number, now: Instant): boolean {
    this.#state.advance(now);
    return this.#operator.approve(peer, now);
  }

  /**
   * The operator turns the waiting request of `peer` down. False when there is none.
   *
   * @throws RangeError when the reason has more than 1,024 bytes of UTF-8
   */
  reject(peer: number, reason: string, now: Instant): boolean {
    this.#state.advance(now);
    return this.#operator.reject(peer, reason, now);
  }

  /**
   * The operator ends the trust in `peer`, effective at once, and denies it everything until `request`. False when it
   * was not trusted; a request that waits in either direction is gone nevertheless.
   */
  revoke(peer: number, now: Instant): boolean {
    this.#state.advance(now);
    this.#inbox.forget(peer);
    return this.#operator.revoke(peer, now);
  }

  /** A document arrived on port 444 through a tunnel that `source` authenticated with its registered key. */
  handleMessage(bytes: Uint8Array, source: TrustSource, now: Instant): void {
    this.#state.advance(now);
    this.#inbox.handleMessage(bytes, source, now);
  }

  /** The registry handed over a request. */
  handleRelayedRequest(
    request: { readonly from: number; readonly justification: string },
    now: Instant,
  ): void {
    this.#state.advance(now);
    this.#inbox.handleRelayedRequest(request.from, request.justification, now);
  }

  /** The registry handed over an answer. */
  handleRelayedResponse(response: { readonly from: number; readonly accept: boolean }, now: Instant): void {
    this.#state.advance(now);
    this.#inbox.handleRelayedResponse(response.from, response.accept, now);
  }

  /** What became of a `send` action: `delivered` when the peer's transport acknowledged the whole document. */
  handleDelivery(peer: number, kind: HandshakeDocument["type"], delivered: boolean, now: Instant): void {
    this.#state.advance(now);
    this.#state.outbox.handleDelivery(peer, kind, { delivered, now });
  }

  /** What became of a `registry` action. */
  handleRegistryReply(tag: string, ok: boolean, now: Instant): void {
    this.#state.advance(now);
    this.#state.outbox.handleRegistryReply(tag, { ok, now });
  }

  /** What became of a `lookup` action: the registered key, `undefined` when it could not be had. */
  handleKey(peer: number, publicKey: Uint8Array | undefined, now: Instant): void {
    this.#state.advance(now);
    this.#inbox.handleKey(peer, publicKey, now);
  }

  /** The registry has accepted us (again): it may have forgotten what we stated, and peers may have sent to nobody. */
  handleRegistered(now: Instant): void {
    this.#state.advance(now);
    const { book, outbox } = this.#state;
    const { trusted, pending, outgoing, denied } = book.snapshot();
    for (const { node, publicKey } of trusted) {
      outbox.state("report_trust", node, { now });
      if (publicKey === undefined) outbox.lookup(node, now);
    }
    for (const { node, publicKey } of pending) if (publicKey === undefined) outbox.lookup(node, now);
    for (const { node } of denied) outbox.state("revoke_trust", node, { now, retries: [] });
    for (const { node } of outgoing) outbox.request(node, now);
    outbox.acceptUnsaid(now);
  }

  handleTimeout(now: Instant): void {
    this.#state.advance(now);
    this.#state.outbox.handleTimeout(now);
  }

  pollTimeout(): Instant | undefined {
    return this.#state.pollTimeout();
  }

  pollAction(): TrustAction | undefined {
    return this.#state.outbox.pollAction();
  }

  pollEvent(): TrustEvent | undefined {
    return this.#state.outbox.pollEvent();
  }

  /** Whether `node` may use our services. */
  isTrusted(node: number): boolean {
    return this.#state.book.trusted(node) !== undefined;
  }

  /** The key that trust in `node` belongs to; a tunnel of `node` with another one must not come up. */
  pinnedKey(node: number): Uint8Array | undefined {
    return this.#state.book.trusted(node)?.publicKey;
  }

  /** Whether we have asked `node` for trust and wait for its answer. */
  awaits(node: number): boolean {
    return this.#state.book.outgoing(node) !== undefined;
  }

  isDenied(node: number): boolean {
    return this.#state.book.denied(node) !== undefined;
  }

  /**
   * Whether a tunnel of `node` with this identity key may come up: it is the pinned key, or none is pinned and no
   * denied peer holds it. Anybody can show a wrong key, so this reports nothing; a wrong key that the registry lists
   * (`handleKey`) is reported as `trust.key_changed`.
   */
  acceptsKey(node: number, publicKey: Uint8Array): boolean {
    return !this.isDenied(node) && this.#state.acceptsKey(node, publicKey);
  }

  /** Whether a key exchange with `node` may be answered or begun. Otherwise stay silent. */
  mayExchangeKeys(node: number, now: Instant): boolean {
    this.#state.advance(now);
    return this.#state.outbox.isLeaving(node) || mayExchangeKeys(this.#state.standing(node, now));
  }

  /** Whether `node` may open a stream to `port`, or send a datagram or ping there. Otherwise stay silent. */
  admits(node: number, port: number, now: Instant): boolean {
    this.#state.advance(now);
    return admits(this.#state.standing(node, now), port, this.#replyPorts);
  }

  /**
   * Whether packets of an existing stream with `node` may still pass, in either direction. After a revocation only
   * those of the notice do: `port` is the remote port of the stream.
   */
  mayContinue(node: number, port: number): boolean {
    return !this.isDenied(node) || (port === PORT_HANDSHAKE && this.#state.outbox.isLeaving(node));
  }

  /** We dial `node`: it may come back for 5 minutes. Call it also while such a connection is in use. */
  noteDialed(node: number, now: Instant): void {
    this.#state.window.note(node, now);
  }

  /** `node` took a connection that we dialled: it may use the reply ports while the window is open. */
  noteAnswered(node: number, now: Instant): void {
    this.#state.window.noteAnswer(node, now);
  }

  /** Whether a relayed message is likely to wait at the registry, so that asking often pays. */
  expectsAnswer(now: Instant): boolean {
    return this.#state.outbox.expectsAnswer(now);
  }

  /** Trusted peers, ordered by node. */
  trusted(): readonly TrustedPeer[] {
    return this.snapshot().trusted;
  }

  /** Requests that wait for the operator, ordered by node. */
  pending(): readonly PendingPeer[] {
    return this.snapshot().pending;
  }

  /** Our own unanswered requests and how far they got, ordered by node. */
  outgoing(): readonly RequestProgress[] {
    return this.snapshot().outgoing.map((entry) => ({
      ...entry,
      ...this.#state.outbox.requests.progress(entry.node),
    }));
  }

  /** Revoked peers, ordered by node. */
  denied(): readonly DeniedPeer[] {
    return this.snapshot().denied;
  }

  /** What must survive a restart. */
  snapshot(): TrustSnapshot {
    return this.#state.book.snapshot();
  }

  /** Messages that were ignored: reason to number. */
  get drops(): Readonly<Record<string, number>> {
    return this.#inbox.drops;
  }
}
