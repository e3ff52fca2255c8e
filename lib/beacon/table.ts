/**
 * Which node is where: a bounded table with expiry, written by unauthenticated messages.
 *
 * Anybody can claim any node ID, and a node that moved looks like a thief. So nobody is believed alone: while the
 * known endpoint of a node is fresh, a second one is kept beside it and gets the traffic as well. A thief cuts nobody
 * off, and a node that moved is reached at once.
 */

import type { Instant } from "../core/machine.ts";
import { type Endpoint, sameEndpoint } from "../wire/endpoint.ts";

/** An endpoint not heard of for this long makes room for another: two and a half Discover intervals of 30 s. */
export const FRESH_MS = 75_000;
/** An endpoint not heard of for this long is forgotten: four Discover intervals. */
export const EXPIRY_MS = 120_000;
/** A second message this much later, from the same endpoint, shows that somebody is there. */
const CONFIRM_AFTER_MS = 1000;
const MAX_ENDPOINTS = 2;
/** No living node is silent for longer: the longest Discover interval there is, 30 s, and a delay. */
const OVERDUE_MS = 32_000;

/** An endpoint that claimed a node ID. */
export interface Claim {
  readonly endpoint: Endpoint;
  readonly since: Instant;
  seen: Instant;
  /** The socket of the beacon that it spoke to last: its NAT may let in no other. */
  via: number;
  /** Whether more than a single Discover came from there, which a forged source address could have sent. */
  confirmed: boolean;
  /** Whether deliveries are to carry their destination, too (it sent DiscoverEx). */
  wantsDestination: boolean;
}

/** What a message says about its sender. */
export interface Sighting {
  readonly endpoint: Endpoint;
  /** The socket of the beacon that the message came to; default the first. */
  readonly via?: number;
  /** The message shows by itself that somebody is there. */
  readonly confirms?: boolean;
  /** `undefined` leaves it as it was. */
  readonly wantsDestination?: boolean;
}

/** `refused`: two other endpoints of this node are fresh. `full`: the table is, with confirmed nodes. */
export type Learned = "new" | "known" | "contested" | "refused" | "full";

/** Node IDs and their endpoints. */
export class NodeTable {
  readonly #capacity: number;
  /** Both in order of the last sighting, the oldest first. A node is confirmed when one of its endpoints is. */
  readonly #confirmed = new Map<number, Claim[]>();
  readonly #unconfirmed = new Map<number, Claim[]>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#confirmed.size + this.#unconfirmed.size;
  }

  /** Notes that `node` was seen. A full table forgets unconfirmed nodes first, and never a confirmed one. */
  learn(node: number, sighting: Sighting, now: Instant): Learned {
    const claims = this.claims(node, now);
    const known = claims.find((claim) => sameEndpoint(claim.endpoint, sighting.endpoint));
    if (known === undefined) return this.#add(node, { sighting, claims, now });
    known.seen = now;
    known.via = sighting.via ?? 0;
    known.confirmed ||= sighting.confirms === true || now - known.since >= CONFIRM_AFTER_MS;
    known.wantsDestination = sighting.wantsDestination ?? known.wantsDestination;
    this.#store(node, claims);
    return "known";
  }

  /** The endpoints of a node, the one with the older claim first. Empty when the node is not known. */
  claims(node: number, now: Instant): Claim[] {
    const claims = this.#confirmed.get(node) ?? this.#unconfirmed.get(node) ?? [];
    const alive = claims.filter((claim) => now - claim.seen < EXPIRY_MS);
    // Beside a fresh endpoint a stale one is a place the node has left.
    const fresh = alive.filter((claim) => isFresh(claim, now));
    return fresh.length > 0 ? fresh : alive;
  }

  /** Whether a node is at `endpoint`, as far as is known. */
  isAt(node: number, endpoint: Endpoint, now: Instant): boolean {
    return this.claims(node, now).some((claim) => sameEndpoint(claim.endpoint, endpoint));
  }

  /** At most `limit` nodes seen lately, the latest first. */
  freshNodes(limit: number, now: Instant): number[] {
    const fresh: { node: number; seen: Instant }[] = [];
    for (const map of [this.#confirmed, this.#unconfirmed]) {
      for (const [node, claims] of map) {
        const seen = lastSeen(claims);
        if (now - seen < FRESH_MS) fresh.push({ node, seen });
      }
    }
    return fresh.sort((a, b) => b.seen - a.seen).slice(0, limit).map(({ node }) => node);
  }

  /** Forgets what has expired; how many nodes that were. */
  sweep(now: Instant): number {
    const before = this.size;
    for (const map of [this.#confirmed, this.#unconfirmed]) {
      for (const [node, claims] of map) {
        if (now - lastSeen(claims) < EXPIRY_MS) break;
        map.delete(node);
      }
    }
    return before - this.size;
  }

  #add(node: number, step: { sighting: Sighting; claims: Claim[]; now: Instant }): Learned {
    const { sighting, now } = step;
    const known = step.claims.filter((claim) => isFresh(claim, now));
    const fresh = known.length < MAX_ENDPOINTS ? known : withoutFormerLife(known, sighting.endpoint, now);
    if (fresh.length >= MAX_ENDPOINTS) return "refused";
    const isNew = step.claims.length === 0;
    if (isNew && !this.#makeRoom()) return "full";
    const claim = {
      endpoint: sighting.endpoint,
      since: now,
      seen: now,
      via: sighting.via ?? 0,
      confirmed: sighting.confirms ?? false,
      wantsDestination: sighting.wantsDestination ?? false,
    };
    this.#store(node, [...fresh, claim]);
    return fresh.length > 0 ? "contested" : isNew ? "new" : "known";
  }

  #store(node: number, claims: Claim[]): void {
    this.#confirmed.delete(node);
    this.#unconfirmed.delete(node);
    const confirmed = claims.some((claim) => claim.confirmed);
    (confirmed ? this.#confirmed : this.#unconfirmed).set(node, claims);
  }

  #makeRoom(): boolean {
    if (this.size < this.#capacity) return true;
    for (const node of this.#unconfirmed.keys()) {
      this.#unconfirmed.delete(node);
      return true;
    }
    return false;
  }
}

/** Whether the endpoint was heard of lately. */
export function isFresh(claim: Claim, now: Instant): boolean {
  return now - claim.seen < FRESH_MS;
}

/**
 * Without the endpoint that `newcomer` may have had before: at the same address, as of a node that was started again
 * behind its NAT, and silent for longer than a living node would be.
 */
function withoutFormerLife(claims: readonly Claim[], newcomer: Endpoint, now: Instant): readonly Claim[] {
  const former = claims.find(({ endpoint, seen }) =>
    endpoint.host === newcomer.host && now - seen > OVERDUE_MS
  );
  return claims.filter((claim) => claim !== former);
}

function lastSeen(claims: readonly Claim[]): Instant {
  return Math.max(...claims.map((claim) => claim.seen));
}
