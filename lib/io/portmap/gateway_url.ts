/**
 * URLs that a gateway gives, believed only as far as they lead back to it.
 */

import { ipFromBytes, ipToBytes } from "../../wire/ip.ts";

/** Longest URL taken, characters. */
const MAX_URL = 1024;

/**
 * A plain `http:` URL whose host is the address of the gateway, absolute or relative to `base`. `undefined` for
 * anything else: whoever answers a search must not make this computer call others.
 */
export function parseGatewayUrl(
  text: string,
  { gateway, base }: { readonly gateway: string; readonly base?: URL },
): URL | undefined {
  if (text.length > MAX_URL) return undefined;
  const url = URL.parse(text, base);
  if (url === null || url.protocol !== "http:" || url.username !== "" || url.password !== "") {
    return undefined;
  }
  const bytes = ipToBytes(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  return bytes !== undefined && ipFromBytes(bytes) === gateway && url.port !== "0" ? url : undefined;
}
