/** The peers with tunnel state, bounded. */

import { MAX_PEERS } from "../constants.ts";
import type { Instant } from "../machine.ts";
import { Peer, type PeerContext } from "./peer.ts";

/** At most `MAX_PEERS` peers by node id. */
export class PeerTable {
  readonly #context: PeerContext;
  readonly #forget: (node: number) => void;
  readonly #peers = new Map<number, Peer>();

  /** `forget` is told of a peer that has to make room, before it is gone. */
  constructor(context: PeerContext, forget: (node: number) => void) {
    this.#context = context;
    this.#forget = forget;
  }

  get(node: number): Peer | undefined {
    return this.#peers.get(node);
  }

  values(): IterableIterator<Peer> {
    return this.#peers.values();
  }

  delete(node: number): void {
    this.#peers.delete(node);
  }

  /** The peer with this number, made when there is none. */
  ensure(node: number, now: Instant): Peer {
    let peer = this.#peers.get(node);
    if (peer === undefined) {
      if (this.#peers.size >= MAX_PEERS) this.#evict();
      peer = new Peer(node, this.#context, now);
      this.#peers.set(node, peer);
    }
    return peer;
  }

  /** Makes room: peers that have proven nothing go first, then the one unused for longest. */
  #evict(): void {
    let worst: Peer | undefined;
    for (const peer of this.#peers.values()) {
      const order = worst === undefined ? -1 : Number(peer.isProven) - Number(worst.isProven);
      if (worst === undefined || order < 0 || (order === 0 && peer.usedAt < worst.usedAt)) worst = peer;
    }
    if (worst !== undefined) this.#forget(worst.node);
  }
}
