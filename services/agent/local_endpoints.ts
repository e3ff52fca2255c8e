/** The addresses of this computer at which the agent's socket can be reached. */

import { localEndpoints } from "../../lib/io/interfaces.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";

/** How often the interfaces are looked at, milliseconds. */
const POLL_MS = 5_000;

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
