/**
 * Handshake messages that wait for their target.
 *
 * A client that acknowledges gets every message at least once: polled messages stay until a later poll names them.
 * A client that does not gets every message at most once, as older registries had it.
 */

import { decodeUtf8, encodeUtf8 } from "../wire/bytes.ts";
import type { RelayedRequest, RelayedResponse } from "../wire/registry.ts";
import type { Policy } from "./policy.ts";
import type { InboxItem, InboxMessage, Store } from "./store.ts";

/** What a poll gives, oldest first. `ack` is for clients that acknowledge. */
export interface Polled {
  readonly requests: readonly RelayedRequest[];
  readonly responses: readonly RelayedResponse[];
  readonly ack?: number;
}

/** The inboxes of all nodes. */
export class Inbox {
  readonly #store: Store;
  readonly #policy: Policy;
  /** The newest message handed out per node, so that an acknowledgement cannot remove what nobody has seen. */
  readonly #handedOut = new Map<number, number>();
  readonly #arrivals = new Set<number>();

  constructor(store: Store, policy: Policy) {
    this.#store = store;
    this.#policy = policy;
  }

  /** Queues a message. One of the same kind from the same sender is replaced; when full, the oldest gives way. */
  put(node: number, message: InboxMessage, now: number): void {
    const kept = message.kind === "response" ? message : {
      ...message,
      justification: cutUtf8(message.justification, this.#policy.justificationBytes),
    };
    const same = this.#store.inbox(node).filter((item) => item.message.kind === kept.kind);
    if (same.some((item) => this.#isWaiting(item) && sameMessage(item.message, kept))) return;
    const replaced = same.filter((item) => item.message.from === kept.from);
    const others = same.filter((item) => item.message.from !== kept.from);
    const evicted = others.slice(0, Math.max(0, others.length + 1 - this.#policy.inboxLimit));
    this.#store.removeInbox(node, [...replaced, ...evicted].map((item) => item.sequence));
    this.#store.putInbox({ node, message: kept, at: now });
    this.#arrivals.add(node);
  }

  /** Everything that waits for `node`. Without `ack` it is removed; with it, what was acknowledged is. */
  poll(node: number, ack?: number): Polled {
    if (ack === undefined) {
      const items = this.#store.inbox(node);
      this.#store.removeInbox(node, items.map((item) => item.sequence));
      this.#handedOut.delete(node);
      return toPolled(items);
    }
    const seen = Math.min(ack, this.#handedOut.get(node) ?? 0);
    const items = this.#store.inbox(node);
    const acknowledged = items.filter((item) => item.sequence <= seen);
    this.#store.removeInbox(node, acknowledged.map((item) => item.sequence));
    const waiting = items.slice(acknowledged.length);
    const newest = waiting.at(-1)?.sequence;
    if (newest === undefined) this.#handedOut.delete(node);
    else this.#handedOut.set(node, newest);
    return { ...toPolled(waiting), ack: newest ?? ack };
  }

  /** Number of messages waiting. */
  count(node: number): number {
    return this.#store.inbox(node).length;
  }

  /** Nodes whose inbox got a message since the last call. */
  takeArrivals(): readonly number[] {
    const nodes = [...this.#arrivals];
    this.#arrivals.clear();
    return nodes;
  }

  /** Removes what waited too long. */
  expire(now: number): void {
    this.#store.expireInbox(now - this.#policy.inboxLifetimeMs);
  }

  /** Whether nobody has been given this message yet. */
  #isWaiting(item: InboxItem): boolean {
    return item.sequence > (this.#handedOut.get(item.node) ?? 0);
  }
}

function toPolled(items: readonly InboxItem[]): Polled {
  const requests: RelayedRequest[] = [];
  const responses: RelayedResponse[] = [];
  for (const { message, at } of items) {
    const timestamp = Math.floor(at / 1000);
    if (message.kind === "request") {
      requests.push({ from_node_id: message.from, justification: message.justification, timestamp });
    } else {
      responses.push({ from_node_id: message.from, accept: message.accept, timestamp });
    }
  }
  return { requests, responses };
}

function sameMessage(a: InboxMessage, b: InboxMessage): boolean {
  if (a.from !== b.from) return false;
  if (a.kind === "request") return b.kind === "request" && a.justification === b.justification;
  return b.kind === "response" && a.accept === b.accept;
}

/** At most `limit` bytes of UTF-8, never half a character. */
function cutUtf8(text: string, limit: number): string {
  const bytes = encodeUtf8(text);
  if (bytes.length <= limit) return text;
  let end = limit;
  // Bytes 10xxxxxx continue a character (RFC 3629 section 3).
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return decodeUtf8(bytes.subarray(0, end));
}
