/**
 * The values that trust is made of: what is remembered, what is asked of the parent, what is reported.
 */

import type { Identity } from "../crypto/identity.ts";
import type { HandshakeDocument } from "../wire/handshake.ts";
import type { RegistryRequest } from "../wire/registry.ts";
import type { Instant } from "./machine.ts";

/** What trust must know of its surroundings. */
export interface TrustOptions {
  /** Our node number, 0 while not registered. */
  readonly self: () => number;
  readonly identity: Identity;
  /** Unix milliseconds at an instant. */
  readonly unixTime: (now: Instant) => number;
  readonly isPublic: () => boolean;
  readonly snapshot?: TrustSnapshot;
  /** Whether a direct delivery to the peer is likely to arrive (tunnel up, endpoint known). Default: never. */
  readonly canReach?: (peer: number) => boolean;
  /** Ports beside 444 that a peer which we dialled may open while the reply window lasts. Default: none. */
  readonly replyPorts?: readonly number[];
}

/** A node that may reach us. Times are Unix seconds. */
export interface TrustedPeer {
  readonly node: number;
  /** The Ed25519 key that this trust belongs to, `undefined` while it is being fetched. */
  readonly publicKey: Uint8Array | undefined;
  readonly approvedAt: number;
  /** True when both sides asked or the peer accepted our request. Informative only. */
  readonly mutual: boolean;
  /** The shared network that gave this trust, 0 for none. */
  readonly network: number;
}

/** A request of a peer that waits for the operator. Times are Unix seconds. */
export interface PendingPeer {
  readonly node: number;
  readonly publicKey: Uint8Array | undefined;
  /** Text of the peer, free of control characters, still untrusted. */
  readonly justification: string;
  readonly receivedAt: number;
}

/** Our own request that the peer has not answered. Times are Unix seconds. */
export interface OutgoingRequest {
  readonly node: number;
  readonly justification: string;
  readonly requestedAt: number;
}

/** A peer whose trust the operator revoked: it gets no answer until the operator asks for it again. */
export interface DeniedPeer {
  readonly node: number;
  readonly publicKey: Uint8Array | undefined;
  readonly deniedAt: number;
}

/** Everything that survives a restart. */
export interface TrustSnapshot {
  readonly trusted: readonly TrustedPeer[];
  readonly pending: readonly PendingPeer[];
  readonly outgoing: readonly OutgoingRequest[];
  readonly denied: readonly DeniedPeer[];
}

/** What became of our request so far. */
export interface RequestProgress extends OutgoingRequest {
  /** Sendings so far, direct and relayed ones. */
  readonly attempts: number;
  /** `trying`: a sending is under way; `direct`, `relay`: how one left last; `failed`: none ever did. */
  readonly delivery: "waiting" | "trying" | "direct" | "relay" | "failed";
}

/** Who authenticated the tunnel that a message came through. */
export interface TrustSource {
  readonly node: number;
  /** The Ed25519 key that signed the tunnel's key exchange and that the registry lists for `node`. */
  readonly publicKey: Uint8Array;
  /** Where it comes from as far as known (an IP address): at most 16 waiting requests are kept per origin. */
  readonly origin?: string;
}

/** What the parent has to do. */
export type TrustAction =
  /** Deliver on port 444 in one segment; report with `handleDelivery`, for a revocation within two seconds. */
  | {
    readonly type: "send";
    readonly peer: number;
    readonly document: Uint8Array;
    readonly kind: HandshakeDocument["type"];
    /** 1 for the first sending to this peer. */
    readonly attempt: number;
  }
  /** Ask the registry (the executor signs); report with `handleRegistryReply`. */
  | { readonly type: "registry"; readonly request: RegistryRequest; readonly tag: string }
  /** Fetch the key that the registry lists for `peer`, uncached; report with `handleKey`. */
  | { readonly type: "lookup"; readonly peer: number }
  /** Persist `snapshot()`. */
  | { readonly type: "save" }
  /** Reset all streams of `peer` and forget its tunnel keys, at once. */
  | { readonly type: "drop"; readonly peer: number };

/** What the operator and the event stream hear of. */
export interface TrustEvent {
  readonly type:
    | "handshake.received"
    | "handshake.pending"
    | "handshake.approved"
    | "handshake.rejected"
    | "handshake.auto_approved"
    | "handshake.expired"
    | "trust.established"
    | "trust.revoked"
    | "trust.revoked_by_peer"
    | "trust.key_changed";
  readonly peer: number;
  /** How the cause reached us; `local` is the operator. */
  readonly via: "direct" | "relay" | "local";
  /** Text of the peer (untrusted, display-safe) or a reason in plain words. */
  readonly detail?: string;
}
