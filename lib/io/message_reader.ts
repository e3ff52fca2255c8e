/** Length-prefixed messages from a local socket. */

import { FrameSplitter } from "../wire/framing.ts";

/** What the reader needs of a connection. */
export interface ByteSource {
  read(buffer: Uint8Array): Promise<number | null>;
}

const SMALL_BUFFER = 4096;
const LARGE_BUFFER = 128 * 1024;

/** Reads what has arrived, as many messages at a time as there are. */
export class MessageReader {
  readonly #source: ByteSource;
  readonly #splitter: FrameSplitter;
  #buffer = new Uint8Array(SMALL_BUFFER);
  #cut = false;

  /** `maxLength` is the longest message accepted, in bytes. */
  constructor(source: ByteSource, options: { maxLength: number }) {
    this.#source = source;
    this.#splitter = new FrameSplitter(options.maxLength);
  }

  /** Whether a message has begun and is not complete. */
  get inMessage(): boolean {
    return this.#splitter.pendingBytes > 0;
  }

  /**
   * The next messages, possibly none yet; `"end"` after the last one, `"cut"` when the stream ended inside a
   * message, `"too-long"` when one above the limit was announced.
   *
   * @throws what the connection throws
   */
  async read(): Promise<readonly Uint8Array[] | "end" | "cut" | "too-long"> {
    if (this.#cut) return "too-long";
    const count = await this.#source.read(this.#buffer);
    if (count === null) return this.inMessage ? "cut" : "end";
    const messages = this.#splitter.push(this.#buffer.subarray(0, count));
    // Busy connections read in large pieces, the many idle ones hold a small buffer.
    if (count === SMALL_BUFFER && this.#buffer.length === SMALL_BUFFER) {
      this.#buffer = new Uint8Array(LARGE_BUFFER);
    } else if (count < SMALL_BUFFER / 4 && this.#buffer.length > SMALL_BUFFER) {
      this.#buffer = new Uint8Array(SMALL_BUFFER);
    }
    return messages;
  }
}
