/**
 * Who trusts whom, as far as a registry can tell.
 *
 * Each direction of a pair has a state of its own, which only the node it starts from can change:
 *
 * ```text
 *            ask                 assert (or the peer asserts while we ask)
 *   (none) ------> asked ------------------------------------------> asserted
 *      \______________________________ assert _______________________/
 *   any state -- revoke --> revoked -- ask --> asked, assert --> asserted
 * ```
 *
 * A pair is trusted when both directions are asserted. That is the case when both nodes said so, or when one of them
 * answered what the other had really asked. After a revocation nothing the peer says brings the pair back.
 */

import type { Policy } from "./policy.ts";
import type { Store, TrustRecord, TrustState } from "./store.ts";

/** The relations of all nodes. Signatures are checked by the caller. */
export class Relations {
  readonly #store: Store;
  readonly #policy: Policy;

  constructor(store: Store, policy: Policy) {
    this.#store = store;
    this.#policy = policy;
  }

  /** Whether the pair may know each other's endpoints. */
  trusts(a: number, b: number): boolean {
    const there = this.#store.trust(a, b)?.state;
    const back = this.#store.trust(b, a)?.state;
    if (!this.#policy.legacyTrust) return there === "asserted" && back === "asserted";
    if (there === "revoked" || back === "revoked") return false;
    return there === "asserted" || back === "asserted";
  }

  /** Whether `node` asked `peer` through the relay not too long ago, or trusts it already. */
  awaits(node: number, peer: number, now: number): boolean {
    const record = this.#store.trust(node, peer);
    return record?.state === "asserted" || this.#isFreshAsk(record, now);
  }

  /** Remembers that `node` asked `peer`. False when the node has too many relations. */
  ask(node: number, peer: number, now: number): boolean {
    if (this.#store.trust(node, peer)?.state === "asserted") return true;
    return this.#set(node, peer, { state: "asked", now });
  }

  /** `node` trusts `peer`; completes the pair when the peer had asked. False when the node has too many relations. */
  assert(node: number, peer: number, now: number): boolean {
    if (!this.#set(node, peer, { state: "asserted", now })) return false;
    const back = this.#store.trust(peer, node);
    if (this.#isFreshAsk(back, now)) this.#set(peer, node, { state: "asserted", now });
    return true;
  }

  /** `node` takes its trust in `peer`, or its request, back. False when there is neither, nor trust of the peer. */
  revoke(node: number, peer: number, now: number): boolean {
    const own = this.#store.trust(node, peer)?.state;
    const back = this.#store.trust(peer, node)?.state;
    if (own !== "asserted" && own !== "asked" && (own === "revoked" || back !== "asserted")) return false;
    this.#store.putTrust({ node, peer, state: "revoked", at: now });
    return true;
  }

  #isFreshAsk(record: TrustRecord | undefined, now: number): boolean {
    return record?.state === "asked" && now - record.at <= this.#policy.askLifetimeMs;
  }

  #set(node: number, peer: number, change: { state: TrustState; now: number }): boolean {
    const old = this.#store.trust(node, peer);
    if (old?.state === change.state && change.state !== "asked") return true;
    if (old === undefined && this.#store.countTrust(node) >= this.#policy.maxRelations) return false;
    this.#store.putTrust({ node, peer, state: change.state, at: change.now });
    return true;
  }
}
