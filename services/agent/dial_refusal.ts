/** Why a peer is not dialled, or was dialled in vain, in words for the user. */

import type { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import { BROADCAST_NODE } from "../../lib/wire/address.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { Registration } from "./registration.ts";

/**
 * Whether there is any point in sending to `peer`.
 *
 * @throws PilotError `invalid_argument`, `unavailable`, `connection_failed` before registration, `not_trusted`
 */
export function checkPeer(node: Node, registration: Pick<Registration, "state">, peer: number): void {
  if (peer === node.node && peer !== 0) {
    throw new PilotError("invalid_argument", "that is this agent itself", {
      hint: "local programs reach its ports without the network",
    });
  }
  if (peer === BROADCAST_NODE) throw new PilotError("unavailable", "broadcast is not available");
  if (node.node === 0) {
    const { error } = registration.state;
    throw new PilotError("connection_failed", `not registered yet: ${error ?? "registration under way"}`, {
      hint: "pilot status shows whether the registry is reachable",
    });
  }
  if (!node.trust.isDenied(peer)) return;
  throw new PilotError("not_trusted", `trust in node ${peer} was revoked`, {
    hint: "pilot trust add asks for it again",
  });
}

/** The error of a dial that came to nothing. */
export function unreached(event: Extract<NodeEvent, { type: "dial_failed" }>): PilotError {
  if (event.reason === "timeout") {
    return new PilotError("timeout", "dial timeout", {
      hint: "the peer is offline, out of reach, or does not trust this agent",
    });
  }
  return new PilotError(
    "not_trusted",
    `resolve node ${event.peer}: registry: ${event.detail ?? "request failed"}`,
    {
      hint: "private agents answer only to agents they trust: pilot trust add",
    },
  );
}

/**
 * What a dial to `peer` that failed with `error` tells the user. Silence is how a private node says no: with a request
 * for trust unanswered on either side, that is what a timeout means.
 */
export function explainFailure(node: Node, peer: number, error: unknown): unknown {
  const { trust } = node;
  const unanswered = !trust.isTrusted(peer) &&
    (trust.awaits(peer) || trust.pending().some((entry) => entry.node === peer));
  if (!unanswered || !(error instanceof PilotError) || error.code !== "timeout") return error;
  return new PilotError("not_trusted", `the trust request between this agent and node ${peer} waits`, {
    hint: "the side that was asked accepts with: pilot trust add",
    cause: error,
  });
}
