/**
 * Bytes that were written and not yet cut into segments, and the memory of those that were, until they arrived.
 */

import { concatBytes } from "../../wire/bytes.ts";
import { Deque } from "./deque.ts";
import { SEGMENT_SIZE } from "./segment.ts";

/** Bytes are kept in blocks of up to this size: a whole number of segments, so that few segments span two. */
const LARGEST_BLOCK = 56 * SEGMENT_SIZE;
/** The first block: many streams say no more than a few words, and keep the rest of it for the next. */
const SMALLEST_BLOCK = 256;
/** A block up to this size is kept although all of it was taken. */
const KEPT_BLOCK = 2_048;
/** From this size on, what is written while nothing waits gets a block of just its size. */
const LARGE_WRITE = 4_096;
/** Largest blocks kept for what is written next while anything is under way: the usual send buffer, 1 MB. */
const MAX_FREE = 16;

interface EmptyBlock {
  readonly bytes: Uint8Array;
  /** Number of bytes ever taken when its last one was. */
  readonly takenAt: number;
}

/** Copies once, on the way in: segments are views of the blocks, which are written again once these are released. */
export class SendQueue {
  readonly #blocks = new Deque<Uint8Array>();
  /** Largest blocks of which all was taken but not all released. */
  readonly #empty = new Deque<EmptyBlock>();
  readonly #free: Uint8Array[] = [];
  #taken = 0;
  #released = 0;
  #front: Uint8Array | undefined;
  /** Where the first block goes on, and where the last one ends. */
  #start = 0;
  #end = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies `data` to the end. */
  push(data: Uint8Array): void {
    let offset = 0;
    while (offset < data.length) {
      const free = (this.#blocks.last?.length ?? 0) - this.#end;
      if (free <= 0) {
        this.#addBlock(data, offset);
        offset += this.#end;
        continue;
      }
      const count = Math.min(free, data.length - offset);
      this.#blocks.last?.set(data.subarray(offset, offset + count), this.#end);
      this.#end += count;
      offset += count;
    }
    this.#length += data.length;
  }

  /** Removes the first `count` bytes, which must be here. What is returned is not written to until it is released. */
  take(count: number): Uint8Array {
    this.#length -= count;
    if (this.#front !== undefined) return this.#takeFront(count, this.#front);
    const first = this.#blocks.first;
    const available = this.#available();
    if (first === undefined) return new Uint8Array(0);
    if (count > available) return this.#gather(new Uint8Array(count), 0);
    const view = first.subarray(this.#start, this.#start += count);
    this.#taken += count;
    // A large block is not kept for what may never come.
    if (count === available && (this.#blocks.length > 1 || first.length > KEPT_BLOCK)) this.#dropFirst();
    return view;
  }

  /** Nobody needs the next `count` bytes any more of those that were taken; oldest first. */
  release(count: number): void {
    this.#released += count;
    for (let first = this.#empty.first; first !== undefined; first = this.#empty.first) {
      if (first.takenAt > this.#released) break;
      this.#empty.shift();
      if (this.#free.length < MAX_FREE) this.#free.push(first.bytes);
    }
    if (this.#released === this.#taken && this.#length === 0) this.#free.length = 0;
  }

  /** Puts what was taken last, or the end of it, back to the front. */
  putBack(rest: Uint8Array): void {
    this.#front = this.#front === undefined ? rest : concatBytes(rest, this.#front);
    this.#length += rest.length;
  }

  clear(): void {
    this.#front = undefined;
    this.#blocks.clear();
    this.#empty.clear();
    this.#free.length = 0;
    this.#start = this.#end = this.#length = 0;
  }

  /** Bytes in the first block. */
  #available(): number {
    const first = this.#blocks.first;
    return first === undefined ? 0 : (this.#blocks.length === 1 ? this.#end : first.length) - this.#start;
  }

  #addBlock(data: Uint8Array, offset: number): void {
    const rest = data.length - offset;
    const count = Math.min(rest, LARGEST_BLOCK);
    let block = this.#free.pop();
    if (
      block === undefined && (count === LARGEST_BLOCK || (rest >= LARGE_WRITE && this.#blocks.length === 0))
    ) {
      block = data.slice(offset, offset + count);
    } else {
      const last = this.#blocks.last?.length ?? 0;
      block ??= new Uint8Array(Math.max(SMALLEST_BLOCK, rest, Math.min(LARGEST_BLOCK, 2 * last)));
      block.set(data.subarray(offset, offset + count));
    }
    this.#end = count;
    this.#blocks.push(block);
  }

  #dropFirst(): void {
    const bytes = this.#blocks.shift();
    this.#start = 0;
    if (this.#blocks.length === 0) this.#end = 0;
    if (bytes?.length === LARGEST_BLOCK) this.#empty.push({ bytes, takenAt: this.#taken });
  }

  #takeFront(count: number, front: Uint8Array): Uint8Array {
    this.#front = front.length > count ? front.subarray(count) : undefined;
    if (front.length >= count) return front.subarray(0, count);
    const all = new Uint8Array(count);
    all.set(front);
    return this.#gather(all, front.length);
  }

  /** Fills `all` from `done` on with the next bytes. */
  #gather(all: Uint8Array, done: number): Uint8Array {
    while (done < all.length) {
      const first = this.#blocks.first;
      if (first === undefined) break;
      const part = Math.min(this.#available(), all.length - done);
      all.set(first.subarray(this.#start, this.#start + part), done);
      this.#start += part;
      this.#taken += part;
      done += part;
      if (this.#blocks.length > 1 && this.#start === first.length) this.#dropFirst();
    }
    return all;
  }
}
