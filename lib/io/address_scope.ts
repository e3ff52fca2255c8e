/**
 * How far an IP address reaches (RFC 6890 and its registries).
 */

import { ipToBytes } from "../wire/ip.ts";

/**
 * `public`: the whole internet. `shared`: the network of one carrier (CGNAT, 100.64.0.0/10, RFC 6598). `private`: one
 * site (RFC 1918, RFC 4193). `link`: one link (RFC 3927, RFC 4291). `loopback`: this computer. `none`: not a unicast
 * address that a datagram could go to.
 */
export type AddressScope = "public" | "shared" | "private" | "link" | "loopback" | "none";

/** The scope of an IP literal; `none` for anything else. */
export function addressScope(host: string): AddressScope {
  const bytes = ipToBytes(host);
  if (bytes === undefined) return "none";
  const [a = 0, b = 0] = bytes;
  return bytes.length === 4 ? scopeOfIpv4(a, b) : scopeOfIpv6(bytes);
}

function scopeOfIpv4(a: number, b: number): AddressScope {
  if (a === 0 || a >= 224) return "none";
  if (a === 127) return "loopback";
  if (a === 169 && b === 254) return "link";
  if (a === 100 && b >= 64 && b <= 127) return "shared";
  if (a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168)) return "private";
  return "public";
}

function scopeOfIpv6(bytes: Uint8Array): AddressScope {
  const [a = 0, b = 0] = bytes;
  if (bytes.subarray(0, 15).every((byte) => byte === 0)) return bytes[15] === 1 ? "loopback" : "none";
  if (a === 0xff) return "none";
  if (a === 0xfe && b >= 0x80 && b <= 0xbf) return "link";
  // Site-local addresses are deprecated (RFC 3879) but never left a site.
  if ((a & 0xfe) === 0xfc || (a === 0xfe && b >= 0xc0)) return "private";
  return "public";
}
