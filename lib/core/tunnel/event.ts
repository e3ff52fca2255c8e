/** What the tunnels tell the node. */

import type { TransportOption } from "../../wire/exchange_options.ts";
import type { Packet } from "../../wire/packet.ts";
import type { Route } from "./path.ts";

/** What the tunnels tell the node. */
export type TunnelEvent =
  | { readonly type: "packet"; readonly peer: number; readonly packet: Packet; readonly route: Route }
  /** What the peer can take on streams, `undefined` when it is not of our kind. Comes before the first packet. */
  | { readonly type: "transport"; readonly peer: number; readonly transport: TransportOption | undefined }
  /** Traffic takes another path than before. */
  | { readonly type: "path_changed"; readonly peer: number }
  /** The largest segment payload that the path in use carries is another one now, bytes. */
  | { readonly type: "segment_limit"; readonly peer: number; readonly bytes: number }
  | { readonly type: "established"; readonly peer: number; readonly rekeyed: boolean }
  /** No key could be agreed; everything queued is gone. */
  | { readonly type: "unreachable"; readonly peer: number }
  /** We send and nothing of the peer comes back, or it has stopped in the middle of traffic. */
  | { readonly type: "silent"; readonly peer: number }
  /** A peer that had been silent is heard again. */
  | { readonly type: "heard_again"; readonly peer: number }
  /** The peer's identity key is needed: answer with `handleIdentity`. */
  | { readonly type: "need_identity"; readonly peer: number }
  /** Direct endpoints are welcome: answer with `addEndpoint`. */
  | { readonly type: "need_endpoint"; readonly peer: number }
  /** The peer is reached through the relay only: both NATs are to be opened once more. */
  | { readonly type: "need_punch"; readonly peer: number }
  /** The peer shows another identity key than the one expected. */
  | { readonly type: "identity_mismatch"; readonly peer: number };
