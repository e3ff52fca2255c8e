/**
 * Memory for outgoing frames, cut from blocks: one large allocation for many datagrams.
 *
 * A block is never written to again, so frames belong to whoever has them; it is freed with the last of them.
 */

const BLOCK_SIZE = 65_536;

/** Cuts frames from blocks. After `reserve`, `bytes` and `view` show the block that has the room. */
export class FrameSlab {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  #end = 0;

  /** Makes room for `size` bytes; where they begin in `bytes`. */
  reserve(size: number): number {
    if (this.#end + size > this.bytes.length) {
      this.bytes = new Uint8Array(Math.max(BLOCK_SIZE, size));
      this.view = new DataView(this.bytes.buffer);
      this.#end = 0;
    }
    const start = this.#end;
    this.#end += size;
    return start;
  }
}
