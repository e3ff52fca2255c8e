/** Host names: who has which, and for whom a name is kept after its owner went silent. */

import { encodeUtf8 } from "../wire/bytes.ts";
import type { Policy } from "./policy.ts";
import type { NameRecord, Store } from "./store.ts";

/** Most tags of one node, and most bytes of one tag. */
const MAX_TAGS = 10;
const MAX_TAG_BYTES = 32;

/** The table of names. Grammar is checked by the caller. */
export class Names {
  readonly #store: Store;
  readonly #policy: Policy;

  constructor(store: Store, policy: Policy) {
    this.#store = store;
    this.#policy = policy;
  }

  /** The node that uses a name now. */
  resolve(hostname: string): number | undefined {
    const record = this.#store.name(hostname);
    return record === undefined || record.reservedUntil !== undefined ? undefined : record.node;
  }

  /** The name a node uses now, empty for none. */
  of(node: number): string {
    const record = this.#store.nameOf(node);
    return record === undefined || record.reservedUntil !== undefined ? "" : record.hostname;
  }

  /** Whether `node` may use `hostname`: it is free, its own, or no longer reserved for another. */
  isFree(hostname: string, node: number, now: number): boolean {
    const record = this.#store.name(hostname);
    return record === undefined || record.node === node || isOver(record, now);
  }

  /** Makes `hostname` the name of `node`, whose former name becomes free. Check `isFree` first. */
  take(hostname: string, node: number): void {
    this.#store.putName({ hostname, node, reservedUntil: undefined });
  }

  /** Frees the name of a node at once, reserved or not. */
  clear(node: number): void {
    const record = this.#store.nameOf(node);
    if (record !== undefined) this.#store.removeName(record.hostname);
  }

  /** Keeps the name of a node that has gone, so that nobody takes it during a short absence. */
  reserve(node: number, now: number): void {
    const record = this.#store.nameOf(node);
    if (record === undefined || record.reservedUntil !== undefined) return;
    this.#store.putName({ ...record, reservedUntil: now + this.#policy.nameReservationMs });
  }
}

/** Tags as stored, without the leading `#`; or what is wrong with them. */
export function normaliseTags(tags: readonly string[]): readonly string[] | { readonly invalid: string } {
  if (tags.length > MAX_TAGS) return { invalid: `too many tags (max ${MAX_TAGS})` };
  const result: string[] = [];
  for (const tag of tags) {
    const text = tag.startsWith("#") ? tag.slice(1) : tag;
    if (text === "") return { invalid: "empty tag" };
    if (encodeUtf8(text).length > MAX_TAG_BYTES) {
      return { invalid: `tag too long (max ${MAX_TAG_BYTES} chars)` };
    }
    if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text)) {
      return { invalid: "tags must be lowercase alphanumeric with hyphens, start/end with alphanumeric" };
    }
    result.push(text);
  }
  return result;
}

function isOver(record: NameRecord, now: number): boolean {
  return record.reservedUntil !== undefined && record.reservedUntil <= now;
}
