/** The one timer of a driver: it wakes the machine at its next deadline, and is set anew as rarely as possible. */

/** Longest sleep in milliseconds: timers of the runtime stop during suspend, so the clock is read this often. */
const MAX_SLEEP_MS = 2000;
/** Timers of the runtime know whole milliseconds; sleeps are rounded up to them. */
const STEP_MS = 1;

/** Calls back once the earliest deadline has come, or earlier. */
export class DriverTimer {
  readonly #clock: { now(): number };
  readonly #wake: () => void;
  #set: { readonly id: ReturnType<typeof setTimeout>; readonly due: number } | undefined;

  /** `clock` gives milliseconds, `wake` is called when it is time to look for what is due. */
  constructor(clock: { now(): number }, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** The next deadline, `undefined` for none. */
  set(due: number | undefined): void {
    if (due === undefined) return this.clear();
    // One that fires early, or late by less than the runtime can tell, costs less than another for every datagram.
    if (this.#set !== undefined && this.#set.due < due + STEP_MS) return;
    this.clear();
    const now = this.#clock.now();
    const sleep = Math.min(MAX_SLEEP_MS, Math.max(STEP_MS, Math.ceil(due - now)));
    const id = setTimeout(() => {
      this.#set = undefined;
      this.#wake();
    }, sleep);
    this.#set = { id, due: now + sleep };
  }

  /** Sleeps for good, until it is set again. */
  clear(): void {
    if (this.#set !== undefined) clearTimeout(this.#set.id);
    this.#set = undefined;
  }
}
