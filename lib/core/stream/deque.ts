/**
 * A queue in a ring: both ends in O(1), however long it is.
 */

const SMALLEST = 16;

/** First in, first out. Memory follows the length, also down. */
export class Deque<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Item | undefined {
    return this.#length === 0 ? undefined : this.#items[this.#head];
  }

  get last(): Item | undefined {
    return this.#length === 0 ? undefined : this.#items[(this.#head + this.#length - 1) & this.#mask];
  }

  push(item: Item): void {
    if (this.#length === this.#items.length) this.#resize(Math.max(SMALLEST, 2 * this.#length));
    this.#items[(this.#head + this.#length++) & this.#mask] = item;
  }

  shift(): Item | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    if (this.#length === 0 && this.#items.length > SMALLEST) this.clear();
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = this.#length = 0;
  }

  get #mask(): number {
    return this.#items.length - 1;
  }

  #resize(capacity: number): void {
    const items = new Array<Item | undefined>(capacity).fill(undefined);
    for (let i = 0; i < this.#length; i++) items[i] = this.#items[(this.#head + i) & this.#mask];
    this.#items = items;
    this.#head = 0;
  }
}
