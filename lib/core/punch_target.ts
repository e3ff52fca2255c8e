/**
 * Which endpoints a node lets its beacon send it to.
 */

import { type Endpoint } from "../wire/endpoint.ts";

/**
 * Whether a punch may go to `target`. Only unicast addresses, and loopback, private or link-local ones only when the
 * beacon itself is on such a network: a beacon on the internet must not make nodes send into their own networks.
 */
export function isPunchTarget(target: Endpoint, beacon: Endpoint): boolean {
  if (target.port === 0) return false;
  const scope = scopeOf(target.host);
  return scope === "global" || (scope === "local" && scopeOf(beacon.host) === "local");
}

/** Where an address means something: everywhere, in networks of some owner, or nowhere to send to. */
export type Scope = "global" | "local" | "none";

/** The scope of a canonical address. Ranges of RFC 6890: `local` is loopback, private, shared and link-local space, `none` is nothing to send to. */
export function scopeOf(host: string): Scope {
  if (host.includes(":")) {
    if (host === "::" || host.startsWith("ff")) return "none";
    return host === "::1" || /^f[cd]/.test(host) || /^fe[89ab]/.test(host) ? "local" : "global";
  }
  const [a = 0, b = 0] = host.split(".").map(Number);
  if (a === 0 || a >= 224) return "none";
  const isLocal = a === 10 || a === 127 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168) ||
    (a === 169 && b === 254) || (a === 100 && b >= 64 && b <= 127);
  return isLocal ? "local" : "global";
}
