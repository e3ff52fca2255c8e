/**
 * The events of a simulated world, in order of time; events of the same instant in order of scheduling.
 */

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A binary heap of things to do. */
export class EventQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Time of the next event, `undefined` when there is none. */
  nextAt(): number | undefined {
    return this.#heap[0]?.at;
  }

  push(at: number, run: () => void): void {
    const entry = { at, order: this.#order++, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const up = (index - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !before(entry, parent)) break;
      heap[index] = parent;
      index = up;
    }
    heap[index] = entry;
  }

  pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      if (left === undefined) break;
      const useRight = right !== undefined && before(right, left);
      const child = useRight ? right : left;
      if (!before(child, last)) break;
      heap[index] = child;
      index = 2 * index + (useRight ? 2 : 1);
    }
    heap[index] = last;
    return first;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
