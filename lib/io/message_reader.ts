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

/** Buffers that are watched for all of their messages to come back: what a stream's credit fills, and more. */
const MAX_LENT = 8;

interface Buffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Messages that were handed out and did not come back. */
  lent: number;
}

/**
 * Reads what has arrived, as many messages at a time as there are. Messages are the caller's to keep; those that it
 * gives back make room for others, so that a busy connection needs no new memory.
 */
export class MessageReader {
  readonly #source: ByteSource;
  readonly #maxLength: number;
  /** Filled from front to end, and again only when all messages in it were given back: they are views of it. */
  #buffer = makeBuffer(SMALLEST_BUFFER);
  /** Full buffers of the largest size with messages that were not all given back. */
  readonly #lent: Buffer[] = [];
  /** Those whose messages were. */
  readonly #free: Buffer[] = [];
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

  /** Nobody will look any more at `message`, which `read` returned, or at a view of it; once for each message. */
  giveBack(message: Uint8Array): void {
    const { buffer } = message;
    if (buffer === this.#buffer.bytes.buffer) {
      this.#buffer.lent--;
      return;
    }
    const index = this.#lent.findIndex(({ bytes }) => bytes.buffer === buffer);
    const lent = this.#lent[index];
    if (lent === undefined || --lent.lent > 0) return;
    this.#lent.splice(index, 1);
    if (this.#size === LARGEST_BUFFER) this.#free.push(lent);
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
    const { bytes } = this.#buffer;
    const room = bytes.length - this.#end;
    const count = await this.#source.read(this.#end === 0 ? bytes : bytes.subarray(this.#end));
    if (count === null) return this.inMessage ? "cut" : "end";
    this.#end += count;
    if (count === room) this.#size = Math.min(LARGEST_BUFFER, 8 * this.#size);
    else if (count < this.#size / 8) this.#size = Math.max(SMALLEST_BUFFER, this.#size / 2);
    const messages = this.#split();
    return this.#failed && messages.length === 0 ? "too-long" : messages;
  }

  #split(): Uint8Array[] {
    const messages: Uint8Array[] = [];
    const { bytes } = this.#buffer;
    while (this.#end - this.#start >= PREFIX) {
      const length = readUint32(bytes, this.#start);
      if (length > this.#maxLength) {
        this.#failed = true;
        break;
      }
      const next = this.#start + PREFIX + length;
      if (next > this.#end) break;
      messages.push(bytes.subarray(this.#start + PREFIX, next));
      this.#start = next;
    }
    this.#buffer.lent += messages.length;
    return messages;
  }

  /**
   * Takes a new buffer where the present one has too little room, or too much for a connection that has gone quiet.
   * Lengths that are only announced allocate nothing: a buffer is at most twice what arrived, or of the usual size.
   */
  #makeRoom(): void {
    const { bytes } = this.#buffer;
    const pending = this.#end - this.#start;
    const room = bytes.length - this.#end;
    let size = this.#size;
    if (pending === 0) {
      if (bytes.length <= 2 * size) {
        if (this.#buffer.lent === 0) this.#start = this.#end = 0;
        if (bytes.length - this.#end >= size / 4) return;
      }
    } else if (pending >= PREFIX) {
      const length = PREFIX + readUint32(bytes, this.#start);
      if (room >= length - pending) return;
      if (length > size) size = Math.max(size, 2 * pending);
    } else if (room >= PREFIX) return;
    this.#exchange(size);
    this.#buffer.bytes.set(bytes.subarray(this.#start, this.#end));
    this.#start = 0;
    this.#end = pending;
  }

  /** Takes a buffer of `size` bytes, the present one again where nobody has a message of it. */
  #exchange(size: number): void {
    if (this.#size < LARGEST_BUFFER) this.#free.length = 0;
    const old = this.#buffer;
    if (old.lent === 0 && old.bytes.length === size) return;
    this.#buffer = (size === LARGEST_BUFFER ? this.#free.pop() : undefined) ?? makeBuffer(size);
    if (size !== LARGEST_BUFFER || old.bytes.length !== LARGEST_BUFFER) return;
    if (this.#lent.length === MAX_LENT) this.#lent.shift();
    this.#lent.push(old);
  }
}

function makeBuffer(size: number): Buffer {
  return { bytes: new Uint8Array(size), lent: 0 };
}

function readUint32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
