/** SendTo: one datagram to one node. */

import { type Address, BROADCAST_NODE } from "../../../lib/wire/address.ts";
import type { AgentApi } from "../api.ts";
import { datagramFailure, type Failure, MAX_DATAGRAM, NO_BROADCAST, oversizeFailure } from "./failures.ts";

/** Hands a datagram to the tunnel. Resolves with what went wrong, if anything. */
export async function sendDatagram(
  api: AgentApi,
  options: { address: Address; port: number; data: Uint8Array },
): Promise<Failure | undefined> {
  const { address, port, data } = options;
  if (address.node === BROADCAST_NODE) return { text: NO_BROADCAST, code: "unavailable" };
  if (data.length > MAX_DATAGRAM) return oversizeFailure(data.length);
  try {
    await api.sendDatagram(address, port, data);
    return undefined;
  } catch (error) {
    return datagramFailure(error, { node: address.node, length: data.length });
  }
}
