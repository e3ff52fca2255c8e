/** Peers as people write them. */

import { type Address, parseAddress } from "../wire/address.ts";

export { type Address, formatAddress, parseAddress } from "../wire/address.ts";

/** A node found by name, number or address. */
export interface ResolvedPeer {
  readonly address: Address;
  readonly node: number;
  /** The hostname if it was asked for by that, else the address as text. */
  readonly name: string;
}

/** What the registry knows about a hostname. */
export interface ResolvedHostname {
  readonly node_id: number;
  readonly address: string;
  readonly hostname: string;
  readonly public: boolean;
}

/** The address that a text is by itself, without asking anybody. */
export function peerLiteral(text: string): Address | undefined {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) > 0xffffffff) return undefined;
  return { network: 0, node: Number(text) };
}
