/**
 * UDP/TCP endpoints: an IP address in text form and a port.
 *
 * The text is canonical, so two endpoints are equal when their fields are: IPv4 dotted, IPv6 as of RFC 5952
 * without brackets or zone, IPv4-mapped IPv6 addresses as IPv4.
 */

import { ipFromBytes, ipToBytes } from "./ip.ts";
import { MAX_UINT16 } from "./uint.ts";

export { ipFromBytes, ipToBytes };

/** Where a datagram comes from or goes to. `host` is a canonical IP address, `port` is 0 to 65535. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `1.2.3.4:5` or `[2001:db8::7]:5`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.host.includes(":")
    ? `[${endpoint.host}]:${endpoint.port}`
    : `${endpoint.host}:${endpoint.port}`;
}

/** The endpoint of an IP literal and port, made canonical; `undefined` for host names and anything malformed. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const parts = splitHostPort(text);
  if (parts === undefined || parts.host.includes(":") !== text.startsWith("[")) return undefined;
  const bytes = ipToBytes(parts.host);
  return bytes === undefined ? undefined : { host: ipFromBytes(bytes), port: parts.port };
}

/** A text that is the same for equal endpoints, for use as a map key. */
export function endpointKey(endpoint: Endpoint): string {
  return formatEndpoint(endpoint);
}

/** Whether both name the same address and port. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.host === b.host;
}

/** Splits `host:port`, `[v6]:port` or `:port` (host empty); the host is any name without white space. */
export function splitHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[(?<literal>[0-9a-fA-F:.]+(?:%[^\s\]]+)?)\]|(?<name>[^\s:[\]]*)):(?<port>[0-9]{1,5})$/
    .exec(text);
  const port = Number(match?.groups?.["port"]);
  const host = match?.groups?.["literal"] ?? match?.groups?.["name"];
  return host === undefined || port > MAX_UINT16 ? undefined : { host, port };
}
