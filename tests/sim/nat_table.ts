/**
 * The memory of a NAT: which inside endpoint shows as which outside port, and who may send back.
 *
 * Behaviours carry the names of RFC 4787: sections 4.1 (mapping), 4.2 (port assignment), 4.3 (refresh) and 5 (filtering).
 */

import { type Endpoint, endpointKey, sameEndpoint } from "../../lib/wire/endpoint.ts";
import type { SeededRandom } from "./random.ts";

/** What a mapping, or the permission to send back, depends on (RFC 4787 sections 4.1 and 5). */
export type Dependence = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";

/**
 * How outside ports are chosen. `preserve`: the inside port when it is free, else the next free one. `block`: any of a
 * block of 1,008 that belongs to the inside address, as carriers do to log less (RFC 6888 section 4).
 */
export type PortAssignment = "preserve" | "sequential" | "random" | "block";

/** The behaviour of a NAT. Times are milliseconds. */
export interface NatBehaviour {
  readonly mapping: Dependence;
  readonly filtering: Dependence;
  readonly ports: PortAssignment;
  /** A mapping or permission without outbound traffic for this long is forgotten. */
  readonly idleMs: number;
  /** The same for a mapping that never got an answer. */
  readonly unansweredMs: number;
  /** Whether inbound traffic refreshes, too (RFC 4787 REQ-6 leaves it to the NAT). */
  readonly inboundRefresh: boolean;
}

interface Mapping {
  readonly internal: Endpoint;
  readonly externalPort: number;
  /** Whom the inside has addressed through this mapping, and when last. Keys depend on the filtering. */
  readonly contacts: Map<string, number>;
  usedAt: number;
  answered: boolean;
}

const FIRST_PORT = 1024;
const PORTS = 65_536 - FIRST_PORT;
const BLOCK = 1_008;
/** Where sequential assignment begins; arbitrary. */
const SEQUENCE_START = 40_000;

/** Mappings and permissions of one NAT. */
export class NatTable {
  readonly #behaviour: NatBehaviour;
  readonly #random: SeededRandom;
  readonly #byKey = new Map<string, Mapping>();
  readonly #byPort = new Map<number, Mapping>();
  /** Ports that were asked for (RFC 6886, 6887): open for everybody, and used for what the inside sends. */
  readonly #forwards = new Map<number, Endpoint>();
  /** Numbers of blocks by inside address. */
  readonly #blocks = new Map<string, number>();
  #nextPort = SEQUENCE_START;

  constructor(behaviour: NatBehaviour, random: SeededRandom) {
    this.#behaviour = behaviour;
    this.#random = random;
  }

  /** Forwards an outside port to an inside endpoint for good. */
  forward(externalPort: number, internal: Endpoint): void {
    this.#forwards.set(externalPort, internal);
  }

  /** The outside port for a datagram from the inside, `undefined` when ports have run out. */
  outbound(internal: Endpoint, destination: Endpoint, now: number): number | undefined {
    for (const [port, target] of this.#forwards) if (sameEndpoint(target, internal)) return port;
    const key = `${endpointKey(internal)} ${dependsOn(this.#behaviour.mapping, destination)}`;
    let mapping = this.#byKey.get(key);
    if (mapping !== undefined && this.#isExpired(mapping, now)) {
      if (this.#byPort.get(mapping.externalPort) === mapping) this.#byPort.delete(mapping.externalPort);
      mapping = undefined;
    }
    if (mapping === undefined) {
      const externalPort = this.#choosePort(internal, now);
      if (externalPort === undefined) return undefined;
      mapping = { internal, externalPort, contacts: new Map(), usedAt: now, answered: false };
      this.#byKey.set(key, mapping);
      this.#byPort.set(externalPort, mapping);
    }
    mapping.usedAt = now;
    mapping.contacts.set(dependsOn(this.#behaviour.filtering, destination), now);
    return mapping.externalPort;
  }

  /** The inside endpoint for a datagram from the outside, or why it is refused. */
  inbound(externalPort: number, source: Endpoint, now: number): Endpoint | "no mapping" | "filtered" {
    const forwarded = this.#forwards.get(externalPort);
    if (forwarded !== undefined) return forwarded;
    const mapping = this.#byPort.get(externalPort);
    if (mapping === undefined || this.#isExpired(mapping, now)) return "no mapping";
    const contact = dependsOn(this.#behaviour.filtering, source);
    const allowedAt = mapping.contacts.get(contact);
    if (allowedAt === undefined || now - allowedAt >= this.#behaviour.idleMs) return "filtered";
    mapping.answered = true;
    if (this.#behaviour.inboundRefresh) {
      mapping.usedAt = now;
      mapping.contacts.set(contact, now);
    }
    return mapping.internal;
  }

  /** Forgets everything, as a restart does; `ports` that were sequential go on elsewhere. */
  clear(): void {
    this.#byKey.clear();
    this.#byPort.clear();
    this.#nextPort += 1000;
  }

  #isExpired(mapping: Mapping, now: number): boolean {
    const { idleMs, unansweredMs } = this.#behaviour;
    return now - mapping.usedAt >= (mapping.answered ? idleMs : Math.min(idleMs, unansweredMs));
  }

  #choosePort(internal: Endpoint, now: number): number | undefined {
    const { ports } = this.#behaviour;
    if (ports === "random" || ports === "block") {
      const [first, count] = ports === "random" ? [FIRST_PORT, PORTS] : [this.#blockOf(internal.host), BLOCK];
      for (let tries = 0; tries < 128; tries++) {
        const port = first + this.#random.int(count);
        if (this.#isFree(port, now)) return port;
      }
      return undefined;
    }
    const start = ports === "preserve" ? internal.port : this.#nextPort;
    for (let step = 0; step < PORTS; step++) {
      const port = FIRST_PORT + ((start - FIRST_PORT + step + PORTS) % PORTS);
      if (!this.#isFree(port, now)) continue;
      if (ports === "sequential") this.#nextPort = port + 1;
      return port;
    }
    return undefined;
  }

  /** The first port of the block of an inside address. */
  #blockOf(host: string): number {
    const block = this.#blocks.get(host) ?? this.#random.int(Math.floor(PORTS / BLOCK));
    this.#blocks.set(host, block);
    return FIRST_PORT + block * BLOCK;
  }

  #isFree(port: number, now: number): boolean {
    if (this.#forwards.has(port)) return false;
    const mapping = this.#byPort.get(port);
    return mapping === undefined || this.#isExpired(mapping, now);
  }
}

function dependsOn(dependence: Dependence, remote: Endpoint): string {
  switch (dependence) {
    case "endpoint-independent":
      return "";
    case "address-dependent":
      return remote.host;
    case "address-and-port-dependent":
      return endpointKey(remote);
  }
}
