/** Length-prefixed messages from a local socket, as views of what was read: nothing is copied but what a read cuts. */

/** What the reader needs of a connection. */
export interface ByteSource {
  read(buffer: Uint8Array): Promise<number | null>;
}

/** Bytes in front of each message: its length. */
const PREFIX = 4;
/** Buffer of a connection that says little: the many idle ones hold no more. */
const SMALLEST_BUFFER = 2048;
/** Buffer of a busy connection: more than the kernel keeps for a Unix socket. */
const LARGEST_BUFFER = 256 * 1024;

/** Reads what has arrived, as many messages at a time as there are. */
export class MessageReader {
  readonly #source: ByteSource;
  readonly #maxLength: number;
  /** Filled once from front to end, never written twice: messages are views of it. */
  #buffer = new Uint8Array(SMALLEST_BUFFER);
  /** Where the first message that is not complete begins, and where the next read goes. */
  #start = 0;
  #end = 0;
  /** Size of the next buffer: what one read is expected to bring. */
  #size = SMALLEST_BUFFER;
  #failed = false;

  /** `maxLength` is the longest message accepted, in bytes. */
  constructor(source: ByteSource, options: { maxLength: number }) {
    this.#source = source;
    this.#maxLength = options.maxLength;
  }

  /** Whether a message has begun and is not complete. */
  get inMessage(): boolean {
    return this.#end > this.#start;
  }

  /**
   * The next messages, possibly none yet, which are the caller's to keep; `"end"` after the last one, `"cut"` when the
   * stream ended inside a message, `"too-long"` when one above the limit was announced.
   *
   * @throws what the connection throws
   */
  async read(): Promise<readonly Uint8Array[] | "end" | "cut" | "too-long"> {
    if (this.#failed) return "too-long";
    this.#makeRoom();
    const room = this.#buffer.length - this.#end;
    const count = await this.#source.read(this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end));
    if (count === null) return this.inMessage ? "cut" : "end";
    this.#end += count;
    if (count === room) this.#size = Math.min(LARGEST_BUFFER, 8 * this.#size);
    else if (count < this.#size / 8) this.#size = Math.max(SMALLEST_BUFFER, this.#size / 2);
    const messages = this.#split();
    return this.#failed && messages.length === 0 ? "too-long" : messages;
  }

  #split(): Uint8Array[] {
    const messages: Uint8Array[] = [];
    const buffer = this.#buffer;
    while (this.#end - this.#start >= PREFIX) {
      const length = readUint32(buffer, this.#start);
      if (length > this.#maxLength) {
        this.#failed = true;
        break;
      }
      const next = this.#start + PREFIX + length;
      if (next > this.#end) break;
      messages.push(buffer.subarray(this.#start + PREFIX, next));
      this.#start = next;
    }
    return messages;
  }

  /**
   * Takes a new buffer where the present one has too little room, or too much for a connection that has gone quiet.
   * Lengths that are only announced allocate nothing: a buffer is at most twice what arrived, or of the usual size.
   */
  #makeRoom(): void {
    const pending = this.#end - this.#start;
    const room = this.#buffer.length - this.#end;
    if (pending === 0) {
      if (room >= this.#size / 4 && this.#buffer.length <= 2 * this.#size) return;
    } else if (pending >= PREFIX) {
      const missing = PREFIX + readUint32(this.#buffer, this.#start) - pending;
      if (room >= missing) return;
    } else if (room >= PREFIX) return;
    const old = this.#buffer;
    this.#buffer = new Uint8Array(Math.max(this.#size, 2 * pending));
    this.#buffer.set(old.subarray(this.#start, this.#end));
    this.#start = 0;
    this.#end = pending;
  }
}

function readUint32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
