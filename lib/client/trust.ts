/** Trust as an agent reports it. Times are Unix seconds. */

import type { Fields } from "./fields.ts";

/** How trust with a peer stands after `handshake`. */
export interface ClientTrustOutcome {
  readonly node_id: number;
  /** `sent` when the request is on its way, `approved` when it answered a waiting one. */
  readonly status: "sent" | "approved" | "already_trusted";
  readonly mutual: boolean;
}

/** A request of a peer that waits for an answer. */
export interface ClientPendingRequest {
  readonly node_id: number;
  /** Base64, empty when it is not known yet. */
  readonly public_key: string;
  readonly justification: string;
  readonly received_at: number;
  readonly hostname?: string;
}

/** A trusted peer. */
export interface ClientTrustedPeer {
  readonly node_id: number;
  readonly public_key: string;
  readonly approved_at: number;
  readonly mutual: boolean;
  readonly network: number;
  readonly hostname?: string;
}

/** What became of an answer to a request. */
export interface ClientTrustAnswer {
  readonly node_id: number;
  /** `undefined` when the agent does not tell whether there was a request. */
  readonly was_pending: boolean | undefined;
}

export function readOutcome(reply: Fields): ClientTrustOutcome {
  return {
    node_id: reply.number("node_id"),
    status: reply.word("status", ["sent", "approved", "already_trusted"]),
    mutual: reply.flag("mutual"),
  };
}

export function readAnswer(reply: Fields): ClientTrustAnswer {
  return {
    node_id: reply.number("node_id"),
    was_pending: reply.has("was_pending") ? reply.flag("was_pending") : undefined,
  };
}

export function readPending(reply: Fields): ClientPendingRequest[] {
  return reply.objects("pending").map((request) => ({
    node_id: request.number("node_id"),
    public_key: request.text("public_key"),
    justification: request.text("justification"),
    received_at: request.number("received_at"),
    ...(request.text("hostname") === "" ? {} : { hostname: request.text("hostname") }),
  }));
}

export function readTrusted(reply: Fields): ClientTrustedPeer[] {
  return reply.objects("trusted").map((peer) => ({
    node_id: peer.number("node_id"),
    public_key: peer.text("public_key"),
    approved_at: peer.number("approved_at"),
    mutual: peer.flag("mutual"),
    network: peer.number("network"),
    ...(peer.text("hostname") === "" ? {} : { hostname: peer.text("hostname") }),
  }));
}
