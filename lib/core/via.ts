/**
 * Numbers for the extra sockets of a node (`Transmit.via`), so that its parts do not use each other's.
 */

/** Gives out numbers of extra sockets, and keeps those that are to be closed. */
export class ViaNumbers {
  readonly #taken = new Set<number>();
  readonly #closing: number[] = [];
  #next = 1;

  /** A number that no other socket of the node has had: its first use opens a socket on a port of its own. */
  take(): number {
    const via = this.#next++;
    this.#taken.add(via);
    return via;
  }

  /** Gives a number back. Its socket is closed, and what still comes to it is lost. Doing so again changes nothing. */
  give(via: number): void {
    if (this.#taken.delete(via)) this.#closing.push(via);
  }

  /** How many numbers are in use. */
  get size(): number {
    return this.#taken.size;
  }

  /** The number of a socket to close, `undefined` when there is none: `Machine.pollClose`. */
  pollClose(): number | undefined {
    return this.#closing.shift();
  }
}
