/** Messages on a byte stream, each behind its length: `length 4 | body`. The registry and the local socket use it. */

import { ByteQueue } from "./byte_queue.ts";
import { concatBytes } from "./bytes.ts";
import { uint32Bytes, viewOf } from "./uint.ts";

/** A body with its length in front. */
export function encodeLengthPrefixed(body: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(uint32Bytes(body.length), body);
}

/**
 * Cuts a byte stream into message bodies, however it was fragmented.
 *
 * @example
 * ```ts
 * import { encodeLengthPrefixed, FrameSplitter } from "./framing.ts";
 *
 * const splitter = new FrameSplitter(1024);
 * const bodies = splitter.push(encodeLengthPrefixed(Uint8Array.of(1, 2, 3)));
 * if (bodies === "too-long" || bodies.length !== 1) throw new Error("one body");
 * ```
 */
export class FrameSplitter {
  readonly #maxLength: number;
  readonly #queue = new ByteQueue();
  #failed = false;

  /** `maxLength` is the longest body accepted, in bytes. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /**
   * The bodies completed by `chunk`, which may be reused afterwards. `"too-long"`, now and ever after, once a longer
   * body is announced and all bodies before it were returned: the stream must be closed.
   */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer>[] | "too-long" {
    if (this.#failed) return "too-long";
    const bodies: Uint8Array<ArrayBuffer>[] = [];
    let rest = chunk;
    if (this.#queue.length === 0) {
      // Nothing waits: bodies that arrived whole need not pass through the queue.
      let at = 0;
      while (chunk.length - at >= 4) {
        const length = viewOf(chunk).getUint32(at);
        if (length > this.#maxLength || chunk.length - at < 4 + length) break;
        bodies.push(chunk.slice(at + 4, at + 4 + length));
        at += 4 + length;
      }
      if (at === chunk.length) return bodies;
      rest = chunk.subarray(at);
    }
    this.#queue.push(rest);
    while (this.#queue.length >= 4) {
      const length = this.#queue.uint32(0);
      if (length > this.#maxLength) {
        this.#failed = true;
        this.#queue.clear();
        return bodies.length > 0 ? bodies : "too-long";
      }
      if (this.#queue.length < 4 + length) break;
      this.#queue.take(4);
      bodies.push(this.#queue.take(length));
    }
    return bodies;
  }

  /** Whether a body longer than allowed was announced. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Bytes of an unfinished message; at the end of a stream anything but 0 means that it was cut. */
  get pendingBytes(): number {
    return this.#queue.length;
  }
}
