/**
 * What a node tells the program around it.
 */

import type { Address } from "../wire/address.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { RegistryRequest } from "../wire/registry.ts";
import type { NatBehaviour } from "./nat/behaviour.ts";
import type { RecoveryReason } from "./recovery.ts";
import type { PortsEvent } from "./stream/ports.ts";
import type { TrustEvent } from "./trust_types.ts";

/** What a node tells the program around it. */
export type NodeEvent =
  | { readonly type: "stream"; readonly event: PortsEvent }
  | {
    readonly type: "datagram";
    readonly source: Address;
    readonly sourcePort: number;
    readonly destinationPort: number;
    readonly data: Uint8Array;
  }
  /** A dialled stream came to nothing. `detail` is the registry's reason when it refused to name the peer's endpoint. */
  | {
    readonly type: "dial_failed";
    readonly id: number;
    readonly peer: number;
    readonly reason: "unresolved" | "timeout";
    readonly detail: string | undefined;
  }
  /** A request for the registry: sign it, send it, and report with `handleRegistryReply` under the same tag. */
  | { readonly type: "registry"; readonly tag: string; readonly request: RegistryRequest }
  | { readonly type: "established"; readonly peer: number; readonly rekeyed: boolean }
  /** Traffic to a peer takes another path than before. */
  | { readonly type: "path"; readonly peer: number }
  /** The beacon was asked to punch a hole towards a peer. */
  | { readonly type: "punch"; readonly peer: number }
  /** No key could be agreed with a peer. */
  | { readonly type: "unreachable"; readonly peer: number }
  | { readonly type: "trust"; readonly event: TrustEvent }
  /** The trust book has changed: save `trust.snapshot()`. */
  | { readonly type: "save_trust" }
  /** The beacon sees this node at another endpoint than before. */
  | { readonly type: "endpoint"; readonly endpoint: Endpoint }
  /** Something else than before is known of the NAT in front of this node. */
  | { readonly type: "nat"; readonly behaviour: NatBehaviour }
  /** A relayed trust request waits at the registry. */
  | { readonly type: "notify" }
  /** The beacon answers, or has stopped answering. */
  | { readonly type: "beacon"; readonly reachable: boolean }
  /** The network may be another one, or does not carry any more: registering again is in place. */
  | { readonly type: "recovering"; readonly reason: RecoveryReason };
