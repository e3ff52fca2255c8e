/**
 * Calls that wait for something to happen to trust.
 */

import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";

type Outcome = RegistryReply | undefined;

/** Waits for trust to come about, and for requests to leave. */
export class TrustWaiters {
  readonly #isTrusted: (peer: number) => boolean;
  readonly #trust = new Map<() => void, number>();
  readonly #requests = new Map<number, PromiseWithResolvers<Outcome>>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(isTrusted: (peer: number) => boolean) {
    this.#isTrusted = isTrusted;
  }

  /** Resolves with whether `peer` is trusted: as soon as it is, or after `milliseconds`. */
  async wait(peer: number, milliseconds: number): Promise<boolean> {
    if (this.#isTrusted(peer)) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#trust.set(resolve, peer);
    await this.#within(promise, milliseconds);
    this.#trust.delete(resolve);
    return this.#isTrusted(peer);
  }

  /** Trust has changed somewhere. */
  check(): void {
    for (const [wake, peer] of this.#trust) if (this.#isTrusted(peer)) wake();
  }

  /** The registry's answer to the relayed request to `peer`, `undefined` when none came in time. */
  async requestLeft(peer: number, milliseconds: number): Promise<Outcome> {
    const waiter = this.#requests.get(peer) ?? Promise.withResolvers<Outcome>();
    this.#requests.set(peer, waiter);
    await this.#within(waiter.promise, milliseconds);
    this.#requests.delete(peer);
    waiter.resolve(undefined);
    return await waiter.promise;
  }

  /** A request of the node has been answered, or could not be asked. */
  noteReply(request: RegistryRequest, reply: Outcome): void {
    if (request.type === "request_handshake") this.#requests.get(request.to_node_id)?.resolve(reply);
  }

  /** Ends all waiting. */
  close(): void {
    for (const wake of this.#trust.keys()) wake();
    for (const waiter of this.#requests.values()) waiter.resolve(undefined);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #within(promise: Promise<unknown>, milliseconds: number): Promise<void> {
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, milliseconds);
    this.#timers.add(timer);
    await Promise.race([promise, patience.promise]);
    clearTimeout(timer);
    this.#timers.delete(timer);
  }
}
