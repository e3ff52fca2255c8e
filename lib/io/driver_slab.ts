/** Memory for received datagrams: pieces of larger blocks, because an allocation for each costs more than its copy. */

/** Bytes of a block for datagrams up to {@linkcode SMALL}. One that is kept keeps its whole block. */
const SMALL_BLOCK = 4096;
const SMALL = 256;
/** Bytes of a block for longer ones, up to {@linkcode LARGE}. */
const LARGE_BLOCK = 65_536;
const LARGE = 16_384;

/** Gives every datagram bytes of its own. A piece is never used again: the collector frees blocks. */
export class Slab {
  readonly #small = new Block(SMALL_BLOCK);
  readonly #large = new Block(LARGE_BLOCK);

  /** A copy that nobody else will write to. */
  keep(bytes: Uint8Array): Uint8Array {
    if (bytes.length <= SMALL) return this.#small.keep(bytes);
    return bytes.length <= LARGE ? this.#large.keep(bytes) : bytes.slice();
  }
}

class Block {
  readonly #size: number;
  #bytes = new Uint8Array(0);
  #used = 0;

  constructor(size: number) {
    this.#size = size;
  }

  keep(bytes: Uint8Array): Uint8Array {
    const start = this.#used;
    const end = start + bytes.length;
    if (end > this.#bytes.length) {
      this.#bytes = new Uint8Array(this.#size);
      this.#used = 0;
      return this.keep(bytes);
    }
    // Word boundaries, for the ciphers that want them.
    this.#used = (end + 7) & ~7;
    this.#bytes.set(bytes, start);
    return this.#bytes.subarray(start, end);
  }
}
