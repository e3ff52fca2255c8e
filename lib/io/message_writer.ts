/** Length-prefixed messages to a local socket: in order, few system calls, one copy, bounded memory. */

/** What the writer needs of a connection. */
export interface ByteSink {
  write(data: Uint8Array): Promise<number>;
}

/** Bytes of one system call at most. */
const BLOCK_SIZE = 128 * 1024;

/** Blocks that no writer uses at the moment, so that quiet connections hold none. */
const freeBlocks: Uint8Array<ArrayBuffer>[] = [];
const MAX_FREE_BLOCKS = 8;

interface Item {
  readonly parts: readonly Uint8Array[];
  /** Called once all bytes were copied: the parts may be reused. */
  readonly taken: ((alive: boolean) => void) | undefined;
}

interface Waiter {
  readonly item: Item;
  readonly size: number;
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
  readonly #items: Item[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #idle: (() => void)[] = [];
  #block = new Uint8Array(0);
  #part = 0;
  #offset = 0;
  #queuedBytes = 0;
  #running = false;
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
    const { item, size } = framed(parts, undefined);
    if (!this.full && this.#waiters.length === 0) {
      this.#enqueue(item, size);
      return Promise.resolve(true);
    }
    return new Promise((queued) => this.#waiters.push({ item, size, queued }));
  }

  /** Resolves once the parts were copied and may be reused; with `false` when the writer is closed. */
  write(...parts: Uint8Array[]): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((taken) => {
      const { item, size } = framed(parts, taken);
      this.#enqueue(item, size);
    });
  }

  /** Queues a message however full the queue is. For few and small ones. */
  post(...parts: Uint8Array[]): void {
    if (this.#closed) return;
    const { item, size } = framed(parts, undefined);
    this.#enqueue(item, size);
  }

  /** Queues a message that may be lost: `false` when the queue is full. */
  offer(...parts: Uint8Array[]): boolean {
    if (this.#closed || this.full || this.#waiters.length > 0) return false;
    this.post(...parts);
    return true;
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
    for (const item of this.#items.splice(0)) item.taken?.(false);
    for (const waiter of this.#waiters.splice(0)) waiter.queued(false);
    this.#queuedBytes = 0;
    this.#blockedSince = undefined;
    this.#wakeIdle();
  }

  #enqueue(item: Item, size: number): void {
    this.#items.push(item);
    this.#queuedBytes += size;
    if (!this.#running) {
      this.#running = true;
      this.#run().catch((error: unknown) => {
        if (!this.#closed) this.#onError(error);
      });
    }
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const filled = this.#fill();
      if (filled === 0) break;
      for (let written = 0; written < filled && !this.#closed;) {
        this.#blockedSince = performance.now();
        written += await this.#sink.write(this.#block.subarray(written, filled));
      }
      this.#blockedSince = undefined;
      if (this.#closed) return;
      this.#queuedBytes -= filled;
      this.#admitWaiters();
    }
    this.#running = false;
    if (this.#block.length === BLOCK_SIZE && freeBlocks.length < MAX_FREE_BLOCKS) {
      freeBlocks.push(this.#block);
    }
    this.#block = new Uint8Array(0);
    this.#wakeIdle();
  }

  /** Copies waiting bytes into the block; returns how many. */
  #fill(): number {
    if (this.#items.length === 0) return 0;
    const size = Math.min(this.#queuedBytes, BLOCK_SIZE);
    if (this.#block.length < size) {
      this.#block = size <= 4096 ? new Uint8Array(4096) : freeBlocks.pop() ?? new Uint8Array(BLOCK_SIZE);
    }
    let filled = 0;
    let done = 0;
    while (done < this.#items.length) {
      const item = this.#items[done];
      const part = item?.parts[this.#part];
      if (part === undefined) {
        item?.taken?.(true);
        this.#part = 0;
        done++;
        continue;
      }
      const room = this.#block.length - filled;
      if (room === 0) break;
      const piece = part.subarray(this.#offset, this.#offset + room);
      this.#block.set(piece, filled);
      filled += piece.length;
      this.#offset += piece.length;
      if (this.#offset === part.length) {
        this.#offset = 0;
        this.#part++;
      }
    }
    this.#items.splice(0, done);
    return filled;
  }

  #admitWaiters(): void {
    while (!this.full) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) return;
      this.#items.push(waiter.item);
      this.#queuedBytes += waiter.size;
      waiter.queued(true);
    }
  }

  #wakeIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function framed(
  parts: readonly Uint8Array[],
  taken: ((alive: boolean) => void) | undefined,
): { item: Item; size: number } {
  let length = 0;
  for (const part of parts) length += part.length;
  const prefix = new Uint8Array(4);
  new DataView(prefix.buffer).setUint32(0, length);
  return { item: { parts: [prefix, ...parts], taken }, size: length + 4 };
}
