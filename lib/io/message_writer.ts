/** Length-prefixed messages to a local socket: in order, few system calls, one copy, bounded memory. */

/** What the writer needs of a connection. */
export interface ByteSink {
  write(data: Uint8Array): Promise<number>;
}

/** Bytes of one system call at most: what a Unix socket takes at once where its buffer has the usual size. */
const BLOCK_SIZE = 256 * 1024;
/** Size of the block of a writer that has little to say, bytes. */
const SMALL_BLOCK = 4096;
/** Bytes in front of each message: its length. */
const PREFIX = 4;

/** Blocks that no writer uses at the moment, so that quiet connections hold none. */
const freeBlocks = new Map<number, Uint8Array<ArrayBuffer>[]>([[SMALL_BLOCK, []], [BLOCK_SIZE, []]]);
const MAX_FREE_BLOCKS = 8;
const NO_BLOCK = new Uint8Array(0);

interface Item {
  readonly parts: readonly Uint8Array[];
  /** Bytes of all parts. */
  readonly length: number;
  /** Called with `true` once all bytes were copied, with `false` when they will not be: the parts may be reused. */
  readonly taken: ((alive: boolean) => void) | undefined;
}

interface Waiter {
  readonly item: Item;
  readonly queued: (alive: boolean) => void;
}

/**
 * Writes messages in the order of the calls. Its own loop does the writing, so no caller waits for a slow reader
 * unless it wants to: that is the difference between `push`, `write`, `post` and `offer`.
 */
export class MessageWriter {
  readonly #sink: ByteSink;
  readonly #limit: number;
  readonly #onError: (error: unknown) => void;
  #items: Item[] = [];
  /** Position of the first item: what is before it has been written. */
  #first = 0;
  readonly #waiters: Waiter[] = [];
  readonly #idle: (() => void)[] = [];
  #block = NO_BLOCK;
  /** Where the first item goes on: a part and a byte of it. Part -1 is the prefix. */
  #part = -1;
  #offset = 0;
  #queuedBytes = 0;
  #running = false;
  #corked = false;
  #closed = false;
  #blockedSince: number | undefined;

  /** `limit` is the number of waiting bytes that counts as full; `onError` is called once when writing fails. */
  constructor(sink: ByteSink, options: { limit: number; onError: (error: unknown) => void }) {
    this.#sink = sink;
    this.#limit = options.limit;
    this.#onError = options.onError;
  }

  /** Bytes waiting, prefixes included. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether the queue has reached its limit. */
  get full(): boolean {
    return this.#queuedBytes >= this.#limit;
  }

  /** Milliseconds for which the reader has taken nothing although something waits for it; `now` of `performance.now()`. */
  blockedFor(now: number): number {
    return this.#blockedSince === undefined ? 0 : now - this.#blockedSince;
  }

  /**
   * Hands over a message whose parts the caller will not touch again. Resolves as soon as it is in the queue, that
   * is at once unless the queue is full; with `false` when the writer is closed.
   */
  push(...parts: Uint8Array[]): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    if (this.offer(...parts)) return Promise.resolve(true);
    return new Promise((queued) => this.#waiters.push({ item: itemOf(parts, undefined), queued }));
  }

  /**
   * As `push`, of parts that are lent: `taken` is called once they were copied, or never will be. At once `true` when
   * the queue had room.
   */
  lend(parts: readonly Uint8Array[], taken: () => void): true | Promise<boolean> {
    const item = itemOf(parts, taken);
    if (!this.#closed && !this.full && this.#waiters.length === 0) {
      this.#enqueue(item);
      return true;
    }
    if (!this.#closed) return new Promise((queued) => this.#waiters.push({ item, queued }));
    taken();
    return Promise.resolve(false);
  }

  /** Resolves once the parts were copied and may be reused; with `false` when the writer is closed. */
  write(...parts: Uint8Array[]): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((taken) => this.#enqueue(itemOf(parts, taken)));
  }

  /** Queues a message however full the queue is. For few and small ones. */
  post(...parts: Uint8Array[]): void {
    if (!this.#closed) this.#enqueue(itemOf(parts, undefined));
  }

  /** Queues a message that may be lost: `false` when the queue is full. */
  offer(...parts: Uint8Array[]): boolean {
    if (this.#closed || this.full || this.#waiters.length > 0) return false;
    this.post(...parts);
    return true;
  }

  /** Keeps what is queued from now on for one system call, until `uncork`. */
  cork(): void {
    this.#corked = true;
  }

  /** Begins to write what `cork` has kept. */
  uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    if (this.#items.length > 0) this.#start();
  }

  /** Resolves when nothing waits any more, or when the writer is closed. */
  flushed(): Promise<void> {
    if (this.#closed || (!this.#running && this.#items.length === 0)) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Forgets what waits. The caller closes the connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const item of this.#items.splice(0).slice(this.#first)) item.taken?.(false);
    this.#first = 0;
    for (const { item, queued } of this.#waiters.splice(0)) {
      item.taken?.(false);
      queued(false);
    }
    this.#queuedBytes = 0;
    this.#blockedSince = undefined;
    this.#wakeIdle();
  }

  #enqueue(item: Item): void {
    this.#items.push(item);
    this.#queuedBytes += PREFIX + item.length;
    if (!this.#corked) this.#start();
  }

  #start(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    this.#run().catch((error: unknown) => {
      if (!this.#closed) this.#onError(error);
    });
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const filled = this.#fill();
      if (filled === 0) break;
      this.#blockedSince = performance.now();
      for (let written = 0; written < filled && !this.#closed;) {
        const count = await this.#sink.write(this.#block.subarray(written, filled));
        written += count;
        if (written < filled) this.#blockedSince = performance.now();
      }
      this.#blockedSince = undefined;
      if (this.#closed) return;
      this.#queuedBytes -= filled;
      if (this.#waiters.length > 0) this.#admitWaiters();
    }
    this.#running = false;
    this.#exchangeBlock(0);
    this.#wakeIdle();
  }

  /** Gathers waiting bytes in the block; returns how many. */
  #fill(): number {
    if (this.#items.length === 0) return 0;
    const size = Math.min(this.#queuedBytes, BLOCK_SIZE);
    if (this.#block.length < size) this.#exchangeBlock(size <= SMALL_BLOCK ? SMALL_BLOCK : BLOCK_SIZE);
    let filled = 0;
    for (; this.#first < this.#items.length; this.#first++) {
      const item = this.#items[this.#first];
      if (item === undefined) continue;
      filled = this.#copy(item, filled);
      if (this.#part < item.parts.length) break;
      this.#part = -1;
      item.taken?.(true);
    }
    this.#dropWritten();
    return filled;
  }

  /** Gives the block back and takes another, for 0 bytes none. */
  #exchangeBlock(size: number): void {
    const free = freeBlocks.get(this.#block.length);
    if (free !== undefined && free.length < MAX_FREE_BLOCKS) free.push(this.#block);
    this.#block = size === 0 ? NO_BLOCK : freeBlocks.get(size)?.pop() ?? new Uint8Array(size);
  }

  /** Copies what fits of one item behind the `filled` bytes of the block; returns how many are filled then. */
  #copy(item: Item, filled: number): number {
    const block = this.#block;
    if (this.#part < 0) {
      if (block.length - filled < PREFIX) return filled;
      writeUint32(block, filled, item.length);
      filled += PREFIX;
      this.#part = 0;
    }
    for (; this.#part < item.parts.length; this.#part++) {
      const part = item.parts[this.#part];
      if (part === undefined) continue;
      const count = Math.min(part.length - this.#offset, block.length - filled);
      const isWhole = count === part.length;
      block.set(isWhole ? part : part.subarray(this.#offset, this.#offset + count), filled);
      filled += count;
      this.#offset += count;
      if (this.#offset < part.length) return filled;
      this.#offset = 0;
    }
    return filled;
  }

  /** Forgets written items, rarely enough that a long queue is not moved for each. */
  #dropWritten(): void {
    if (this.#first === this.#items.length) this.#items = [];
    else if (this.#first >= 256) this.#items = this.#items.slice(this.#first);
    else return;
    this.#first = 0;
  }

  #admitWaiters(): void {
    while (!this.full) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) return;
      this.#items.push(waiter.item);
      this.#queuedBytes += PREFIX + waiter.item.length;
      waiter.queued(true);
    }
  }

  #wakeIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function itemOf(parts: readonly Uint8Array[], taken: ((alive: boolean) => void) | undefined): Item {
  let length = 0;
  for (const part of parts) length += part.length;
  return { parts, length, taken };
}

function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}
