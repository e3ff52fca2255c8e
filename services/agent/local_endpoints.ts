/** The addresses of this computer at which the agent's socket can be reached. */

import { localAddresses } from "../../lib/io/addresses.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";

/** How often the interfaces are looked at, milliseconds. */
const POLL_MS = 5_000;

/** The endpoints of a socket bound to `bound`: itself, or every address of its families when it listens on all. */
export function localEndpoints(bound: Endpoint, addresses: readonly string[] = localAddresses()): Endpoint[] {
  const { host, port } = bound;
  if (host !== "0.0.0.0" && host !== "::") return [bound];
  const isReachable = (address: string) =>
    address !== "::1" && !address.startsWith("127.") && (host === "::" || !address.includes(":"));
  return [...new Set(addresses)].filter(isReachable).sort().map((address) => ({ host: address, port }));
}

/** Tells the endpoints now and whenever they may have changed, until the function it returns is called. */
export function watchLocalEndpoints(bound: Endpoint, tell: (endpoints: Endpoint[]) => void): () => void {
  let last = "";
  const look = () => {
    const endpoints = localEndpoints(bound);
    const key = JSON.stringify(endpoints);
    if (key === last) return;
    last = key;
    tell(endpoints);
  };
  look();
  const timer = setInterval(look, POLL_MS);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
