/**
 * Names and addresses of computers, this one and others.
 */

import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { ipFromBytes, ipToBytes } from "../wire/endpoint.ts";

/** Whether `host` is an address of this computer. */
export function isLocalAddress(host: string): boolean {
  return localAddresses().includes(host);
}

/** All addresses of this computer, canonical, loopback included. */
export function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => entries ?? []).flatMap(({ address }) => {
    const bytes = ipToBytes(address);
    return bytes === undefined ? [] : [ipFromBytes(bytes)];
  });
}

/** The IPv4 address of a host name (or literal), `undefined` when it has none now. */
export async function resolveHost(host: string): Promise<string | undefined> {
  const literal = ipToBytes(host);
  if (literal !== undefined) return ipFromBytes(literal);
  try {
    return (await lookup(host, { family: 4 })).address;
  } catch {
    return undefined;
  }
}
