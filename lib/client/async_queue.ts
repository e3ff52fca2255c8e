/** A queue between the socket and whoever reads: ordered, with a sticky end and reads that can be given up. */

interface Reader<T> {
  readonly resolve: (item: T | null) => void;
  readonly reject: (error: Error) => void;
}

/** First in, first out; several reads may wait. Never loses an item to a read that was given up. */
export class AsyncQueue<T> {
  readonly #weigh: (item: T) => number;
  readonly #items: T[] = [];
  readonly #readers: Reader<T>[] = [];
  #weight = 0;
  #end: { readonly error: Error | undefined } | undefined;

  /** `weigh` gives the size of an item, by default 1. */
  constructor(weigh: (item: T) => number = () => 1) {
    this.#weigh = weigh;
  }

  /** Sum of the sizes of what nobody has read yet. */
  get weight(): number {
    return this.#weight;
  }

  /** Whether the end is known; what arrived before can still be read. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Adds an item; ignored after the end. */
  push(item: T): void {
    if (this.#end !== undefined) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader.resolve(item);
    this.#items.push(item);
    this.#weight += this.#weigh(item);
  }

  /** No more will come: reads give `null`, or fail with `error`, once the rest is read. The first call counts. */
  end(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    for (const reader of this.#readers.splice(0)) {
      if (error === undefined) reader.resolve(null);
      else reader.reject(error);
    }
  }

  /** Takes out everything that was not read. */
  clear(): T[] {
    this.#weight = 0;
    return this.#items.splice(0);
  }

  /** The next item if one is there, `null` at the end, `undefined` when more may come. @throws the error of the end */
  take(): T | null | undefined {
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#weight -= this.#weigh(item);
      return item;
    }
    if (this.#end?.error !== undefined) throw this.#end.error;
    return this.#end === undefined ? undefined : null;
  }

  /** The next item, `null` at the end. @throws the error of the end, or the signal's reason */
  next(signal?: AbortSignal): Promise<T | null> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const item = this.take();
      if (item !== undefined) return resolve(item);
      const settled = () => signal?.removeEventListener("abort", onAbort);
      const reader: Reader<T> = {
        resolve: (value) => {
          settled();
          resolve(value);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      const onAbort = () => {
        const index = this.#readers.indexOf(reader);
        if (index >= 0) this.#readers.splice(index, 1);
        reject(signal?.reason);
      };
      this.#readers.push(reader);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}
