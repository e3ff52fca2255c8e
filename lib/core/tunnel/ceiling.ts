/** How large datagrams may become at most, before the path is asked. */

import type { TransportOption } from "../../wire/exchange_options.ts";
import { HEADER_SIZE } from "../../wire/packet.ts";
import { SEALED_OVERHEAD } from "../../wire/tunnel.ts";
import { BASE_DATAGRAM } from "./pmtu.ts";
import type { Route } from "./route.ts";

/** Bytes of UDP payload around the payload of a virtual packet. */
export const DATAGRAM_OVERHEAD = SEALED_OVERHEAD + HEADER_SIZE;

/** UDP payload of a full Ethernet frame: 1,500 bytes less the headers of UDP and IP (RFC 768, 791, 8200). */
const ETHERNET = { v4: 1_472, v6: 1_452 } as const;

/** What bounds the datagrams of a node. */
export interface CeilingOptions {
  /** Holds all datagrams to this size, bytes of UDP payload. */
  readonly maxDatagram: number | undefined;
  /**
   * Whether the socket never lets a datagram be fragmented. Without that, a probe above the size of an Ethernet frame
   * could arrive in pieces and prove nothing, so it is only sent on loopback.
   */
  readonly neverFragments: () => boolean;
}

/**
 * The largest datagram worth trying on a direct route; `transport` is there when the peer is of our kind. Extra sockets
 * have no more room than an Ethernet frame.
 */
export function datagramCeiling(
  route: Route,
  transport: TransportOption | undefined,
  options: CeilingOptions,
): number {
  if (route.kind === "relay") return BASE_DATAGRAM;
  const { endpoint, via = 0 } = route;
  const ethernet = endpoint.host.includes(":") ? ETHERNET.v6 : ETHERNET.v4;
  const mayExceed = transport !== undefined && via === 0 &&
    (options.neverFragments() || isLoopback(endpoint.host));
  const byPath = mayExceed ? Infinity : ethernet;
  const byPeer = transport === undefined ? Infinity : transport.segmentSize + DATAGRAM_OVERHEAD;
  return Math.min(byPath, byPeer, options.maxDatagram ?? Infinity);
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}
