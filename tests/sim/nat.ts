/**
 * A NAT box of the simulated internet: a table of mappings between an inside segment and an outside one.
 */

import { type Endpoint, ipFromBytes, ipToBytes } from "../../lib/wire/endpoint.ts";
import { type Flight, type Member, Segment, type World } from "./flight.ts";
import { Link, type LinkOptions } from "./link.ts";
import { type Dependence, type NatBehaviour, NatTable } from "./nat_table.ts";

/**
 * What happens to a datagram from the inside to the outside address (RFC 4787 section 6): dropped, or turned around
 * with the sender's outside (`external`, REQ-9) or inside (`internal`) endpoint as its source.
 */
export type Hairpin = "off" | "external" | "internal";

/** How a NAT behaves. Absent members are those of a careful home router: see the defaults. */
export interface NatOptions extends Partial<NatBehaviour> {
  /** Its address on the outside. */
  readonly ip: string;
  /** Further outside addresses: each destination is shown one of all, whichever (pooling "arbitrary", RFC 4787 REQ-2). */
  readonly pool?: readonly string[];
  /** The NAT it is behind; absent: on the public internet. */
  readonly nat?: SimNat;
  /** Translates between IPv6 inside and IPv4 outside (RFC 6146), with the prefix 64:ff9b::/96 (RFC 6052). */
  readonly nat64?: boolean;
  /** Default `off`. */
  readonly hairpin?: Hairpin;
  /** Drops all UDP that would cross it. */
  readonly udpBlocked?: boolean;
  readonly link?: LinkOptions;
}

/** The classes of the NAT matrix: mapping, filtering and port assignment in one word. */
export type NatClass = keyof typeof NAT_CLASSES;

const EIM: Dependence = "endpoint-independent";
const ADM: Dependence = "address-dependent";
const APDM: Dependence = "address-and-port-dependent";

/** Behaviours worth a name. Spread one into the options of `SimNet.addNat`. */
export const NAT_CLASSES = {
  fullCone: { mapping: EIM, filtering: EIM, ports: "preserve" },
  addressRestricted: { mapping: EIM, filtering: ADM, ports: "preserve" },
  portRestricted: { mapping: EIM, filtering: APDM, ports: "preserve" },
  symmetricAddressFiltered: { mapping: APDM, filtering: ADM, ports: "random" },
  symmetricSequential: { mapping: APDM, filtering: APDM, ports: "sequential" },
  symmetricRandom: { mapping: APDM, filtering: APDM, ports: "random" },
} as const satisfies Record<string, Partial<NatBehaviour>>;

const DEFAULT_IDLE_MS = 120_000;

/** One NAT box. Hosts and further NATs join its inside. */
export class SimNat implements Member {
  readonly name: string;
  readonly ip: string;
  /** The NAT it is behind, if any. */
  readonly outer: SimNat | undefined;
  readonly inside: Segment;
  readonly link: Link;
  /** May be switched at any time. */
  udpBlocked: boolean;
  readonly #world: World;
  readonly #outside: Segment;
  readonly #hairpin: Hairpin;
  /** Whether the inside speaks IPv6 only. */
  readonly isNat64: boolean;
  readonly #table: NatTable;
  readonly #pool: readonly string[];

  constructor(world: World, name: string, options: NatOptions & { readonly outside: Segment }) {
    this.#world = world;
    this.name = name;
    this.ip = options.ip;
    this.outer = options.nat;
    this.udpBlocked = options.udpBlocked ?? false;
    this.inside = new Segment(world, (flight) => this.#leave(flight));
    this.link = new Link(world, name, options.link ?? {});
    this.#outside = options.outside;
    this.isNat64 = options.nat64 ?? false;
    this.#hairpin = options.hairpin ?? "off";
    const idleMs = options.idleMs ?? DEFAULT_IDLE_MS;
    this.#table = new NatTable({
      mapping: options.mapping ?? EIM,
      filtering: options.filtering ?? APDM,
      ports: options.ports ?? "preserve",
      idleMs,
      unansweredMs: options.unansweredMs ?? idleMs,
      inboundRefresh: options.inboundRefresh ?? false,
    }, world.random.fork());
    this.#pool = [options.ip, ...options.pool ?? []];
    for (const ip of this.#pool) this.#outside.join(ip, this);
  }

  /** Forwards an outside port to an inside endpoint, as a router does when it is asked to. */
  forward(port: number, internal: Endpoint): Endpoint {
    this.#table.forward(port, internal);
    return { host: this.ip, port };
  }

  /** Forgets all mappings, as a power cut does. */
  reboot(): void {
    this.#table.clear();
  }

  /** A datagram came from the outside. */
  arrive(flight: Flight): void {
    this.link.down.carry(flight, (arrived) => this.#enter(arrived));
  }

  #leave(sent: Flight): void {
    const flight = this.isNat64 ? { ...sent, destination: fromNat64(sent.destination) } : sent;
    if (this.udpBlocked) return this.#drop(flight, "udp blocked");
    const port = this.#table.outbound(flight.source, flight.destination, this.#world.now);
    if (port === undefined) return this.#drop(flight, "out of ports");
    const source = { host: this.#shownTo(flight.destination), port };
    const translated = { ...flight, source };
    if (!this.#pool.includes(flight.destination.host)) {
      return this.link.up.carry(translated, (left) => this.#outside.route(left));
    }
    if (this.#hairpin === "off") return this.#drop(flight, "no hairpin");
    this.#enter(translated, this.#hairpin === "internal" ? flight.source : source);
  }

  #shownTo({ host, port }: Endpoint): string {
    const sum = [...host].reduce((total, letter) => (total * 31 + letter.charCodeAt(0)) % 65_521, port);
    return this.#pool[sum % this.#pool.length] ?? this.ip;
  }

  #enter(flight: Flight, shownSource = flight.source): void {
    if (this.udpBlocked) return this.#drop(flight, "udp blocked");
    const inside = this.#table.inbound(flight.destination.port, flight.source, this.#world.now);
    if (typeof inside === "string") return this.#drop(flight, inside);
    const source = this.isNat64 ? toNat64(shownSource) : shownSource;
    this.inside.route({ ...flight, source, destination: inside });
  }

  #drop(flight: Flight, why: string): void {
    this.#world.end(flight, `${why} at ${this.name}`);
  }
}

const NAT64_PREFIX = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

/** How an IPv4 endpoint shows behind a NAT64. */
export function toNat64({ host, port }: Endpoint): Endpoint {
  const bytes = ipToBytes(host);
  return bytes?.length === 4
    ? { host: ipFromBytes(Uint8Array.from([...NAT64_PREFIX, ...bytes])), port }
    : { host, port };
}

/** The IPv4 endpoint behind one of those; others as they are. */
export function fromNat64({ host, port }: Endpoint): Endpoint {
  const bytes = ipToBytes(host);
  const isSynthetic = bytes?.length === 16 && NAT64_PREFIX.every((byte, index) => bytes[index] === byte);
  return isSynthetic ? { host: ipFromBytes(bytes.subarray(12)), port } : { host, port };
}
