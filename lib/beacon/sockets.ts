/**
 * The sockets of a beacon: one or more addresses to listen on, each with a second port for the examination of NATs
 * (RFC 5780 section 3 calls them primary and alternate).
 */

import type { ExaminePlace, OtherAddress } from "../wire/examine.ts";
import type { Endpoint } from "../wire/endpoint.ts";

/** An address that a beacon listens on, as nodes reach it. The host may be unspecified: all addresses. */
export interface ListenAddress {
  readonly main: Endpoint;
  /** The same host, another port: only examinations are answered there. */
  readonly alternate?: Endpoint;
}

interface Socket {
  readonly endpoint: Endpoint;
  readonly isMain: boolean;
  /** The socket at the same address and another port. */
  otherPort?: number;
  /** The socket at another address, main as this one or alternate as this one. */
  otherAddress?: number;
}

/** The sockets by number (`Transmit.via`): main and alternate of the first address, then of the next. */
export class BeaconSockets {
  readonly #sockets: Socket[] = [];

  constructor(addresses: readonly ListenAddress[]) {
    const mains: number[] = [];
    for (const { main, alternate } of addresses) {
      const via = this.#sockets.push({ endpoint: main, isMain: true }) - 1;
      mains.push(via);
      if (alternate === undefined) continue;
      this.#sockets.push({ endpoint: alternate, isMain: false, otherPort: via });
      this.#change(via, { otherPort: via + 1 });
    }
    for (const [i, via] of mains.entries()) this.#pair(via, [...mains.slice(i + 1), ...mains.slice(0, i)]);
  }

  /** Whether the socket is for everything, not for examinations only. */
  isMain(via: number): boolean {
    return this.#sockets[via]?.isMain ?? via === 0;
  }

  /** The socket to speak first from, to `host`. */
  towards(host: string): number {
    const fitting = this.#sockets.findIndex(({ endpoint, isMain }) =>
      isMain && (endpoint.host === "::" || isIpv6(endpoint.host) === isIpv6(host))
    );
    return Math.max(0, fitting);
  }

  /** The socket at `place` seen from the socket `via`, `undefined` when there is none. */
  at(via: number, place: ExaminePlace): number | undefined {
    const there = place.otherAddress ? this.#sockets[via]?.otherAddress : via;
    if (there === undefined || !place.otherPort) return there;
    return this.#sockets[there]?.otherPort;
  }

  /** What an examination asked at the socket `via` is told of the other ones. */
  describe(via: number): { readonly otherPort: number; readonly other: OtherAddress | undefined } {
    const socket = this.#sockets[via];
    const other = socket?.otherAddress === undefined ? undefined : this.#sockets[socket.otherAddress];
    return {
      otherPort: this.#portOf(socket?.otherPort),
      other: other === undefined
        ? undefined
        : { ...other.endpoint, otherPort: this.#portOf(other.otherPort) },
    };
  }

  /** Finds another address for `via` and its alternate: the next one of the same family that can be named. */
  #pair(via: number, others: readonly number[]): void {
    const endpoint = this.#sockets[via]?.endpoint;
    if (endpoint === undefined || isUnspecified(endpoint.host)) return;
    const partner = others.find((other) => {
      const host = this.#sockets[other]?.endpoint.host ?? "";
      return isIpv6(host) === isIpv6(endpoint.host) && !isUnspecified(host) && host !== endpoint.host;
    });
    if (partner === undefined) return;
    this.#change(via, { otherAddress: partner });
    const [alternate, theirs] = [this.#sockets[via]?.otherPort, this.#sockets[partner]?.otherPort];
    if (alternate !== undefined && theirs !== undefined) this.#change(alternate, { otherAddress: theirs });
  }

  #change(via: number, change: Partial<Pick<Socket, "otherPort" | "otherAddress">>): void {
    const socket = this.#sockets[via];
    if (socket !== undefined) Object.assign(socket, change);
  }

  #portOf(via: number | undefined): number {
    return via === undefined ? 0 : this.#sockets[via]?.endpoint.port ?? 0;
  }
}

function isIpv6(host: string): boolean {
  return host.includes(":");
}

function isUnspecified(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
