/** `setTimeout` with a time of its own, for what sets few timers; give it back with `using`. */
export class FakeTimers implements Disposable {
  /** Milliseconds of every sleep that was asked for. */
  readonly sleeps: number[] = [];
  now = 0;
  readonly #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  readonly #pending = new Map<number, { readonly at: number; readonly callback: () => void }>();

  constructor() {
    const setTimeout = (callback: () => void, ms: number): number => {
      this.sleeps.push(ms);
      this.#pending.set(this.sleeps.length, { at: this.now + ms, callback });
      return this.sleeps.length;
    };
    Object.assign(globalThis, { setTimeout, clearTimeout: (id: number) => this.#pending.delete(id) });
  }

  /** Timers that will fire. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Lets so many milliseconds pass, timer by timer. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = [...this.#pending].sort(([, a], [, b]) => a.at - b.at)[0];
      if (next === undefined || next[1].at > end) break;
      this.#pending.delete(next[0]);
      this.now = next[1].at;
      next[1].callback();
    }
    this.now = end;
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#real);
  }
}
