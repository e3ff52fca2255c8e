/** What the operator does about trust, and asks of it. */

import type { Trust } from "../../lib/core/trust.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { PendingRequest, TrustedPeer, TrustOutcome } from "./api.ts";
import type { NameMemory } from "./name_memory.ts";
import type { Registration } from "./registration.ts";
import type { NodeAccess } from "./node_access.ts";
import type { TrustSaver } from "./trust_saver.ts";
import type { TrustWaiters } from "./trust_waiters.ts";

/** How long a trust request may take to leave before the operator is told that it is under way, milliseconds. */
const REQUEST_LEAVES_MS = 2_000;

/** What the calls work on. */
export interface TrustCallsOptions {
  readonly access: NodeAccess;
  readonly registration: Pick<Registration, "expectMessages">;
  readonly saver: Pick<TrustSaver, "flush">;
  readonly waiters: TrustWaiters;
  readonly names: NameMemory;
}

/** The calls about trust, as `AgentApi` has them. Each returns when its consequences are saved. */
export class TrustCalls {
  readonly #options: TrustCallsOptions;

  constructor(options: TrustCallsOptions) {
    this.#options = options;
  }

  get #trust(): Trust {
    return this.#options.access.node.trust;
  }

  /** Asks `peer` for trust. @throws PilotError when the request cannot leave */
  async request(peer: number, justification: string): Promise<TrustOutcome> {
    const { access, registration, saver } = this.#options;
    const status = checked(() => access.act((node, now) => node.trust.request(peer, { justification, now })));
    registration.expectMessages();
    const left = status === "sent" ? this.#requestLeft(peer) : undefined;
    // Saved, too: an agent that has forgotten that it asked does not take the answer.
    await Promise.all([left, saver.flush()]);
    const mutual = this.#trust.isTrusted(peer);
    return { node_id: peer, status: status === "sent" && mutual ? "approved" : status, mutual };
  }

  /** Trusts `peer`, whether or not it has asked. */
  async approve(peer: number): Promise<{ readonly node_id: number; readonly was_pending: boolean }> {
    const { access, saver } = this.#options;
    const was_pending = access.act((node, now) => node.trust.approve(peer, now));
    await saver.flush();
    return { node_id: peer, was_pending };
  }

  /** Refuses the request of `peer`. */
  async reject(
    peer: number,
    reason: string,
  ): Promise<{ readonly node_id: number; readonly was_pending: boolean }> {
    const { access, saver } = this.#options;
    const was_pending = checked(() => access.act((node, now) => node.trust.reject(peer, reason, now)));
    await saver.flush();
    return { node_id: peer, was_pending };
  }

  /** Ends the trust in `peer`. @throws PilotError `not_found` when there was none */
  async revoke(peer: number): Promise<void> {
    const { access, saver } = this.#options;
    const trusted = access.act((node, now) => node.trust.revoke(peer, now));
    await saver.flush();
    if (!trusted) throw new PilotError("not_found", `node ${peer} was not trusted`);
  }

  /** The requests that wait for the operator. More may be on their way: the registry is asked for them. */
  pending(): PendingRequest[] {
    this.#options.registration.expectMessages();
    return this.#trust.pending().map((entry) => ({
      node_id: entry.node,
      public_key: encodeBase64(entry.publicKey ?? new Uint8Array(0)),
      justification: entry.justification,
      received_at: entry.receivedAt,
      ...this.#options.names.field(entry.node),
    }));
  }

  /** The peers that are trusted. */
  trusted(): TrustedPeer[] {
    return this.#trust.trusted().map((entry) => ({
      node_id: entry.node,
      public_key: encodeBase64(entry.publicKey ?? new Uint8Array(0)),
      approved_at: entry.approvedAt,
      mutual: entry.mutual,
      network: entry.network,
      ...this.#options.names.field(entry.node),
    }));
  }

  /** Resolves with whether `peer` is trusted, at the latest after `milliseconds`. */
  wait(peer: number, milliseconds: number): Promise<boolean> {
    const { registration, waiters } = this.#options;
    registration.expectMessages();
    return waiters.wait(peer, milliseconds);
  }

  /** Waits until the request is on its way, and throws when it cannot be. */
  async #requestLeft(peer: number): Promise<void> {
    const refusal = await this.#options.waiters.requestLeft(peer, REQUEST_LEAVES_MS);
    if (refusal === undefined || this.#trust.isTrusted(peer)) return;
    if (refusal.type === "error") {
      // One that still waits there is as good as one that has just been delivered.
      if (refusal.code === "already_pending" || refusal.code === "taken") return;
      throw new PilotError("connection_failed", `handshake relay: registry: ${refusal.error}`, {
        ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
      });
    }
  }
}

/** A value out of range is the user's. */
function checked<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    if (error instanceof RangeError) throw new PilotError("invalid_argument", error.message);
    throw error;
  }
}
