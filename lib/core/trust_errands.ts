/**
 * Errands at the registry: asked once, repeated with growing distance while they fail, cancelled when overtaken.
 *
 * Registry errors tell nothing apart, and a peer that is offline at the moment makes most of them fail, so every
 * failure is treated as passing.
 */

import type { RegistryRequest } from "../wire/registry.ts";
import type { Instant } from "./machine.ts";
import { Timers } from "./timers.ts";
import { ERRAND_REPLY_MS } from "./trust_constants.ts";
import type { TrustAction } from "./trust_types.ts";

/** What is asked: a signed statement, or the key of a peer. */
export type Errand = { readonly type: "registry"; readonly request: RegistryRequest } | {
  readonly type: "lookup";
};

interface Task {
  readonly peer: number;
  readonly tag: string;
  readonly errand: Errand;
  readonly retries: readonly number[];
  failures: number;
  state: "asked" | "resting";
}

/** All errands under way, at most one per kind and peer. */
export class Errands {
  readonly #emit: (action: TrustAction) => void;
  readonly #tasks = new Map<string, Task>();
  readonly #timers = new Timers<string>();
  #serial = 0;

  constructor(emit: (action: TrustAction) => void) {
    this.#emit = emit;
  }

  /** Starts an errand; one of the same kind for the same peer is replaced. `retries`: waits before repetitions, ms. */
  start(
    peer: number,
    errand: Errand,
    options: { readonly now: Instant; readonly retries: readonly number[] },
  ): void {
    const slot = slotOf(errand, peer);
    const tag = `${slot}/${++this.#serial}`;
    this.#tasks.set(slot, { peer, tag, errand, retries: options.retries, failures: 0, state: "resting" });
    this.#ask(slot, options.now);
  }

  /** Stops all errands about `peer`; late replies to them are ignored. */
  cancel(peer: number): void {
    for (const [slot, task] of [...this.#tasks]) if (task.peer === peer) this.#end(slot);
  }

  /** A reply to `tag` came. The request that it completed, `undefined` when it failed or nobody waits for it. */
  reply(tag: string, options: { readonly ok: boolean; readonly now: Instant }): RegistryRequest | undefined {
    const slot = tag.slice(0, tag.lastIndexOf("/"));
    const task = this.#tasks.get(slot);
    if (task === undefined || task.tag !== tag) return undefined;
    if (!options.ok) {
      this.#fail(slot, options.now);
      return undefined;
    }
    this.#end(slot);
    return task.errand.type === "registry" ? task.errand.request : undefined;
  }

  /** The lookup of `peer` ended. */
  lookedUp(peer: number, options: { readonly ok: boolean; readonly now: Instant }): void {
    const slot = slotOf({ type: "lookup" }, peer);
    if (!this.#tasks.has(slot)) return;
    if (options.ok) this.#end(slot);
    else this.#fail(slot, options.now);
  }

  handleTimeout(now: Instant): void {
    for (let slot = this.#timers.popDue(now); slot !== undefined; slot = this.#timers.popDue(now)) {
      if (this.#tasks.get(slot)?.state === "asked") this.#fail(slot, now);
      else this.#ask(slot, now);
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#timers.next();
  }

  #ask(slot: string, now: Instant): void {
    const task = this.#tasks.get(slot);
    if (task === undefined) return;
    task.state = "asked";
    this.#timers.set(slot, now + ERRAND_REPLY_MS);
    if (task.errand.type === "lookup") this.#emit({ type: "lookup", peer: task.peer });
    else this.#emit({ type: "registry", request: task.errand.request, tag: task.tag });
  }

  #fail(slot: string, now: Instant): void {
    const task = this.#tasks.get(slot);
    const wait = task?.retries[task.failures];
    if (task === undefined || wait === undefined) return this.#end(slot);
    task.failures++;
    task.state = "resting";
    this.#timers.set(slot, now + wait);
  }

  #end(slot: string): void {
    this.#tasks.delete(slot);
    this.#timers.set(slot, undefined);
  }
}

function slotOf(errand: Errand, peer: number): string {
  return errand.type === "lookup" ? `lookup:${peer}` : `${errand.request.type}:${peer}`;
}
