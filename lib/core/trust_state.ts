/**
 * What the operator's side and the peers' side of trust share: the book, the outbox, and the steps both take.
 */

import { toHex } from "../wire/bytes.ts";
import type { Instant } from "./machine.ts";
import { TrustBook } from "./trust_book.ts";
import { TrustOutbox } from "./trust_outbox.ts";
import { ReplyWindow, type Standing } from "./trust_policy.ts";
import type { Route } from "./trust_requests.ts";
import type { TrustEvent, TrustOptions } from "./trust_types.ts";

/** The book's lifetimes are checked at least this often, ms, because the wall clock may be set. */
const SWEEP_MS = 3_600_000;
/** Nodes whose wrong key was reported; the oldest makes room. */
const MAX_REPORTED_KEYS = 4_096;

/** The state of trust and its shared transitions. */
export class TrustState {
  readonly options: TrustOptions;
  readonly book: TrustBook;
  readonly outbox: TrustOutbox;
  readonly window = new ReplyWindow();
  /** The wrong key last reported per node, in hex. */
  readonly #reportedKeys = new Map<number, string>();
  /** When to look for entries that lived too long; `undefined` before the first instant is known. */
  #sweepAt: Instant | undefined;

  constructor(options: TrustOptions) {
    this.options = options;
    this.book = new TrustBook(options.snapshot);
    this.outbox = new TrustOutbox({
      self: options.self,
      identity: options.identity,
      unixTime: options.unixTime,
      canReach: options.canReach ?? (() => false),
      justification: (peer) => this.book.outgoing(peer)?.justification ?? "",
    });
  }

  unixSeconds(now: Instant): number {
    return Math.floor(this.options.unixTime(now) / 1000);
  }

  /** Drops what has lived too long. Cheap when nothing has; called first by everything that knows the instant. */
  advance(now: Instant): void {
    if (this.#sweepAt !== undefined && now < this.#sweepAt) return;
    const { changed, outgoing } = this.book.expire(this.unixSeconds(now));
    for (const peer of outgoing) {
      this.outbox.settle(peer);
      this.outbox.report({
        type: "handshake.expired",
        peer,
        via: "local",
        detail: "no answer within 24 hours",
      });
    }
    if (changed) this.outbox.save(now);
    this.#planSweep(now);
  }

  /** The book changed: it must be saved, at once or (`lazy`) soon. */
  changed(now: Instant, options: { readonly lazy: boolean } = { lazy: false }): void {
    this.outbox.save(now, options);
    this.#planSweep(now);
  }

  pollTimeout(): Instant | undefined {
    const next = this.outbox.pollTimeout();
    if (this.#sweepAt === undefined || this.#sweepAt === Infinity) return next;
    return next === undefined ? this.#sweepAt : Math.min(next, this.#sweepAt);
  }

  /** Trusts a peer from now on, tells the registry, fetches a missing key, and reports it. */
  establish(
    peer: number,
    options: {
      readonly publicKey: Uint8Array | undefined;
      readonly mutual: boolean;
      readonly via: TrustEvent["via"];
      /** How the acceptance goes out, if one is due. */
      readonly accept?: Route | "both";
      readonly now: Instant;
    },
  ): void {
    const { publicKey, mutual, via, accept, now } = options;
    this.outbox.settle(peer);
    this.book.trust({ node: peer, publicKey, approvedAt: this.unixSeconds(now), mutual, network: 0 });
    this.changed(now);
    this.outbox.state("report_trust", peer, { now });
    if (accept !== undefined) this.outbox.accept(peer, { first: accept, now });
    if (publicKey === undefined) this.outbox.lookup(peer, now);
    this.outbox.report({ type: "trust.established", peer, via });
  }

  /**
   * Whether `publicKey` may speak for `node`: it is the pinned one, or none is pinned and the key is not that of a
   * denied peer. With `via`, a wrong key is reported, once: only for keys that the registry vouches for.
   */
  acceptsKey(node: number, publicKey: Uint8Array, via?: Via): boolean {
    const { book } = this;
    const pinned = book.trusted(node)?.publicKey ?? book.pending(node)?.publicKey;
    const hex = toHex(publicKey);
    if (pinned === undefined) {
      const wanted = book.trusted(node) !== undefined || book.outgoing(node) !== undefined;
      return wanted || !book.isDeniedKey(publicKey);
    }
    if (toHex(pinned) === hex) return true;
    if (via === undefined || this.#reportedKeys.get(node) === hex) return false;
    this.#reportedKeys.delete(node);
    for (const oldest of this.#reportedKeys.keys()) {
      if (this.#reportedKeys.size < MAX_REPORTED_KEYS) break;
      this.#reportedKeys.delete(oldest);
    }
    this.#reportedKeys.set(node, hex);
    const detail = `refused: key ${hex.slice(0, 16)} instead of the known ${toHex(pinned).slice(0, 16)}`;
    this.outbox.report({ type: "trust.key_changed", peer: node, via, detail });
    return false;
  }

  /** How `node` stands to us, for the policy. */
  standing(node: number, now: Instant): Standing {
    return {
      denied: this.book.denied(node) !== undefined,
      trusted: this.book.trusted(node) !== undefined,
      awaited: this.book.outgoing(node) !== undefined,
      dialled: this.window.isOpen(node, now),
      answered: this.window.isAnswered(node, now),
      open: this.options.isPublic(),
    };
  }

  #planSweep(now: Instant): void {
    const next = this.book.nextExpiry();
    if (next === undefined) this.#sweepAt = Infinity;
    else {
      const wait = next * 1000 - this.options.unixTime(now);
      this.#sweepAt = now + Math.min(Math.max(wait, 1), SWEEP_MS);
    }
  }
}

/** How something of a peer reached us. */
export type Via = "direct" | "relay";
