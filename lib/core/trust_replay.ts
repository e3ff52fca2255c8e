/**
 * Which handshake messages have been acted on: against repetition, and against messages that overtake each other.
 *
 * Only messages whose signature and sender are proven come here, so only a peer itself can fill its share.
 */

import { crc32 } from "../wire/crc32.ts";
import { encodeUtf8 } from "../wire/bytes.ts";
import { MESSAGE_MAX_AGE_S, MESSAGE_MAX_SKEW_S, REPLAY_ENTRIES } from "./trust_constants.ts";

/** What a message is compared by. `content` covers all its fields. */
export interface ReplayKey {
  readonly node: number;
  /** Unix seconds, of the sender's clock. */
  readonly timestamp: number;
  readonly content: string;
}

/** A bounded memory of messages; the oldest makes room. */
export class ReplaySet {
  readonly #capacity: number;
  /** Message to the Unix second after which it would be refused for its age anyway. */
  readonly #seen = new Map<string, number>();
  /** Newest timestamp per node. Never larger than `#seen`, whose entries it is forgotten with. */
  readonly #newest = new Map<number, number>();

  constructor(capacity: number = REPLAY_ENTRIES) {
    this.#capacity = capacity;
  }

  /** Remembers a message. `replay`: it was here before. `overtaken`: a newer one of the same node was here before. */
  take(key: ReplayKey, unixSeconds: number): "fresh" | "replay" | "overtaken" {
    const name = nameOf(key);
    if (this.#seen.has(name)) return "replay";
    const newest = this.#newest.get(key.node);
    this.#prune(unixSeconds);
    this.#seen.set(name, unixSeconds + MESSAGE_MAX_AGE_S + MESSAGE_MAX_SKEW_S);
    if (newest !== undefined && key.timestamp < newest) return "overtaken";
    this.#newest.delete(key.node);
    this.#newest.set(key.node, key.timestamp);
    return "fresh";
  }

  /** Messages remembered. */
  get size(): number {
    return this.#seen.size;
  }

  /** Both maps are in order of last use, so the front is the oldest. */
  #prune(unixSeconds: number): void {
    for (const [name, expires] of this.#seen) {
      if (expires >= unixSeconds && this.#seen.size < this.#capacity) break;
      this.#seen.delete(name);
    }
    for (const [node, timestamp] of this.#newest) {
      if (timestamp + MESSAGE_MAX_AGE_S >= unixSeconds && this.#newest.size < this.#capacity) break;
      this.#newest.delete(node);
    }
  }
}

/**
 * A short name of the message. A checksum suffices: names differ by sender and second, and all a sender could reach
 * by a collision is that its own second message is ignored.
 */
function nameOf(key: ReplayKey): string {
  return `${key.node}:${key.timestamp}:${crc32(encodeUtf8(key.content))}`;
}
