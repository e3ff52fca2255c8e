/** The sockets of a simulated beacon: one address or two, each with a second port. */

import type { ListenAddress } from "../../lib/beacon/sockets.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";

/** Distance of the second address from the first, so that beacons in a row do not get each other's. */
const SECOND = 128;

/** Addresses for the host, the beacon, and the places of its driver beside the first socket. */
export function beaconPlaces(
  host: string,
  port: number,
  count: 1 | 2 = 1,
): { readonly ip: readonly string[]; readonly addresses: ListenAddress[]; readonly places: Endpoint[] } {
  const bytes = host.split(".").map(Number);
  const second = [...bytes.slice(0, 3), (bytes[3] ?? 0) + SECOND].join(".");
  const ip = [host, second].slice(0, count);
  const addresses = ip.map((each) => ({
    main: { host: each, port },
    alternate: { host: each, port: port + 1 },
  }));
  return { ip, addresses, places: addresses.flatMap(({ main, alternate }) => [main, alternate]).slice(1) };
}
