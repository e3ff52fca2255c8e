/** Bytes that arrived on a stream and wait until a whole message is there. */

import { viewOf } from "./uint.ts";

/** An empty queue keeps at most this much memory for the next bytes. */
const KEPT_CAPACITY = 65536;

/**
 * First in, first out, with a look at the front. It copies what it is given, so the caller may reuse its buffer,
 * and never holds more than about twice the bytes that arrived: lengths announced by a peer allocate nothing.
 */
export class ByteQueue {
  #buffer = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** Number of waiting bytes. */
  get length(): number {
    return this.#end - this.#start;
  }

  push(chunk: Uint8Array): void {
    this.#reserve(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Big-endian number `offset` bytes from the front. @throws RangeError when fewer bytes wait */
  uint16(offset: number): number {
    return viewOf(this.#waiting()).getUint16(offset);
  }

  /** Big-endian number `offset` bytes from the front. @throws RangeError when fewer bytes wait */
  uint32(offset: number): number {
    return viewOf(this.#waiting()).getUint32(offset);
  }

  /** Removes the first `count` bytes and returns a copy. @throws RangeError when fewer bytes wait */
  take(count: number): Uint8Array<ArrayBuffer> {
    if (count > this.length) throw new RangeError(`only ${this.length} bytes wait, not ${count}`);
    const taken = this.#buffer.slice(this.#start, this.#start + count);
    this.#start += count;
    if (this.#start === this.#end) this.clear();
    return taken;
  }

  /** Forgets all waiting bytes. */
  clear(): void {
    this.#start = this.#end = 0;
    if (this.#buffer.length > KEPT_CAPACITY) this.#buffer = new Uint8Array(0);
  }

  #waiting(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  #reserve(more: number): void {
    if (this.#end + more <= this.#buffer.length) return;
    const waiting = this.#waiting();
    const needed = waiting.length + more;
    const target = needed <= this.#buffer.length / 2
      ? this.#buffer
      : new Uint8Array(Math.max(needed, 2 * waiting.length, 64));
    target.set(waiting);
    this.#buffer = target;
    this.#start = 0;
    this.#end = waiting.length;
  }
}
