/**
 * What is known of the transport to each peer: what was agreed on, and what the path carries.
 */

import { FOREIGN_PROFILE, type TransportProfile } from "./profile.ts";
import { SEGMENT_SIZE } from "./segment.ts";

/** Peers remembered; the one that told something longest ago makes room. */
const MAX_PEERS = 8_192;

interface Entry {
  readonly profile: TransportProfile;
  readonly limit: number;
}

const COMMON: Entry = { profile: FOREIGN_PROFILE, limit: SEGMENT_SIZE };

/** Profiles and segment limits by node. */
export class PeerTransports {
  readonly #entries = new Map<number, Entry>();

  profile(node: number): TransportProfile {
    return this.#get(node).profile;
  }

  /** Payload bytes of a full segment to this node. */
  segmentSize(node: number): number {
    const { profile, limit } = this.#get(node);
    return Math.min(profile.segmentSize, limit);
  }

  setProfile(node: number, profile: TransportProfile): void {
    this.#set(node, { profile, limit: this.#get(node).limit });
  }

  /** The path carries segments of so many payload bytes. */
  setLimit(node: number, bytes: number): void {
    this.#set(node, { profile: this.#get(node).profile, limit: Math.max(1, Math.floor(bytes)) });
  }

  #get(node: number): Entry {
    return this.#entries.get(node) ?? COMMON;
  }

  #set(node: number, entry: Entry): void {
    this.#entries.delete(node);
    if (entry.profile === FOREIGN_PROFILE && entry.limit === SEGMENT_SIZE) return;
    if (this.#entries.size >= MAX_PEERS) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(node, entry);
  }
}
