/** Replies of one socket in the order of its requests, whatever order the work ends in. */

/** What becomes of a request: maybe a reply, maybe something to do once the reply is on its way. */
export interface Outcome {
  readonly reply?: Uint8Array | undefined;
  readonly after?: (() => void | Promise<void>) | undefined;
}

/** Outcomes wait here until everything requested before them is answered. */
export class ReplyQueue {
  readonly #emit: (reply: Uint8Array) => Promise<unknown>;
  #tail: Promise<void> = Promise.resolve();
  #calls: Promise<void> = Promise.resolve();
  #waiting = 0;
  #onSettled: (() => void) | undefined;

  /** `emit` sends a reply; the next one waits for it. */
  constructor(emit: (reply: Uint8Array) => Promise<unknown>) {
    this.#emit = emit;
  }

  /** Requests without an answer. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Work that has already begun: a Send, a Close. Must not reject. */
  add(work: Promise<Outcome>): void {
    this.#waiting++;
    this.#tail = this.#settle(this.#tail, work);
  }

  /** Work that begins once everything before it is answered: it may depend on it. */
  addCall(work: () => Promise<Outcome>): void {
    this.add(this.#tail.then(work));
    this.#calls = this.#tail;
  }

  /** Work that begins once all calls before it are answered, but does not wait for Sends or for its like: a Dial. */
  addAfterCalls(work: () => Promise<Outcome>): void {
    this.add(this.#calls.then(work));
  }

  /** Work that has already begun and is answered as soon as it is done. Must not reject. */
  addUnordered(work: Promise<Outcome>): void {
    void this.#answer(work);
  }

  /** Resolves when everything so far is answered in its turn. */
  idle(): Promise<void> {
    return this.#tail;
  }

  /** Resolves at the next answer. */
  progress(): Promise<void> {
    return new Promise((resolve) => {
      const earlier = this.#onSettled;
      this.#onSettled = () => {
        earlier?.();
        resolve();
      };
    });
  }

  /** Ends a wait for progress. */
  wake(): void {
    const settled = this.#onSettled;
    this.#onSettled = undefined;
    settled?.();
  }

  async #settle(before: Promise<void>, work: Promise<Outcome>): Promise<void> {
    await before;
    await this.#answer(work);
    this.#waiting--;
    this.wake();
  }

  async #answer(work: Promise<Outcome>): Promise<void> {
    const outcome = await work;
    if (outcome.reply !== undefined) await this.#emit(outcome.reply);
    await outcome.after?.();
    this.wake();
  }
}
