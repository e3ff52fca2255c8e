/**
 * A bad network in user space: a NAT in front of a beacon that gives every client a public socket, loses datagrams
 * and delays some so that they are overtaken. Clients learn each other's public sockets from the beacon, so all of
 * their traffic passes through here.
 */

import { type Endpoint, endpointKey } from "../lib/wire/endpoint.ts";

/** Longest extra delay of a datagram that is to be overtaken, milliseconds. */
const LATE_MS = 8;

/** How bad the network is: shares from 0 to 1. */
export interface Badness {
  readonly loss: number;
  readonly late: number;
}

/** What passed, counted in datagrams. */
export interface ProxyStats {
  forwarded: number;
  lost: number;
  late: number;
  bytes: number;
}

/** A client of the beacon: where it really is, and the socket that stands for it. */
interface Client {
  readonly real: Endpoint;
  readonly face: Deno.DatagramConn;
}

/** The NAT. */
export class LossyProxy {
  readonly stats: ProxyStats = { forwarded: 0, lost: 0, late: 0, bytes: 0 };
  readonly #beacon: Endpoint;
  readonly #badness: Badness;
  readonly #front: Deno.DatagramConn;
  readonly #clients = new Map<string, Client>();

  /** Its sockets have the address of the beacon. */
  constructor(options: { readonly beacon: Endpoint; readonly badness: Badness }) {
    this.#beacon = options.beacon;
    this.#badness = options.badness;
    this.#front = openUdp(this.#beacon.host);
    this.#receive(this.#front, (data, from) => {
      const client = this.#clients.get(endpointKey(from)) ?? this.#admit(from);
      this.#forward(client.face, this.#beacon, data);
    });
  }

  /** The port that clients take for the beacon's. */
  get port(): number {
    return endpointOf(this.#front.addr).port;
  }

  #admit(real: Endpoint): Client {
    const client = { real, face: openUdp(this.#beacon.host) };
    this.#clients.set(endpointKey(real), client);
    this.#receive(client.face, (data, from) => {
      if (from.port === this.#beacon.port) return this.#forward(this.#front, real, data);
      const sender = this.#clients.get(endpointKey(from));
      if (sender !== undefined) this.#forward(sender.face, real, data);
    });
    return client;
  }

  #forward(out: Deno.DatagramConn, to: Endpoint, data: Uint8Array): void {
    const address = { transport: "udp", hostname: to.host, port: to.port } as const;
    if (Math.random() < this.#badness.loss) {
      this.stats.lost++;
      return;
    }
    this.stats.forwarded++;
    this.stats.bytes += data.length;
    const send = (bytes: Uint8Array) => void out.send(bytes, address).catch(() => {});
    if (Math.random() >= this.#badness.late) return send(data.slice());
    this.stats.late++;
    const copy = data.slice();
    setTimeout(() => send(copy), 1 + Math.random() * LATE_MS);
  }

  async #receive(socket: Deno.DatagramConn, take: (data: Uint8Array, from: Endpoint) => void): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const [view, from] = await socket.receive(buffer);
      take(view, endpointOf(from));
    }
  }
}

function openUdp(hostname: string): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
}

function endpointOf(address: Deno.Addr): Endpoint {
  return "hostname" in address && "port" in address
    ? { host: address.hostname, port: address.port }
    : { host: "", port: 0 };
}
