/**
 * Memory for outgoing frames, cut from blocks: one large allocation for many datagrams.
 *
 * A block is not written to again before `reuse` says that nobody has a frame of it. Where that is never said, frames
 * belong to whoever has them, and a block is freed with the last of them.
 */

const BLOCK_SIZE = 65_536;
/** Blocks kept at most for the next frames: a batch of 64 datagrams of 16 KB, three of which fit a block. */
const MAX_KEPT = 24;

interface Block {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
}

/** Cuts frames from blocks. After `reserve`, `bytes` and `view` show the block that has the room. */
export class FrameSlab {
  #block = makeBlock(0);
  #end = 0;
  /** Full blocks, of the usual size, with frames that may be in use; then blocks without. */
  readonly #full: Block[] = [];
  readonly #free: Block[] = [];

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#block.bytes;
  }

  get view(): DataView {
    return this.#block.view;
  }

  /** Makes room for `size` bytes, which may hold anything; where they begin in `bytes`. */
  reserve(size: number): number {
    if (this.#end + size > this.#block.bytes.length) this.#exchange(size);
    const start = this.#end;
    this.#end += size;
    return start;
  }

  /** Nobody needs a frame made so far. */
  reuse(): void {
    this.#end = 0;
    for (const block of this.#full) if (this.#free.length < MAX_KEPT) this.#free.push(block);
    this.#full.length = 0;
  }

  #exchange(size: number): void {
    const isUsual = this.#block.bytes.length === BLOCK_SIZE;
    if (isUsual && this.#full.length < MAX_KEPT) this.#full.push(this.#block);
    const free = size <= BLOCK_SIZE ? this.#free.pop() : undefined;
    this.#block = free ?? makeBlock(Math.max(BLOCK_SIZE, size));
    this.#end = 0;
  }
}

function makeBlock(size: number): Block {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer) };
}
