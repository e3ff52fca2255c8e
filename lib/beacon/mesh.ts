/**
 * The other beacons, and which nodes they say are theirs.
 *
 * Only beacons that were configured or discovered are listened to. Their lists name local nodes only, so one hop
 * reaches every node, and what came from a beacon never goes to another.
 */

import type { Instant } from "../core/machine.ts";
import { type Endpoint, endpointKey } from "../wire/endpoint.ts";

/** A list not renewed for this long is void: three Sync intervals. */
export const LIST_LIFE_MS = 30_000;
/** More peers than this are ignored, so that Sync stays small. */
export const MAX_PEERS = 64;

interface Peer {
  readonly endpoint: Endpoint;
  /** Node ID to when this peer first listed it. */
  nodes: ReadonlyMap<number, Instant>;
  heard: Instant;
}

/** Peer beacons and their nodes. */
export class Mesh {
  readonly #configured: readonly Endpoint[];
  #peers = new Map<string, Peer>();

  constructor(configured: readonly Endpoint[]) {
    this.#configured = configured;
    this.setDiscovered([]);
  }

  get peers(): Endpoint[] {
    return [...this.#peers.values()].map((peer) => peer.endpoint);
  }

  /** Replaces the discovered peers; configured ones always stay. */
  setDiscovered(endpoints: readonly Endpoint[]): void {
    const before = this.#peers;
    this.#peers = new Map();
    for (const endpoint of [...this.#configured, ...endpoints]) {
      const key = endpointKey(endpoint);
      if (this.#peers.size >= MAX_PEERS) return;
      this.#peers.set(key, before.get(key) ?? { endpoint, nodes: new Map(), heard: 0 });
    }
  }

  isPeer(endpoint: Endpoint): boolean {
    return this.#peers.has(endpointKey(endpoint));
  }

  /** Replaces the list of a peer; the lists of others are ignored. */
  handleList(from: Endpoint, nodes: readonly number[], now: Instant): void {
    const peer = this.#peers.get(endpointKey(from));
    if (peer === undefined) return;
    const before = now - peer.heard < LIST_LIFE_MS ? peer.nodes : new Map<number, Instant>();
    peer.nodes = new Map(nodes.map((node) => [node, before.get(node) ?? now]));
    peer.heard = now;
  }

  /** The beacon of a node; of several, the one where it turned up last. */
  ownerOf(node: number, now: Instant): Endpoint | undefined {
    let owner: Endpoint | undefined;
    let latest = -Infinity;
    for (const peer of this.#peers.values()) {
      const since = peer.nodes.get(node);
      if (since === undefined || since <= latest || now - peer.heard >= LIST_LIFE_MS) continue;
      owner = peer.endpoint;
      latest = since;
    }
    return owner;
  }
}
