/**
 * A computer of the simulated internet: addresses, one access link, perhaps a firewall, and machines on its ports.
 */

import type { Machine, Transmit } from "../../lib/core/machine.ts";
import { type Endpoint, endpointKey } from "../../lib/wire/endpoint.ts";
import { type Flight, type Member, type Segment, type World } from "./flight.ts";
import { Link, type LinkOptions } from "./link.ts";
import { fromNat64, type SimNat, toNat64 } from "./nat.ts";
import { SimProbe } from "./probe.ts";
import { SimSocket } from "./socket.ts";

/**
 * Where a host is attached. IPv4 addresses are behind `nat` if given, IPv6 ones on the public internet, unless `nat` is a
 * NAT64. Behind one of these the host offers IPv4 to its sockets all the same (464XLAT, RFC 6877), as phones do.
 */
export interface Attachment {
  readonly ip: string | readonly string[];
  readonly nat?: SimNat;
}

/** `stateful` admits only what answers an own datagram of the last 120 s; `blocked` lets no UDP pass at all. */
export type Firewall = "open" | "stateful" | "blocked";

/** What a host is made of. */
export interface HostOptions extends Attachment {
  readonly link?: LinkOptions;
  /** Default `open`. */
  readonly firewall?: Firewall;
}

const FIREWALL_IDLE_MS = 120_000;
const FIRST_EPHEMERAL_PORT = 49_152;

interface Interface {
  readonly ip: string;
  readonly segment: Segment;
}

/** What a host knows of a socket, whatever its events. */
interface Port {
  touch(): void;
  receive(from: Endpoint, data: Uint8Array): void;
}

/** The host of a socket that takes what comes to any address. */
const ANY = "";

/** One computer. */
export class SimHost implements Member {
  readonly name: string;
  readonly link: Link;
  /** May be switched at any time. */
  firewall: Firewall;
  readonly #world: World;
  readonly #internet: Segment;
  /** By port and address, `ANY` for all addresses. */
  readonly #sockets = new Map<string, Port>();
  readonly #contacts = new Map<string, number>();
  #interfaces: Interface[] = [];
  #nat: SimNat | undefined;
  #plugged = true;
  #asleep = false;
  #nextPort = FIRST_EPHEMERAL_PORT;

  constructor(world: World, name: string, options: HostOptions & { readonly internet: Segment }) {
    this.#world = world;
    this.name = name;
    this.firewall = options.firewall ?? "open";
    this.link = new Link(world, name, options.link ?? {});
    this.#internet = options.internet;
    this.#join(options);
  }

  /** Its addresses, in the order given. */
  get addresses(): readonly string[] {
    return this.#interfaces.map((each) => each.ip);
  }

  /** Its first address. */
  get ip(): string {
    return this.addresses[0] ?? "0.0.0.0";
  }

  /** The IPv4 address a server on the public internet sees it from: that of its outermost NAT, or its own. */
  get publicIp(): string {
    let shown = this.ip;
    for (let nat = this.#nat; nat !== undefined; nat = nat.outer) shown = nat.ip;
    return shown;
  }

  /** The NAT it is behind, if any. */
  get nat(): SimNat | undefined {
    return this.#nat;
  }

  /** Whether it is plugged in and awake. */
  get online(): boolean {
    return this.#plugged && !this.#asleep;
  }

  get asleep(): boolean {
    return this.#asleep;
  }

  /**
   * Drives `machine` on `port` (0: the next ephemeral one) until the socket is closed.
   *
   * @throws {RangeError} when the port is taken
   */
  attach<Event>(
    machine: Machine<Event>,
    port: number,
    options: {
      onEvent?: (event: Event) => void;
      places?: readonly Endpoint[];
      divert?: (transmit: Transmit) => boolean;
    } = {},
  ): SimSocket<Event> {
    const chosen = port === 0 ? this.#freePort() : port;
    if (this.#sockets.has(placeKey(chosen))) throw new RangeError(`port ${chosen} of ${this.name} is taken`);
    const socket = new SimSocket(machine, { ...options, host: this, port: chosen, world: this.#world });
    this.#sockets.set(placeKey(chosen), socket);
    socket.touch();
    return socket;
  }

  /** A bare socket for tests: sends what it is told and keeps what it hears. */
  open(port = 0): SimProbe {
    return new SimProbe((probe) => this.attach<never>(probe, port), this.#world);
  }

  /** For sockets only: a further place that datagrams come to, on a free port of all addresses when none is named. */
  openExtra(receive: Port["receive"], place: Endpoint = { host: ANY, port: this.#freePort() }): Endpoint {
    this.#sockets.set(placeKey(place.port, place.host), { touch: () => {}, receive });
    return place;
  }

  /** For sockets only. */
  release(port: number, host = ANY): void {
    this.#sockets.delete(placeKey(port, host));
  }

  /** Pulls the cable: everything sent and received is lost. */
  unplug(): void {
    this.#plugged = false;
  }

  plug(): void {
    this.#plugged = true;
  }

  /** Suspends the computer: its machines run no more, datagrams to it are lost. */
  suspend(): void {
    this.#asleep = true;
  }

  /** Wakes the computer; its machines see that time has passed. */
  resume(): void {
    this.#asleep = false;
    for (const socket of this.#sockets.values()) socket.touch();
  }

  /** Leaves its networks for others, as a phone does between Wi-Fi and the mobile network. Sockets stay open. */
  moveTo(attachment: Attachment): void {
    for (const each of this.#interfaces) each.segment.members.delete(each.ip);
    this.#contacts.clear();
    this.#join(attachment);
  }

  /** Sends a datagram from `port`, and from the address `source` if given. Sockets call this. */
  send(port: number, sentTo: Endpoint, data: Uint8Array, source = ANY): void {
    const to = this.#nat?.isNat64 === true ? toNat64(sentTo) : sentTo;
    const from = this.#interfaces.find(({ ip }) => ip === source) ?? this.#interfaceTowards(to.host);
    const local = { host: from?.ip ?? this.ip, port };
    const flight: Flight = {
      source: local,
      destination: to,
      data,
      origin: this.name,
      local,
      sentAt: this.#world.now,
    };
    if (isLoopback(to.host)) return this.#loop(flight);
    if (from === undefined) return this.#world.end(flight, "no route");
    if (!this.#plugged) return this.#world.end(flight, `unplugged at ${this.name}`);
    if (this.firewall === "blocked") return this.#world.end(flight, `udp blocked at ${this.name}`);
    if (this.firewall === "stateful") this.#contacts.set(contactKey(port, to), this.#world.now);
    this.link.up.carry(flight, (left) => from.segment.route(left));
  }

  /** A datagram came to one of its addresses. */
  arrive(flight: Flight): void {
    this.link.down.carry(flight, (arrived) => this.#receive(arrived));
  }

  #receive(flight: Flight): void {
    const refusal = this.#refusal(flight);
    if (refusal !== undefined) return this.#world.end(flight, refusal);
    const socket = this.#socketAt(flight.destination);
    if (socket === undefined) return this.#world.end(flight, `closed port at ${this.name}`);
    this.#world.end(flight, "");
    socket.receive(this.#nat?.isNat64 === true ? fromNat64(flight.source) : flight.source, flight.data);
  }

  #refusal(flight: Flight): string | undefined {
    if (!this.#plugged) return `unplugged at ${this.name}`;
    if (this.#asleep) return `asleep at ${this.name}`;
    if (this.firewall === "blocked") return `udp blocked at ${this.name}`;
    if (this.firewall === "stateful") {
      const contactedAt = this.#contacts.get(contactKey(flight.destination.port, flight.source));
      const fresh = contactedAt !== undefined && this.#world.now - contactedAt < FIREWALL_IDLE_MS;
      if (!fresh) return `filtered at ${this.name}`;
    }
    return this.#world.forbids(flight, this.name);
  }

  #loop(flight: Flight): void {
    const source = { host: flight.destination.host, port: flight.source.port };
    this.#world.schedule(0, () => {
      const socket = this.#socketAt(flight.destination);
      this.#world.end(flight, socket === undefined ? `closed port at ${this.name}` : "");
      socket?.receive(source, flight.data);
    });
  }

  #join(attachment: Attachment): void {
    const ips = typeof attachment.ip === "string" ? [attachment.ip] : attachment.ip;
    this.#nat = attachment.nat;
    this.#interfaces = ips.map((ip) => {
      const { nat } = attachment;
      const isInside = nat !== undefined && (nat.isNat64 || !ip.includes(":"));
      const segment = isInside ? nat.inside : this.#internet;
      segment.join(ip, this);
      return { ip, segment };
    });
  }

  /** The interface of the right family, preferably one whose segment has the destination. */
  #interfaceTowards(host: string): Interface | undefined {
    const family = this.#interfaces.filter((each) => each.ip.includes(":") === host.includes(":"));
    return family.find((each) => each.segment.members.has(host)) ?? family[0];
  }

  #socketAt({ host, port }: Endpoint): Port | undefined {
    return this.#sockets.get(placeKey(port, host)) ?? this.#sockets.get(placeKey(port));
  }

  #freePort(): number {
    while (this.#sockets.has(placeKey(this.#nextPort))) this.#nextPort++;
    return this.#nextPort++;
  }
}

function placeKey(port: number, host = ANY): string {
  return `${port} ${host}`;
}

function contactKey(port: number, remote: Endpoint): string {
  return `${port} ${endpointKey(remote)}`;
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}
