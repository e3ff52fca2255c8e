/**
 * A set of named deadlines: set, move and clear in O(log n), the earliest in O(1).
 */

import type { Instant } from "./machine.ts";

interface Entry<Key> {
  readonly key: Key;
  readonly at: Instant;
}

/** Deadlines by name. A name has at most one deadline. */
export class Timers<Key> {
  readonly #deadlines = new Map<Key, Instant>();
  /** A binary heap that may hold entries which `#deadlines` has since moved or cleared. */
  #heap: Entry<Key>[] = [];

  /** Sets or moves the deadline of `key`; `undefined` clears it. */
  set(key: Key, at: Instant | undefined): void {
    if (at === undefined) {
      this.#deadlines.delete(key);
      return;
    }
    if (this.#deadlines.get(key) === at) return;
    this.#deadlines.set(key, at);
    this.#push({ key, at });
    if (this.#heap.length > 64 && this.#heap.length > 4 * this.#deadlines.size) this.#rebuild();
  }

  get(key: Key): Instant | undefined {
    return this.#deadlines.get(key);
  }

  /** The earliest deadline, `undefined` when there is none. */
  next(): Instant | undefined {
    this.#dropStale();
    return this.#heap[0]?.at;
  }

  /** Takes the name with the earliest deadline at or before `now`, `undefined` when none is due. */
  popDue(now: Instant): Key | undefined {
    this.#dropStale();
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#pop();
    this.#deadlines.delete(first.key);
    return first.key;
  }

  #dropStale(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#deadlines.get(first.key) === first.at) return;
      this.#pop();
    }
  }

  #rebuild(): void {
    this.#heap = [];
    for (const [key, at] of this.#deadlines) this.#push({ key, at });
  }

  #push(entry: Entry<Key>): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.at <= entry.at) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let smallest = left;
      if (right !== undefined && right.at < left.at) {
        smallest = right;
        child++;
      }
      if (smallest.at >= last.at) break;
      heap[index] = smallest;
      index = child;
    }
    heap[index] = last;
  }
}

/** The earlier of two deadlines, of which `undefined` is never. */
export function earlier(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
