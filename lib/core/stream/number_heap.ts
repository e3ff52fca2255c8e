/**
 * A binary min-heap of numbers.
 */

/** Push and pop in O(log n), the least in O(1). Numbers may repeat. */
export class NumberHeap {
  readonly #heap: number[] = [];

  /** The least number, `undefined` when empty. */
  get first(): number | undefined {
    return this.#heap[0];
  }

  push(value: number): void {
    const heap = this.#heap;
    let index = heap.push(value) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] ?? value;
      if (above <= value) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = value;
  }

  pop(): number | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      let least = heap[child] ?? last;
      const right = heap[child + 1] ?? Infinity;
      if (right < least) {
        least = right;
        child++;
      }
      if (least >= last) break;
      heap[index] = least;
      index = child;
    }
    heap[index] = last;
    return first;
  }

  clear(): void {
    this.#heap.length = 0;
  }
}
