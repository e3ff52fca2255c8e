/**
 * The beacons of a node: all of them know where it is, the best of those that answer carries its relayed frames.
 */

import type { BeaconMessage } from "../wire/beacon.ts";
import { type Endpoint, endpointKey, sameEndpoint } from "../wire/endpoint.ts";
import { BeaconLink, type BeaconLinkOptions, type Carrier, type LinkEvent } from "./beacon_link.ts";
import { CommandLimits } from "./command_limits.ts";
import { Fifo } from "./fifo.ts";
import type { Instant, Transmit } from "./machine.ts";
import { earlier } from "./timers.ts";

/** Beacons used at the same time; each costs a datagram every 20 s. */
export const MAX_BEACONS = 4;

/** Another beacon must be this much nearer to be taken instead of the one in use: a share of its round-trip time ... */
const SWITCH_GAIN = 0.7;
/** ... and at least this, milliseconds. */
const SWITCH_GAIN_MS = 5;

/** What the beacons tell the node. */
export type BeaconEvent =
  | LinkEvent
  /** The endpoint that we are seen at is new or has changed. */
  | { readonly type: "endpoint"; readonly endpoint: Endpoint }
  /** One of the beacons answers, or none does any more. */
  | { readonly type: "beacon"; readonly reachable: boolean }
  /** `usable` is another one now. */
  | { readonly type: "relays" };

/** A beacon as relay. */
export interface Relay {
  readonly endpoint: Endpoint;
  /** A question to it waits for its answer longer than usual. */
  readonly isDoubtful: boolean;
}

/** What one beacon says of us. */
export interface Reflexive {
  readonly beacon: Endpoint;
  readonly endpoint: Endpoint;
}

/** All beacons of a node. Without any it does nothing. */
export class Beacons {
  readonly #options: BeaconLinkOptions;
  readonly #limits = new CommandLimits();
  #links: readonly BeaconLink[] = [];
  readonly #events = new Fifo<BeaconEvent>();
  #best: BeaconLink | undefined;
  #carrier: Carrier | undefined;
  #usable: readonly Relay[] = [];
  /** What the node was told last. */
  #told: { reflexive: Endpoint | undefined; reachable: boolean | undefined } = {
    reflexive: undefined,
    reachable: undefined,
  };

  constructor(options: Omit<BeaconLinkOptions, "limits" | "carrier">) {
    this.#options = { ...options, limits: this.#limits };
  }

  /** Uses these beacons from now on, at most `MAX_BEACONS`, the preferred one first. */
  setBeacons(endpoints: readonly Endpoint[], now: Instant): void {
    const wanted = new Map(endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
    this.#links = [...wanted.values()].slice(0, MAX_BEACONS).map((endpoint) =>
      this.#linkAt(endpoint) ?? new BeaconLink(endpoint, { ...this.#options, carrier: this.#carrier }, now)
    );
    this.#choose();
  }

  /** The beacon that relayed frames go to; of several that are silent the nearest, with a carrier the first. */
  get beacon(): Endpoint | undefined {
    return this.#usable[0]?.endpoint;
  }

  /** All of them, in the order given. */
  get endpoints(): Endpoint[] {
    return this.#links.map(({ beacon }) => beacon);
  }

  /** Whether this one answers, or is where the carrier leads, and how fast it answers, milliseconds. */
  describe(endpoint: Endpoint): { readonly reachable: boolean; readonly rtt: number | undefined } {
    const link = this.#linkAt(endpoint);
    if (this.#carrier !== undefined) {
      return {
        reachable: this.#carrier === "up" && link !== undefined && link === this.#links[0],
        rtt: undefined,
      };
    }
    return { reachable: link?.isReachable ?? false, rtt: link?.rtt };
  }

  /** Relays worth using, the best first: those that answer, or all of them when none does. */
  get usable(): readonly Relay[] {
    return this.#usable;
  }

  /** Where the best beacon sees this node, `undefined` while unknown. */
  get reflexive(): Endpoint | undefined {
    return this.#best?.reflexive ?? this.reflexives[0]?.endpoint;
  }

  /**
   * Where each beacon that answers sees this node. Different ports tell that the mapping of a NAT before it depends on
   * the destination (RFC 4787 section 4.1).
   */
  get reflexives(): Reflexive[] {
    return this.#links.flatMap(({ beacon, reflexive, isReachable }) =>
      reflexive === undefined || !isReachable ? [] : [{ beacon, endpoint: reflexive }]
    );
  }

  /**
   * Something else than UDP carries relayed frames now, to the beacon that it leads to; `undefined`: UDP does again, to
   * all of them.
   */
  setCarrier(carrier: Carrier | undefined, now: Instant): void {
    // The next answer on UDP is news.
    if (carrier !== undefined && this.#carrier === undefined) this.#told.reachable = false;
    this.#carrier = carrier;
    for (const link of this.#links) link.setCarrier(carrier, now);
    this.#choose();
  }

  /** Whether one of them answers, or takes frames from the carrier. */
  get isReachable(): boolean {
    if (this.#carrier !== undefined) return this.#carrier === "up";
    return this.#links.some((link) => link.isReachable);
  }

  /** Round-trip time to the best beacon, milliseconds. */
  get rtt(): number | undefined {
    return this.#best?.rtt;
  }

  isBeacon(from: Endpoint): boolean {
    return this.#linkAt(from) !== undefined;
  }

  /** Asks all of them for a sign of life now: something on the network looks broken. Bounded in rate. */
  check(now: Instant): void {
    for (const link of this.#links) link.check(now);
  }

  /** Announces the node again at once, for example when its id is new. */
  announce(now: Instant): void {
    for (const link of this.#links) link.announce(now);
  }

  /** Asks the beacons to make both sides open their NATs, repeatedly until `stopPunch`. */
  punch(peer: number, now: Instant): void {
    for (const link of this.#links) link.punch(peer, now);
  }

  stopPunch(peer: number): void {
    for (const link of this.#links) link.stopPunch(peer);
  }

  /** A message from a beacon. Those of strangers do nothing. */
  handleMessage(from: Endpoint, message: BeaconMessage, now: Instant): void {
    this.#linkAt(from)?.handleMessage(message, now);
    this.#choose();
  }

  handleTimeout(now: Instant): void {
    if (now < (this.pollTimeout() ?? Infinity)) return;
    for (const link of this.#links) link.handleTimeout(now);
    this.#choose();
  }

  pollTimeout(): Instant | undefined {
    let next: Instant | undefined;
    for (const link of this.#links) next = earlier(next, link.pollTimeout());
    return next;
  }

  pollTransmit(): Transmit | undefined {
    for (const link of this.#links) {
      const transmit = link.pollTransmit();
      if (transmit !== undefined) return transmit;
    }
    return undefined;
  }

  pollEvent(): BeaconEvent | undefined {
    for (const link of this.#links) {
      const event = link.pollEvent();
      if (event !== undefined) return event;
    }
    return this.#events.shift();
  }

  #linkAt(endpoint: Endpoint): BeaconLink | undefined {
    return this.#links.find(({ beacon }) => sameEndpoint(beacon, endpoint));
  }

  /** Orders the relays, the one in use before others that are not clearly nearer, and tells what is new. */
  #choose(): void {
    const links = this.#links;
    const alive = links.filter((link) => link.isReachable);
    const ordered = (alive.length > 0 ? alive : links).toSorted((a, b) => distance(a) - distance(b));
    const [first] = ordered;
    const keeps = this.#best !== undefined && ordered.includes(this.#best) &&
      (first === undefined || !isNearer(first, this.#best));
    if (!keeps) this.#best = first;
    const usable = (this.#carrier === undefined ? ordered : links.slice(0, 1)).toSorted((a, b) =>
      Number(b === this.#best) - Number(a === this.#best)
    )
      .map(({ beacon, isDoubtful }): Relay => ({
        endpoint: beacon,
        isDoubtful: isDoubtful && this.#carrier === undefined,
      }));
    if (!sameRelays(usable, this.#usable)) {
      this.#usable = usable;
      this.#events.push({ type: "relays" });
    }
    this.#tell(alive.length > 0, links.some((link) => link.isSilent));
  }

  #tell(isReachable: boolean, isSilent: boolean): void {
    const told = this.#told;
    // A beacon that has only just been asked is neither here nor away.
    const reachable = isReachable ? true : isSilent ? false : undefined;
    if (reachable !== undefined && reachable !== told.reachable) {
      told.reachable = reachable;
      this.#events.push({ type: "beacon", reachable });
    }
    const { reflexive } = this;
    if (reflexive === undefined) return;
    if (told.reflexive !== undefined && sameEndpoint(told.reflexive, reflexive)) return;
    told.reflexive = reflexive;
    this.#events.push({ type: "endpoint", endpoint: reflexive });
  }
}

function distance(link: BeaconLink): number {
  return link.rtt ?? Infinity;
}

function isNearer(link: BeaconLink, than: BeaconLink): boolean {
  return distance(link) < Math.min(SWITCH_GAIN * distance(than), distance(than) - SWITCH_GAIN_MS);
}

function sameRelays(a: readonly Relay[], b: readonly Relay[]): boolean {
  return a.length === b.length && a.every(({ endpoint, isDoubtful }, index) => {
    const other = b[index];
    return other !== undefined && isDoubtful === other.isDoubtful && sameEndpoint(endpoint, other.endpoint);
  });
}
