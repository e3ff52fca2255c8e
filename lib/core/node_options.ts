/** How a node is built. */

import type { AeadProvider } from "../crypto/aead.ts";
import type { Identity } from "../crypto/identity.ts";
import type { Instant, RandomSource } from "./machine.ts";
import type { PortLimits } from "./stream/ports.ts";
import type { TransportProfile } from "./stream/profile.ts";
import type { TrustSnapshot } from "./trust.ts";

/** How a node is built. */
export interface NodeOptions {
  readonly identity: Identity;
  readonly aead: AeadProvider;
  readonly random: RandomSource;
  /** Unix time in milliseconds. */
  readonly unixTime: (now: Instant) => number;
  readonly trust?: TrustSnapshot;
  readonly limits?: Partial<PortLimits>;
  /** The node id, when it is known before registration. */
  readonly node?: number;
  readonly isPublic?: boolean;
  /** What is offered to nodes of our kind for streams; `"public"` for no more than the public protocol has. */
  readonly profile?: TransportProfile | "public";
  /** Holds datagrams to this size, bytes of UDP payload, 1,222 or more; otherwise the path decides. */
  readonly maxDatagram?: number;
  /** Whether to examine the NAT in front of the node with the help of its beacon; default yes. */
  readonly examine?: boolean;
  /**
   * Whether to search ports with peers behind NATs that map by destination: up to 100 packets a second for 20 seconds,
   * from up to 256 sockets. Default yes; metered hosts may not want it.
   */
  readonly search?: boolean;
}
