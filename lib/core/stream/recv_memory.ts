/**
 * Memory for received bytes that wait for the application: pieces of larger blocks, which are written again once the
 * application has given all pieces of one back. Where it never does, pieces are its own to keep.
 */

/** Holds the longest payload that a datagram can carry (RFC 768), and dozens of common ones. */
const BLOCK_SIZE = 65_536;
/** Blocks kept at most for what is received next: 4 MB. */
const MAX_FREE = 64;
/** What waits in a stream gets memory of just its size up to so many bytes: a block more would be mostly empty. */
const BLOCK_WORTH = 4_096;

interface Block {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Who cuts pieces from it; `undefined` while it is free. */
  owner: ReceiveMemory | undefined;
  /** Bytes cut off, and how many of these were not given back. */
  end: number;
  live: number;
}

/** The blocks of one node. */
export class ReceivePool {
  readonly #free: Block[] = [];
  readonly #blocks = new WeakMap<ArrayBufferLike, Block>();

  /** An empty block. */
  take(owner: ReceiveMemory): Block {
    const block = this.#free.pop() ?? this.#make();
    block.owner = owner;
    return block;
  }

  /** Nobody needs these bytes any more, a piece or what is left of one. At most once for each byte. */
  giveBack(piece: Uint8Array): void {
    const block = this.#blocks.get(piece.buffer);
    if (block === undefined) return;
    block.live -= piece.length;
    if (block.live > 0) return;
    block.owner = undefined;
    block.end = 0;
    if (this.#free.length < MAX_FREE) this.#free.push(block);
  }

  #make(): Block {
    const bytes = new Uint8Array(BLOCK_SIZE);
    const block: Block = { bytes, owner: undefined, end: 0, live: 0 };
    this.#blocks.set(bytes.buffer, block);
    return block;
  }
}

/** The memory of one stream: what shares a block is read at about the same time. */
export class ReceiveMemory {
  readonly #pool: ReceivePool;
  #block: Block | undefined;

  constructor(pool: ReceivePool) {
    this.#pool = pool;
  }

  /** A copy of `payload`, of 1 to 65,536 bytes, for a stream in which `waiting` bytes wait already. */
  keep(payload: Uint8Array, waiting: number): Uint8Array {
    let block = this.#block;
    if (block?.owner !== this) {
      this.#block = block = undefined;
      if (waiting + payload.length < BLOCK_WORTH) return payload.slice();
    }
    if (block === undefined || block.end + payload.length > BLOCK_SIZE) {
      this.#block = block = this.#pool.take(this);
    }
    const start = block.end;
    block.end += payload.length;
    block.live += payload.length;
    block.bytes.set(payload, start);
    return block.bytes.subarray(start, block.end);
  }
}
