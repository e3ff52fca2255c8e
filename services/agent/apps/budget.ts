/**
 * How much of a resource peers hold, bounded for each of them and for all together. Counts what is really held, so
 * an announced length costs nothing.
 */

/** Upper bounds, in whatever unit is counted. */
export interface BudgetLimits {
  readonly perPeer: number;
  readonly total: number;
}

/** A shared resource, divided among peers by node number. */
export class Budget {
  readonly #limits: BudgetLimits;
  readonly #held = new Map<number, number>();
  #total = 0;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  /** Takes `amount` for `peer`, all or nothing; false when a bound would be exceeded. */
  take(peer: number, amount: number): boolean {
    const held = (this.#held.get(peer) ?? 0) + amount;
    if (held > this.#limits.perPeer || this.#total + amount > this.#limits.total) return false;
    if (held > 0) this.#held.set(peer, held);
    this.#total += amount;
    return true;
  }

  /** Gives back what was taken. @throws RangeError when more is given back than taken */
  give(peer: number, amount: number): void {
    const left = (this.#held.get(peer) ?? 0) - amount;
    if (left < 0) throw new RangeError("more given back than taken");
    if (left === 0) this.#held.delete(peer);
    else this.#held.set(peer, left);
    this.#total -= amount;
  }

  /** What all peers hold together. */
  get total(): number {
    return this.#total;
  }
}

/** What one stream holds of a budget. */
export class MemoryHold {
  readonly #budget: Budget;
  readonly #peer: number;
  #size = 0;

  constructor(budget: Budget, peer: number) {
    this.#budget = budget;
    this.#peer = peer;
  }

  /** What is held now. */
  get size(): number {
    return this.#size;
  }

  /** Holds `size` from now on; false, and no change, when the budget does not allow it. */
  resize(size: number): boolean {
    if (size > this.#size && !this.#budget.take(this.#peer, size - this.#size)) return false;
    if (size < this.#size) this.#budget.give(this.#peer, this.#size - size);
    this.#size = size;
    return true;
  }
}
