/**
 * Streams that are being dialled, by peer: what to give up when the peer turns out to be out of reach.
 */

/** Numbers of dialled streams that have not heard of their peer. */
export class Dials {
  readonly #peers = new Map<number, number>();

  note(id: number, peer: number): void {
    this.#peers.set(id, peer);
  }

  /** The stream has heard of its peer, or is over; the peer, if it was being dialled. */
  settle(id: number): number | undefined {
    const peer = this.#peers.get(id);
    this.#peers.delete(id);
    return peer;
  }

  /** Takes the streams that wait for `peer`, those for which `isMeant` holds. */
  take(peer: number, isMeant: (id: number) => boolean = () => true): number[] {
    const ids = [...this.#peers].filter(([id, node]) => node === peer && isMeant(id)).map(([id]) => id);
    for (const id of ids) this.#peers.delete(id);
    return ids;
  }
}
