/**
 * The book of relations: who is trusted, who waits for us, whom we wait for, who is denied.
 *
 * A node is in at most one of the four lists; every change keeps that, so no caller can leave it half done.
 */

import { equalBytes, toHex } from "../wire/bytes.ts";
import {
  MAX_PENDING,
  MAX_PENDING_PER_ORIGIN,
  OUTGOING_LIFETIME_S,
  PENDING_LIFETIME_S,
} from "./trust_constants.ts";
import type { DeniedPeer, OutgoingRequest, PendingPeer, TrustedPeer, TrustSnapshot } from "./trust_types.ts";

/** What adding a waiting request did: `same` changed nothing, `full` refused it. */
export type PendOutcome = "new" | "changed" | "same" | "full";

/** The four lists and their bounds. All times are Unix seconds. */
export class TrustBook {
  readonly #trusted = new Map<number, TrustedPeer>();
  readonly #pending = new Map<number, PendingPeer>();
  readonly #outgoing = new Map<number, OutgoingRequest>();
  readonly #denied = new Map<number, DeniedPeer>();
  /** Where a waiting request came from, as far as known since the start. */
  readonly #origins = new Map<number, string>();

  /** In conflict the more careful list wins: denied, then trusted, outgoing, pending. */
  constructor(snapshot?: TrustSnapshot) {
    for (const entry of snapshot?.pending ?? []) this.#pending.set(entry.node, entry);
    for (const entry of snapshot?.outgoing ?? []) this.ask(entry);
    for (const entry of snapshot?.trusted ?? []) this.trust(entry);
    for (const entry of snapshot?.denied ?? []) this.deny(entry);
  }

  /** Trusts a peer: whatever was known about it otherwise is settled. */
  trust(entry: TrustedPeer): void {
    this.forget(entry.node);
    if (entry.publicKey !== undefined) this.#liftKey(entry.publicKey);
    this.#trusted.set(entry.node, entry);
  }

  /** Notes our own request. */
  ask(entry: OutgoingRequest): void {
    this.forget(entry.node);
    this.#outgoing.set(entry.node, entry);
  }

  /** Notes a request of a peer that is in no other list. A known key is kept when the new entry has none. */
  pend(entry: PendingPeer, origin: string | undefined): PendOutcome {
    const old = this.#pending.get(entry.node);
    if (old !== undefined) {
      const publicKey = entry.publicKey ?? old.publicKey;
      const justification = entry.justification === "" ? old.justification : entry.justification;
      if (justification === old.justification && sameKey(publicKey, old.publicKey)) return "same";
      this.#pending.set(entry.node, { ...entry, publicKey, justification });
      return "changed";
    }
    if (this.#pending.size >= MAX_PENDING) return "full";
    if (origin !== undefined) {
      if (this.#countOrigin(origin) >= MAX_PENDING_PER_ORIGIN) return "full";
      this.#origins.set(entry.node, origin);
    }
    this.#pending.set(entry.node, entry);
    return "new";
  }

  /** Denies a peer everything, also under another node number when its key is known. */
  deny(entry: DeniedPeer): void {
    this.forget(entry.node);
    this.#denied.set(entry.node, entry);
  }

  /** Takes a node out of every list. Whether it was in one. */
  forget(node: number): boolean {
    this.#origins.delete(node);
    const lists = [this.#trusted, this.#pending, this.#outgoing, this.#denied];
    return lists.map((list) => list.delete(node)).includes(true);
  }

  /** Stores the key of a trusted or waiting peer that had none. Whether it did. */
  pin(node: number, publicKey: Uint8Array): boolean {
    const trusted = this.#trusted.get(node);
    if (trusted !== undefined && trusted.publicKey === undefined) {
      this.#liftKey(publicKey);
      this.#trusted.set(node, { ...trusted, publicKey });
      return true;
    }
    const pending = this.#pending.get(node);
    if (pending === undefined || pending.publicKey !== undefined) return false;
    this.#pending.set(node, { ...pending, publicKey });
    return true;
  }

  /** Drops what has lived too long; gives the nodes of our own requests that did. */
  expire(unixSeconds: number): { readonly changed: boolean; readonly outgoing: readonly number[] } {
    let changed = false;
    for (const entry of [...this.#pending.values()]) {
      if (entry.receivedAt === 0) this.#pending.set(entry.node, { ...entry, receivedAt: unixSeconds });
      else if (entry.receivedAt + PENDING_LIFETIME_S <= unixSeconds) changed = this.forget(entry.node);
    }
    const outgoing = [...this.#outgoing.values()]
      .filter((entry) => entry.requestedAt + OUTGOING_LIFETIME_S <= unixSeconds)
      .map((entry) => entry.node);
    for (const node of outgoing) changed = this.forget(node);
    return { changed, outgoing };
  }

  /** The Unix second at which `expire` has something to do, `undefined` for never. */
  nextExpiry(): number | undefined {
    let next: number | undefined;
    for (const { receivedAt } of this.#pending.values()) {
      next = earlier(next, receivedAt + PENDING_LIFETIME_S);
    }
    for (const { requestedAt } of this.#outgoing.values()) {
      next = earlier(next, requestedAt + OUTGOING_LIFETIME_S);
    }
    return next;
  }

  trusted(node: number): TrustedPeer | undefined {
    return this.#trusted.get(node);
  }

  pending(node: number): PendingPeer | undefined {
    return this.#pending.get(node);
  }

  outgoing(node: number): OutgoingRequest | undefined {
    return this.#outgoing.get(node);
  }

  denied(node: number): DeniedPeer | undefined {
    return this.#denied.get(node);
  }

  /** Whether a denied peer holds this key. */
  isDeniedKey(publicKey: Uint8Array): boolean {
    for (const entry of this.#denied.values()) {
      if (entry.publicKey !== undefined && equalBytes(entry.publicKey, publicKey)) return true;
    }
    return false;
  }

  /** A copy of all lists, ordered by node. */
  snapshot(): TrustSnapshot {
    return {
      trusted: ordered(this.#trusted),
      pending: ordered(this.#pending),
      outgoing: ordered(this.#outgoing),
      denied: ordered(this.#denied),
    };
  }

  /** The operator trusts this key anew, so it is denied nowhere. */
  #liftKey(publicKey: Uint8Array): void {
    for (const entry of [...this.#denied.values()]) {
      if (entry.publicKey !== undefined && equalBytes(entry.publicKey, publicKey)) {
        this.#denied.delete(entry.node);
      }
    }
  }

  #countOrigin(origin: string): number {
    let count = 0;
    for (const other of this.#origins.values()) if (other === origin) count++;
    return count;
  }
}

/** The origin of a request without a known network address: its key. */
export function originOf(origin: string | undefined, publicKey: Uint8Array): string {
  return origin ?? `key:${toHex(publicKey)}`;
}

/** Whether two keys are equal, or both unknown. */
export function sameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equalBytes(a, b);
}

function earlier(a: number | undefined, b: number): number {
  return a === undefined ? b : Math.min(a, b);
}

function ordered<Entry extends { readonly node: number }>(list: ReadonlyMap<number, Entry>): Entry[] {
  return [...list.values()].sort((a, b) => a.node - b.node);
}
