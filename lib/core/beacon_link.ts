/**
 * The node's side of one beacon: who am I seen as, please punch, a punch was commanded.
 */

import { type BeaconMessage, decodePunchTrailer, encodeBeacon } from "../wire/beacon.ts";
import { type Endpoint, sameEndpoint } from "../wire/endpoint.ts";
import { encodePunch } from "../wire/tunnel.ts";
import type { CommandLimits } from "./command_limits.ts";
import {
  DISCOVER_CARRIED_MS,
  DISCOVER_INTERVAL_MS,
  DISCOVER_RETRY_MS,
  PUNCH_BURST_MS,
  PUNCH_SCHEDULE_MS,
} from "./constants.ts";
import type { Instant, Transmit } from "./machine.ts";
import { isPunchTarget } from "./punch_target.ts";
import { Timers } from "./timers.ts";

/** What the link to a beacon tells. Whether it answers, and where it sees us, is to be read from it. */
export type LinkEvent =
  /** A place where the peer of a wanted punch may be reached. */
  | { readonly type: "candidate"; readonly peer: number; readonly endpoint: Endpoint }
  /** A relayed trust request waits at the registry. */
  | { readonly type: "notify" }
  /** The beacon sees us for the first time (`isFirst`), or at another endpoint than before. */
  | {
    readonly type: "seen";
    readonly beacon: Endpoint;
    readonly endpoint: Endpoint;
    readonly isFirst: boolean;
  };

/** Whether something else than UDP carries frames to a beacon: `up`, or `down` for the moment. */
export type Carrier = "up" | "down";

type TimerKey = "discover" | `punch:${number}` | `burst:${string}`;

interface Burst {
  readonly endpoint: Endpoint;
  readonly startedAt: Instant;
  step: number;
}

/** A discovery that stays unanswered for this many tries means: the beacon is not reachable. */
const SILENT_TRIES = 3;
/** Signs of life are asked for out of turn at most once per this time, milliseconds. */
const CHECK_GAP_MS = 1_000;
/** Round-trip times kept. */
const RTT_SAMPLES = 4;
/** Punch requests whose command may still come, milliseconds. */
const PUNCH_ANSWER_MS = 2_000;
const BURSTS = 64;

/** How a link is made. */
export interface BeaconLinkOptions {
  readonly self: () => number;
  /** Whether to send towards a node that wants to punch; `undefined` when the beacon does not name it. */
  readonly mayPunch: (node: number | undefined, now: Instant) => boolean;
  /** Shared by all beacons of the node. */
  readonly limits: CommandLimits;
  /** How long the NAT's mapping towards the beacon may be left alone, milliseconds. */
  readonly keepAlive?: () => number;
  /** How things stand when the link is made. */
  readonly carrier?: Carrier | undefined;
}

/** The link to one beacon. */
export class BeaconLink {
  readonly beacon: Endpoint;
  readonly #self: () => number;
  readonly #mayPunch: BeaconLinkOptions["mayPunch"];
  readonly #keepAlive: () => number;
  readonly #timers = new Timers<TimerKey>();
  readonly #transmits: Transmit[] = [];
  readonly #events: LinkEvent[] = [];
  readonly #punches = new Map<number, { step: number; startedAt: Instant; requestedAt: Instant }>();
  readonly #bursts = new Map<string, Burst>();
  readonly #limits: CommandLimits;
  /** When the first discovery left that is still unanswered. */
  #askedAt: Instant | undefined;
  #checkedAt: Instant = -Infinity;
  #unanswered = 0;
  #reflexive: Endpoint | undefined;
  /** The latest round-trip times, milliseconds. */
  readonly #samples: number[] = [];
  #carrier: Carrier | undefined;

  constructor(beacon: Endpoint, options: BeaconLinkOptions, now: Instant) {
    this.beacon = beacon;
    this.#self = options.self;
    this.#mayPunch = options.mayPunch;
    this.#limits = options.limits;
    this.#keepAlive = options.keepAlive ?? (() => DISCOVER_INTERVAL_MS);
    this.#carrier = options.carrier;
    this.announce(now);
  }

  /** Where the beacon sees this node, `undefined` while unknown. */
  get reflexive(): Endpoint | undefined {
    return this.#reflexive;
  }

  /**
   * Something else than UDP carries the frames to the beacons now; `undefined`: UDP does again. Meanwhile nobody is
   * punched, and Discover goes out seldom: its answer tells that UDP works.
   */
  setCarrier(carrier: Carrier | undefined, now: Instant): void {
    const before = this.#carrier;
    this.#carrier = carrier;
    if (carrier !== undefined && before === undefined) {
      for (const peer of [...this.#punches.keys()]) this.stopPunch(peer);
    }
    if (carrier === "up") this.#timers.set("discover", now + DISCOVER_CARRIED_MS);
    else if (before !== undefined && before !== carrier) this.announce(now);
  }

  /** Whether the beacon answers on UDP. */
  get isReachable(): boolean {
    return this.#reflexive !== undefined && this.#unanswered <= SILENT_TRIES;
  }

  /** Whether it has stayed silent for so long that it counts as gone. */
  get isSilent(): boolean {
    return this.#unanswered > SILENT_TRIES;
  }

  /** Whether a question waits for its answer longer than usual. */
  get isDoubtful(): boolean {
    return this.#unanswered > 1;
  }

  /** Round-trip time to the beacon by UDP, the shortest of the latest, milliseconds; `undefined` while unknown. */
  get rtt(): number | undefined {
    return this.#carrier !== undefined || this.#samples.length === 0 ? undefined : Math.min(...this.#samples);
  }

  /** Asks the beacon for a sign of life now, unless one is being waited for: something on the network looks broken. */
  check(now: Instant): void {
    if (this.#carrier !== undefined) return;
    if (this.#unanswered > 0 || now - this.#checkedAt < CHECK_GAP_MS) return;
    this.#checkedAt = now;
    this.announce(now);
  }

  /** Announces the node again at once, for example when its id is new. */
  announce(now: Instant): void {
    this.#timers.set("discover", now);
  }

  /** Asks the beacon to make both sides open their NATs, repeatedly until `stopPunch`. */
  punch(peer: number, now: Instant): void {
    const running = this.#punches.get(peer);
    if (this.#carrier !== undefined) return;
    if (running !== undefined && running.step < PUNCH_SCHEDULE_MS.length) return;
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

  pollEvent(): LinkEvent | undefined {
    return this.#events.shift();
  }

  #discover(now: Instant): void {
    const retry = DISCOVER_RETRY_MS[Math.min(this.#unanswered, DISCOVER_RETRY_MS.length - 1)] ??
      DISCOVER_INTERVAL_MS;
    const wait = this.#carrier === "up" ? DISCOVER_CARRIED_MS : Math.max(retry, 1.5 * (this.rtt ?? 0));
    this.#unanswered++;
    this.#askedAt ??= now;
    this.#transmits.push({ to: this.beacon, data: encodeBeacon({ kind: "discover", node: this.#self() }) });
    this.#timers.set("discover", now + wait);
  }

  #handleReply(endpoint: Endpoint, now: Instant): void {
    if (this.#askedAt === undefined) return;
    // A repeated discovery makes the sample ambiguous, as in RFC 6298 section 3 (Karn's algorithm). As the first one it
    // is better than none: a far beacon is given more time from then on.
    if (this.#unanswered === 1 || this.#samples.length === 0) this.#samples.push(now - this.#askedAt);
    if (this.#samples.length > RTT_SAMPLES) this.#samples.shift();
    this.#askedAt = undefined;
    this.#unanswered = 0;
    this.#timers.set("discover", now + this.#keepAlive());
    const before = this.#reflexive;
    if (before !== undefined && sameEndpoint(before, endpoint)) return;
    this.#reflexive = endpoint;
    this.#events.push({ type: "seen", beacon: this.beacon, endpoint, isFirst: before === undefined });
  }

  #requestPunch(peer: number, now: Instant): void {
    const punch = this.#punches.get(peer);
    if (punch === undefined) return;
    const data = encodeBeacon({ kind: "punch_request", requester: this.#self(), target: peer });
    this.#transmits.push({ to: this.beacon, data });
    punch.requestedAt = now;
    punch.step++;
    const next = PUNCH_SCHEDULE_MS[punch.step];
    if (next !== undefined) this.#timers.set(`punch:${peer}`, punch.startedAt + next);
  }

  /** A command that does not name its node is offered as a candidate to every punch that waits for one. */
  #handleCommand(endpoint: Endpoint, node: number | undefined, now: Instant): void {
    if (!isPunchTarget(endpoint, this.beacon)) return;
    if (!this.#limits.take(endpoint.host, now)) return;
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
