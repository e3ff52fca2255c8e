/**
 * Virtual addresses of Pilot Protocol: a 16-bit network and a 32-bit node.
 *
 * ```text
 * bytes   network 2 | node 4
 * text    <network decimal>:<network hex4>.<node high 16 bits hex4>.<node low 16 bits hex4>
 * ```
 *
 * The first hex group repeats the network, so node 42 of network 0 is `0:0000.0000.002A`.
 */

import { MAX_UINT16, MAX_UINT32, requireUint, viewOf } from "./uint.ts";

/** Bytes of an address on the wire. */
export const ADDRESS_SIZE = 6;

/** The node that stands for all nodes of its network. */
export const BROADCAST_NODE = 0xffffffff;

/** A virtual address. `network` is 0 to 65535, `node` 0 to 2^32-1. */
export interface Address {
  readonly network: number;
  readonly node: number;
}

/** The text form, for example `1:0001.F291.0004`. */
export function formatAddress(address: Address): string {
  const { network, node } = address;
  return `${network}:${hex4(network)}.${hex4(node >>> 16)}.${hex4(node & 0xffff)}`;
}

/** Reads the text form; `undefined` when malformed or when the two network groups differ. */
export function parseAddress(text: string): Address | undefined {
  const match = /^([0-9]+):([0-9a-fA-F]{4})\.([0-9a-fA-F]{4})\.([0-9a-fA-F]{4})$/.exec(text);
  if (match === null) return undefined;
  const [, decimal = "", group = "", high = "", low = ""] = match;
  const network = Number.parseInt(group, 16);
  return Number(decimal) === network ? { network, node: Number.parseInt(high + low, 16) } : undefined;
}

/** Address and virtual port as text, for example `0:0000.0000.0001:1000`. */
export function formatSocketAddress(address: Address, port: number): string {
  return `${formatAddress(address)}:${port}`;
}

/** Reads `<address>:<port>`; `undefined` when either is malformed. */
export function parseSocketAddress(text: string): { address: Address; port: number } | undefined {
  const colon = text.lastIndexOf(":");
  const address = parseAddress(text.slice(0, Math.max(colon, 0)));
  const digits = text.slice(colon + 1);
  if (address === undefined || !/^[0-9]+$/.test(digits) || Number(digits) > MAX_UINT16) return undefined;
  return { address, port: Number(digits) };
}

/** Whether both are the same node of the same network. */
export function sameAddress(a: Address, b: Address): boolean {
  return a.node === b.node && a.network === b.network;
}

/** The address at `offset`; the view must hold six bytes there. */
export function readAddress(view: DataView, offset: number): Address {
  return { network: view.getUint16(offset), node: view.getUint32(offset + 2) };
}

/** Writes an address at `offset`. @throws RangeError when a part does not fit */
export function writeAddress(view: DataView, offset: number, address: Address): void {
  requireUint("network", address.network, MAX_UINT16);
  requireUint("node", address.node, MAX_UINT32);
  view.setUint16(offset, address.network);
  view.setUint32(offset + 2, address.node);
}

/** The six bytes of an address. @throws RangeError when a part does not fit */
export function addressBytes(address: Address): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ADDRESS_SIZE);
  writeAddress(viewOf(bytes), 0, address);
  return bytes;
}

function hex4(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, "0");
}
