/** Polls that wait for a message. */

/** Polls parked per node; the longest waiting one is let go when another comes. */
const MAX_PER_NODE = 4;

/** Who waits for which node. */
export class Parking {
  readonly #waiting = new Map<number, Set<() => void>>();

  /**
   * Resolves when `wake` names the node, after `milliseconds`, when `signal` aborts, or when others crowd it out.
   * Never rejects.
   */
  wait(node: number, options: { milliseconds: number; signal: AbortSignal }): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(node) ?? new Set<() => void>();
    this.#waiting.set(node, waiting);
    const timer = setTimeout(() => done(), options.milliseconds);
    const done = () => {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", done);
      waiting.delete(done);
      if (waiting.size === 0 && this.#waiting.get(node) === waiting) this.#waiting.delete(node);
      resolve();
    };
    for (const oldest of waiting) {
      if (waiting.size < MAX_PER_NODE) break;
      oldest();
    }
    // The crowding out above may have emptied and removed the set.
    this.#waiting.set(node, waiting.add(done));
    if (options.signal.aborted) done();
    else options.signal.addEventListener("abort", done, { once: true });
    return promise;
  }

  /** Lets everybody go who waits for one of these nodes. */
  wake(nodes: readonly number[]): void {
    for (const node of nodes) {
      for (const done of [...(this.#waiting.get(node) ?? [])]) done();
    }
  }
}
