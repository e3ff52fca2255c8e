/** Socket addresses of Linux (`struct sockaddr_in` and `sockaddr_in6`) to endpoints and back, remembering the usual ones. */

import { type Endpoint, ipFromBytes, ipToBytes } from "../wire/endpoint.ts";
import { NAME_WORDS } from "./udp_messages.ts";

/** `AF_INET` and `AF_INET6` of Linux. */
export const AF_INET = 2;
export const AF_INET6 = 10;
/** Bytes of both structures. */
const SIZE_V4 = 16;
const SIZE_V6 = 28;
/** Addresses remembered in each direction. */
const MAX_REMEMBERED = 1024;

/** Endpoints of received datagrams; a sender that goes on sending costs one comparison. */
export class NameReader {
  readonly #known = new Map<string, Endpoint>();
  readonly #latest = new Uint32Array(NAME_WORDS);
  #latestEndpoint: Endpoint = { host: "0.0.0.0", port: 0 };

  /** The endpoint of the socket address that begins at word `at`. */
  read(names: Uint32Array<ArrayBuffer>, at: number): Endpoint {
    if (this.#isLatest(names, at)) return this.#latestEndpoint;
    const bytes = new Uint8Array(names.buffer, names.byteOffset + at * 4, NAME_WORDS * 4);
    const isV4 = ((names[at] ?? 0) & 0xffff) === AF_INET;
    const port = (bytes[2] ?? 0) << 8 | (bytes[3] ?? 0);
    const ip = isV4 ? bytes.subarray(4, 8) : bytes.subarray(8, 24);
    const key = `${ip}:${port}`;
    let endpoint = this.#known.get(key);
    if (endpoint === undefined) {
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
      endpoint = { host: ipFromBytes(ip), port };
      this.#known.set(key, endpoint);
    }
    this.#latest.set(names.subarray(at, at + NAME_WORDS));
    this.#latestEndpoint = endpoint;
    return endpoint;
  }

  #isLatest(names: Uint32Array, at: number): boolean {
    const latest = this.#latest;
    if (names[at] !== latest[0] || names[at + 1] !== latest[1]) return false;
    // The rest of an IPv4 address is padding.
    if (((latest[0] ?? 0) & 0xffff) === AF_INET) return true;
    for (let i = 2; i < NAME_WORDS; i++) if (names[at + i] !== latest[i]) return false;
    return true;
  }
}

/** Socket addresses of destinations, for a socket of one family. */
export class NameWriter {
  readonly #family: number;
  readonly #known = new Map<string, Uint32Array | undefined>();
  /** Bytes of every address written. */
  readonly size: number;
  #latest: Endpoint | undefined;
  #latestName: Uint32Array | undefined;

  constructor(family: typeof AF_INET | typeof AF_INET6) {
    this.#family = family;
    this.size = family === AF_INET ? SIZE_V4 : SIZE_V6;
  }

  /** The socket address of `to`; `undefined` when a socket of this family cannot reach it. Not to be written to. */
  name(to: Endpoint): Uint32Array | undefined {
    const latest = this.#latest;
    if (latest === to || (latest !== undefined && latest.port === to.port && latest.host === to.host)) {
      return this.#latestName;
    }
    const key = `${to.host}:${to.port}`;
    let name = this.#known.get(key);
    if (name === undefined) {
      name = this.#build(to);
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
      if (name !== undefined) this.#known.set(key, name);
    }
    this.#latest = to;
    this.#latestName = name;
    return name;
  }

  #build(to: Endpoint): Uint32Array | undefined {
    const ip = ipToBytes(to.host);
    if (ip === undefined || (ip.length === 16 && this.#family === AF_INET)) return undefined;
    const name = new Uint32Array(NAME_WORDS);
    const bytes = new Uint8Array(name.buffer);
    bytes[0] = this.#family;
    bytes[2] = to.port >> 8;
    bytes[3] = to.port;
    if (this.#family === AF_INET) bytes.set(ip, 4);
    else if (ip.length === 16) bytes.set(ip, 8);
    else bytes.set([0xff, 0xff, ...ip], 18); // ::ffff:0:0/96, RFC 4291 section 2.5.5.2
    return name;
  }
}
