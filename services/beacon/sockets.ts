/** Opens the sockets of a beacon: each address to listen on, with a second port beside its first. */

import type { ListenAddress } from "../../lib/beacon/sockets.ts";
import { resolveHost } from "../../lib/io/addresses.ts";
import { type DatagramSocket, openSocket, toEndpoint } from "../../lib/io/driver_socket.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { MAX_UINT16 } from "../../lib/wire/uint.ts";
import { parseHostPort } from "./host_port.ts";

/** What to listen on. */
export interface ListenOptions {
  /** `HOST:PORT` or `:PORT`, one or more. */
  readonly listen: readonly string[];
  /** The second port of every address; default the one above the first if it is free, else any. */
  readonly altPort?: number;
  /** Where others reach the addresses, in their order, where that is not what is listened on. */
  readonly advertise: readonly Endpoint[];
}

/** The sockets, in the order that a beacon numbers them, and what nodes are to know of them. */
export interface OpenSockets {
  readonly sockets: readonly [DatagramSocket, ...DatagramSocket[]];
  readonly bound: readonly Required<ListenAddress>[];
  readonly addresses: readonly ListenAddress[];
}

/**
 * Opens them.
 *
 * @throws PilotError as `openSocket`, or `invalid_argument` when a name does not resolve
 */
export async function openListeners(options: ListenOptions): Promise<OpenSockets> {
  const places: Endpoint[] = [];
  for (const text of options.listen) places.push(await resolveListen(text));
  const [first, ...others] = places;
  if (first === undefined) throw new PilotError("invalid_argument", "there is no address to listen on");
  const open: DatagramSocket[] = [];
  try {
    const start = openPair(first, { ...options, open });
    const pairs = [start, ...others.map((place) => openPair(place, { ...options, open }))];
    const [main, ...rest] = pairs.flatMap(({ main, alternate }) => [main, alternate]);
    const bound = pairs.map(({ main, alternate }) => ({
      main: toEndpoint(main.addr),
      alternate: toEndpoint(alternate.addr),
    }));
    const addresses = bound.map((pair, i) => asAdvertised(pair, options.advertise[i]));
    return { sockets: [main ?? start.main, ...rest], bound, addresses };
  } catch (error) {
    for (const socket of open) socket.close();
    throw error;
  }
}

interface Pair {
  readonly main: DatagramSocket;
  readonly alternate: DatagramSocket;
}

function openPair(
  place: Endpoint,
  { altPort, open }: { readonly altPort?: number; readonly open: DatagramSocket[] },
): Pair {
  const main = openSocket(place);
  open.push(main);
  const { host, port } = toEndpoint(main.addr);
  const alternate = altPort === undefined ? openNext(host, port) : openSocket({ host, port: altPort });
  open.push(alternate);
  return { main, alternate };
}

/** The port above, so that operators need not look it up for their firewall; any when that one is taken. */
function openNext(host: string, port: number): DatagramSocket {
  if (port < MAX_UINT16) {
    try {
      return openSocket({ host, port: port + 1 });
    } catch (error) {
      if (!(error instanceof PilotError) || error.code !== "already_exists") throw error;
    }
  }
  return openSocket({ host, port: 0 });
}

/** Behind a NAT of its own, a beacon keeps its second port but not its address. */
function asAdvertised({ main, alternate }: Required<ListenAddress>, advertised: Endpoint | undefined) {
  if (advertised === undefined) return { main, alternate };
  return { main: advertised, alternate: { host: advertised.host, port: alternate.port } };
}

async function resolveListen(text: string): Promise<Endpoint> {
  const { host, port } = parseHostPort(text, "address to listen on", { hostOptional: true });
  const address = host === "" ? "0.0.0.0" : await resolveHost(host);
  if (address === undefined) {
    throw new PilotError("invalid_argument", `cannot resolve the host name ${host}`, {
      hint: "give an IP address of this computer, or none to listen on all of them",
    });
  }
  return { host: address, port };
}
