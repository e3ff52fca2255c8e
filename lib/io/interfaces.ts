/**
 * The addresses at which others on the same networks may reach a socket of this computer.
 */

import { networkInterfaces } from "node:os";
import type { Endpoint } from "../wire/endpoint.ts";
import { ipFromBytes, ipToBytes } from "../wire/ip.ts";
import { type AddressScope, addressScope } from "./address_scope.ts";

/** Most endpoints given. */
export const MAX_LOCAL_ENDPOINTS = 16;

/** The most useful first; others are no use to anybody. */
const ORDER: readonly AddressScope[] = ["public", "private", "shared", "link"];

/**
 * Every unicast endpoint of a socket bound to `bound`: that one, or for `0.0.0.0` one for each IPv4 address of the
 * interfaces that are up, and for `::` those of IPv6 as well. Loopback only where there is nothing else, IPv6
 * link-local never (it means nothing without a zone). At most 16, IPv4 and IPv6 in turns, in an order that depends
 * on nothing but the addresses.
 */
export function localEndpoints(bound: Endpoint): Endpoint[] {
  if (bound.host !== "0.0.0.0" && bound.host !== "::") return [bound];
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
    .map(({ address }) => address)
    .filter((address) => bound.host === "::" || !address.includes(":"));
  return selectAddresses(addresses).map((host) => ({ host, port: bound.port }));
}

/** The addresses worth telling, canonical and in order. */
export function selectAddresses(addresses: readonly string[]): string[] {
  const texts = new Set(addresses.flatMap((address) => {
    const bytes = ipToBytes(address.split("%")[0] ?? "");
    return bytes === undefined ? [] : [ipFromBytes(bytes)];
  }));
  const all = [...texts].map((host) => ({ host, scope: addressScope(host) }));
  const useful = all.filter(({ host, scope }) =>
    ORDER.includes(scope) && !(scope === "link" && host.includes(":"))
  );
  const chosen = useful.length > 0 ? useful : all.filter(({ scope }) => scope === "loopback");
  const sorted = chosen.toSorted((a, b) =>
    ORDER.indexOf(a.scope) - ORDER.indexOf(b.scope) || (a.host < b.host ? -1 : 1)
  ).map(({ host }) => host);
  return inTurns(sorted.filter((host) => !host.includes(":")), sorted.filter((host) => host.includes(":")))
    .slice(0, MAX_LOCAL_ENDPOINTS);
}

function inTurns(first: readonly string[], second: readonly string[]): string[] {
  return Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [first[i], second[i]]).flat()
    .filter((host) => host !== undefined);
}
