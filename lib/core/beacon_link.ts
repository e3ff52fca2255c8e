/**
 * The node's side of its beacon: who am I seen as, please punch, a punch was commanded.
 */

import { type BeaconMessage, decodePunchTrailer, encodeBeacon } from "../wire/beacon.ts";
import { type Endpoint, sameEndpoint } from "../wire/endpoint.ts";
import { encodePunch } from "../wire/tunnel.ts";
import {
  DISCOVER_CARRIED_MS,
  DISCOVER_INTERVAL_MS,
  DISCOVER_RETRY_MS,
  PUNCH_BURST_MS,
  PUNCH_SCHEDULE_MS,
} from "./constants.ts";
import { RateTable, TokenBucket } from "./limiter.ts";
import type { Instant, Transmit } from "./machine.ts";
import { isPunchTarget } from "./punch_target.ts";
import { Timers } from "./timers.ts";

/** What the beacon link tells the node. */
export type BeaconEvent =
  /** The endpoint that the beacon sees us at is new or has changed. */
  | { readonly type: "endpoint"; readonly endpoint: Endpoint }
  /** A place where the peer of a wanted punch may be reached. */
  | { readonly type: "candidate"; readonly peer: number; readonly endpoint: Endpoint }
  /** A relayed trust request waits at the registry. */
  | { readonly type: "notify" }
  /** The beacon answers, or has stopped answering. */
  | { readonly type: "beacon"; readonly reachable: boolean };

type TimerKey = "discover" | `punch:${number}` | `burst:${string}`;

interface Burst {
  readonly endpoint: Endpoint;
  readonly startedAt: Instant;
  step: number;
}

/** A discovery that stays unanswered for this many tries means: the beacon is not reachable. */
const SILENT_TRIES = 3;
/** Punch requests whose command may still come, milliseconds. */
const PUNCH_ANSWER_MS = 2_000;
const BURSTS = 64;

/** How a link is made. */
export interface BeaconLinkOptions {
  readonly self: () => number;
  /** Whether to send towards a node that wants to punch; `undefined` when the beacon does not name it. */
  readonly mayPunch: (node: number | undefined, now: Instant) => boolean;
  /** How long the NAT's mapping towards the beacon may be left alone, milliseconds. */
  readonly keepAlive?: () => number;
}

/** The link to one beacon. Without a beacon it does nothing. */
export class BeaconLink {
  readonly #self: () => number;
  readonly #mayPunch: BeaconLinkOptions["mayPunch"];
  readonly #keepAlive: () => number;
  #beacon: Endpoint | undefined;
  readonly #timers = new Timers<TimerKey>();
  readonly #transmits: Transmit[] = [];
  readonly #events: BeaconEvent[] = [];
  readonly #punches = new Map<number, { step: number; startedAt: Instant; requestedAt: Instant }>();
  readonly #bursts = new Map<string, Burst>();
  #commands: TokenBucket | undefined;
  readonly #commandTargets = new RateTable<string>({ perSecond: 0.5, burst: 3 }, 256);
  #sentAt: Instant | undefined;
  #unanswered = 0;
  #reflexive: Endpoint | undefined;
  #rtt: number | undefined;
  /** What the node was told of the beacon last. */
  #told: boolean | undefined;
  #carrier: "up" | "down" | undefined;

  constructor(options: BeaconLinkOptions) {
    this.#self = options.self;
    this.#mayPunch = options.mayPunch;
    this.#keepAlive = options.keepAlive ?? (() => DISCOVER_INTERVAL_MS);
  }

  /** Uses the beacon at `endpoint` from now on, or none. */
  setBeacon(endpoint: Endpoint | undefined, now: Instant): void {
    if (endpoint !== undefined && this.#beacon !== undefined && sameEndpoint(endpoint, this.#beacon)) return;
    this.#beacon = endpoint;
    this.#unanswered = 0;
    this.#told = undefined;
    this.#sentAt = undefined;
    this.#timers.set("discover", endpoint === undefined ? undefined : now);
  }

  get beacon(): Endpoint | undefined {
    return this.#beacon;
  }

  /** Where the beacon sees this node, `undefined` while unknown. */
  get reflexive(): Endpoint | undefined {
    return this.#reflexive;
  }

  /**
   * Something else than UDP carries the frames to the beacon now, `up` while that works; `undefined`: UDP does again.
   * Meanwhile nobody is punched, and Discover goes out seldom: its answer tells that UDP works.
   */
  setCarrier(carrier: "up" | "down" | undefined, now: Instant): void {
    const before = this.#carrier;
    this.#carrier = carrier;
    if (carrier === undefined) {
      if (before !== undefined) this.announce(now);
    } else if (before === undefined) {
      for (const peer of [...this.#punches.keys()]) this.stopPunch(peer);
      // The next answer is news.
      this.#told = false;
    }
    if (carrier === "down" && before === "up") this.announce(now);
    else if (carrier === "up" && this.#beacon !== undefined) {
      this.#timers.set("discover", now + DISCOVER_CARRIED_MS);
    }
  }

  /** Whether the beacon answers, or takes frames from the carrier. */
  get isReachable(): boolean {
    if (this.#carrier !== undefined) return this.#carrier === "up";
    return this.#reflexive !== undefined && this.#unanswered <= SILENT_TRIES;
  }

  /** Round-trip time to the beacon by UDP, milliseconds; `undefined` while unknown. */
  get rtt(): number | undefined {
    return this.#carrier === undefined ? this.#rtt : undefined;
  }

  /** Asks the beacon for a sign of life now, unless one is being waited for: something on the network looks broken. */
  check(now: Instant): void {
    if (this.#unanswered === 0 && this.#carrier === undefined) this.announce(now);
  }

  /** Announces the node again at once, for example when its id is new. */
  announce(now: Instant): void {
    if (this.#beacon !== undefined) this.#timers.set("discover", now);
  }

  isBeacon(from: Endpoint): boolean {
    return this.#beacon !== undefined && sameEndpoint(from, this.#beacon);
  }

  /** Asks the beacon to make both sides open their NATs, repeatedly until `stopPunch`. */
  punch(peer: number, now: Instant): void {
    if (this.#beacon === undefined || this.#carrier !== undefined || this.#punches.has(peer)) return;
    this.#punches.set(peer, { step: 0, startedAt: now, requestedAt: now });
    this.#timers.set(`punch:${peer}`, now);
  }

  stopPunch(peer: number): void {
    if (this.#punches.delete(peer)) this.#timers.set(`punch:${peer}`, undefined);
  }

  /** A message from the beacon. The caller has checked that it is from there. */
  handleMessage(message: BeaconMessage, now: Instant): void {
    if (message.kind === "discover_reply") this.#handleReply(message.endpoint, now);
    else if (message.kind === "punch_command") {
      this.#handleCommand(message.endpoint, decodePunchTrailer(message.trailer), now);
    } else if (message.kind === "notify") this.#events.push({ type: "notify" });
  }

  handleTimeout(now: Instant): void {
    for (let key = this.#timers.popDue(now); key !== undefined; key = this.#timers.popDue(now)) {
      if (key === "discover") this.#discover(now);
      else if (key.startsWith("punch:")) this.#requestPunch(Number(key.slice(6)), now);
      else this.#fireBurst(key.slice(6));
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#timers.next();
  }

  pollTransmit(): Transmit | undefined {
    return this.#transmits.shift();
  }

  pollEvent(): BeaconEvent | undefined {
    return this.#events.shift();
  }

  #discover(now: Instant): void {
    if (this.#beacon === undefined) return;
    const wait = this.#carrier === "up"
      ? DISCOVER_CARRIED_MS
      : DISCOVER_RETRY_MS[Math.min(this.#unanswered, DISCOVER_RETRY_MS.length - 1)] ??
        DISCOVER_INTERVAL_MS;
    if (++this.#unanswered > SILENT_TRIES) this.#tell(false);
    this.#sentAt = now;
    this.#transmits.push({ to: this.#beacon, data: encodeBeacon({ kind: "discover", node: this.#self() }) });
    this.#timers.set("discover", now + wait);
  }

  #handleReply(endpoint: Endpoint, now: Instant): void {
    if (this.#sentAt === undefined) return;
    // A repeated discovery makes the sample ambiguous, as in RFC 6298 section 3 (Karn's algorithm).
    if (this.#unanswered === 1) this.#rtt = now - this.#sentAt;
    this.#unanswered = 0;
    this.#timers.set("discover", now + this.#keepAlive());
    const isNew = this.#reflexive === undefined || !sameEndpoint(this.#reflexive, endpoint);
    this.#reflexive = endpoint;
    this.#tell(true);
    if (isNew) this.#events.push({ type: "endpoint", endpoint });
  }

  #tell(reachable: boolean): void {
    if (reachable === this.#told) return;
    this.#told = reachable;
    this.#events.push({ type: "beacon", reachable });
  }

  #requestPunch(peer: number, now: Instant): void {
    const punch = this.#punches.get(peer);
    if (punch === undefined || this.#beacon === undefined) return;
    const data = encodeBeacon({ kind: "punch_request", requester: this.#self(), target: peer });
    this.#transmits.push({ to: this.#beacon, data });
    punch.requestedAt = now;
    punch.step++;
    const next = PUNCH_SCHEDULE_MS[punch.step];
    if (next !== undefined) this.#timers.set(`punch:${peer}`, punch.startedAt + next);
  }

  /** A command that does not name its node is offered as a candidate to every punch that waits for one. */
  #handleCommand(endpoint: Endpoint, node: number | undefined, now: Instant): void {
    if (this.#beacon === undefined || !isPunchTarget(endpoint, this.#beacon)) return;
    this.#commands ??= new TokenBucket({ perSecond: 10, burst: 20 }, now);
    if (!this.#commandTargets.take(endpoint.host, now) || !this.#commands.take(now)) return;
    for (const [peer, punch] of this.#punches) {
      const isMeant = node === undefined ? now - punch.requestedAt <= PUNCH_ANSWER_MS : node === peer;
      if (isMeant) this.#events.push({ type: "candidate", peer, endpoint });
    }
    if (!this.#mayPunch(node, now)) return;
    const key = `${endpoint.host}|${endpoint.port}`;
    if (this.#bursts.has(key) || this.#bursts.size >= BURSTS) return;
    this.#bursts.set(key, { endpoint, startedAt: now, step: 0 });
    this.#timers.set(`burst:${key}`, now);
  }

  #fireBurst(key: string): void {
    const burst = this.#bursts.get(key);
    if (burst === undefined) return;
    this.#transmits.push({ to: burst.endpoint, data: encodePunch() });
    burst.step++;
    const next = PUNCH_BURST_MS[burst.step];
    if (next === undefined) this.#bursts.delete(key);
    else this.#timers.set(`burst:${key}`, burst.startedAt + next);
  }
}
