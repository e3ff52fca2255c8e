/**
 * Nodes that hang on the beacon by a connection of their own, for want of UDP. Unlike a UDP endpoint, a session is
 * authenticated: it speaks for the one node that has logged in, and it is gone when the connection is.
 */

import type { Instant } from "../core/machine.ts";

/** One node on one connection. */
export interface Session {
  /** Never used twice, so that the end of an old connection cannot be taken for that of its successor. */
  readonly id: number;
  readonly node: number;
  /** The IP address it comes from, for the budgets. */
  readonly host: string;
  heard: Instant;
  /** Whether deliveries are to carry their destination, too (it sent DiscoverEx). */
  wantsDestination: boolean;
}

/** The sessions, at most one per node. */
export class Sessions {
  readonly #capacity: number;
  readonly #byNode = new Map<number, Session>();
  readonly #byId = new Map<number, Session>();
  #lastId = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** A node has logged in: its session, and the one that it replaces. `undefined` when there is no room. */
  attach(
    who: { readonly node: number; readonly host: string },
    now: Instant,
  ): { readonly session: Session; readonly replaced: Session | undefined } | undefined {
    const replaced = this.#byNode.get(who.node);
    if (replaced === undefined && this.size >= this.#capacity) return undefined;
    if (replaced !== undefined) this.detach(replaced.id);
    const session: Session = { ...who, id: ++this.#lastId, heard: now, wantsDestination: false };
    this.#byNode.set(session.node, session);
    this.#byId.set(session.id, session);
    return { session, replaced };
  }

  /** A connection is gone. */
  detach(id: number): void {
    const session = this.#byId.get(id);
    if (session === undefined) return;
    this.#byId.delete(id);
    if (this.#byNode.get(session.node) === session) this.#byNode.delete(session.node);
  }

  get(id: number): Session | undefined {
    return this.#byId.get(id);
  }

  /** The session of a node. */
  of(node: number): Session | undefined {
    return this.#byNode.get(node);
  }

  /** All nodes with a session. */
  nodes(): number[] {
    return [...this.#byNode.keys()];
  }
}
