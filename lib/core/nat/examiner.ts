/**
 * Keeps a node's knowledge of the NAT in front of it: examines it when the node meets its beacon, again when something
 * about the network has changed, and now and then.
 */

import { type Endpoint, endpointKey, sameEndpoint } from "../../wire/endpoint.ts";
import type { Instant, RandomSource, Transmit } from "../machine.ts";
import { earlier } from "../timers.ts";
import type { ViaNumbers } from "../via.ts";
import { mergeBehaviour, type NatBehaviour, sameBehaviour } from "./behaviour.ts";
import { Examination } from "./examination.ts";
import { isTranslated } from "./judge.ts";
import { LifetimeSearch } from "./lifetime.ts";
import { KEEPALIVE_DEFAULT_MS, KEEPALIVE_RESTLESS_MS } from "./lifetime_bounds.ts";

/** Distance of examinations when nothing changes, milliseconds; each is up to a tenth shorter or longer. */
export const EXAMINE_INTERVAL_MS = 1_800_000;
/** Least distance of two examinations, milliseconds, whatever happens. */
export const EXAMINE_GAP_MS = 30_000;
/** A beacon that did not answer is asked again after this time, which doubles up to `EXAMINE_INTERVAL_MS`. */
export const EXAMINE_RETRY_MS = 60_000;
/** The search for the lifetime of mappings begins so long after an examination, milliseconds. */
const LIFETIME_DELAY_MS = 10_000;

/** How an examiner is made. */
export interface ExaminerOptions {
  readonly random: RandomSource;
  readonly vias: ViaNumbers;
  /** Default yes. */
  readonly examine?: boolean;
}

/**
 * `idle`: there is no beacon, or it has not been heard. `examining`: under way. `silent`: the beacon is heard but does
 * not answer examinations. `done`: the behaviour is known as far as this beacon can tell.
 */
export type ExaminerState = "idle" | "examining" | "silent" | "done";

/** What an examiner tells the node. */
export interface ExaminerEvent {
  readonly type: "nat";
  readonly behaviour: NatBehaviour;
}

/** Examines the NAT in front of a node. */
export class Examiner {
  readonly #options: ExaminerOptions;
  #beacon: Endpoint | undefined;
  #local: readonly Endpoint[] = [];
  #reflexive: Endpoint | undefined;
  /** Where other beacons see the main socket, by beacon. */
  readonly #elsewhere = new Map<string, Endpoint>();
  #run: Examination | undefined;
  #lifetime: LifetimeSearch | undefined;
  #lifetimeAt: Instant | undefined;
  #state: ExaminerState = "idle";
  #failures = 0;
  /** The outside port has changed on this network. */
  #isRestless = false;
  #startedAt: Instant | undefined;
  #dueAt: Instant | undefined;
  /** What the last examination on this network found. */
  #found: NatBehaviour = {};
  #behaviour: NatBehaviour = {};
  readonly #events: ExaminerEvent[] = [];

  constructor(options: ExaminerOptions) {
    this.#options = options;
  }

  /** What is known now. */
  get behaviour(): NatBehaviour {
    return this.#behaviour;
  }

  get state(): ExaminerState {
    return this.#run === undefined ? this.#state : "examining";
  }

  /** How long a mapping may be left alone, milliseconds. */
  get keepAliveMs(): number {
    const interval = this.#lifetime?.keepAliveMs ?? KEEPALIVE_DEFAULT_MS;
    if (!this.#isRestless || this.#lifetime?.isFinished === true) return interval;
    return Math.min(interval, KEEPALIVE_RESTLESS_MS);
  }

  /** Uses another beacon from now on, or none. */
  setBeacon(beacon: Endpoint | undefined): void {
    if (beacon !== undefined && this.#beacon !== undefined && sameEndpoint(beacon, this.#beacon)) return;
    this.#stop();
    this.#beacon = beacon;
    this.#state = "idle";
    this.#failures = 0;
    this.#dueAt = undefined;
  }

  /** The endpoints of the main socket on this computer. */
  setLocal(local: readonly Endpoint[], now: Instant): void {
    const keys = (endpoints: readonly Endpoint[]) => endpoints.map(endpointKey).toSorted().join();
    if (keys(local) === keys(this.#local)) return;
    this.#local = local;
    if (this.#reflexive !== undefined) this.#examineSoon(now);
    if (this.#state !== "idle") this.#update();
  }

  /** The beacon has been heard, and sees the main socket at `endpoint`. */
  handleReflexive(endpoint: Endpoint, now: Instant): void {
    const before = this.#reflexive;
    this.#reflexive = endpoint;
    if (before !== undefined && sameEndpoint(before, endpoint)) {
      if (this.#state === "idle" && this.#run === undefined) this.#examineSoon(now);
      return;
    }
    this.#run?.close();
    this.#run = undefined;
    this.#examineSoon(now);
    if (before === undefined) return;
    this.#isRestless = before.host === endpoint.host;
    if (this.#isRestless) return this.#lifetime?.noteUpset();
    // Another address is another network: nothing of the old one holds.
    this.#stop();
    this.#found = {};
    this.#lifetime = undefined;
    this.#elsewhere.clear();
    this.#update();
  }

  /** Another beacon than the one in use sees the main socket at `seen`. */
  handleElsewhere(beacon: Endpoint, seen: Endpoint): void {
    this.#elsewhere.set(endpointKey(beacon), seen);
    const oldest = this.#elsewhere.size > 8 ? this.#elsewhere.keys().next().value : undefined;
    if (oldest !== undefined) this.#elsewhere.delete(oldest);
    this.#update();
  }

  /** The extra socket `via` was opened on this port. */
  handleOpened(via: number, port: number): void {
    this.#run?.handleOpened(via, port);
  }

  /** A datagram of an examination, from wherever. Whether it was waited for. */
  handleDatagram(from: Endpoint, data: Uint8Array, now: Instant, via: number): boolean {
    const isOurs = this.#run?.handleDatagram(from, data, now, via) === true ||
      this.#lifetime?.handleDatagram(from, data, now, via) === true;
    if (isOurs) this.#advance(now);
    return isOurs;
  }

  handleTimeout(now: Instant): void {
    if (this.#dueAt !== undefined && now >= this.#dueAt) this.#start(now);
    this.#run?.handleTimeout(now);
    if (this.#lifetimeAt !== undefined && now >= this.#lifetimeAt) this.#startLifetime(now);
    this.#lifetime?.handleTimeout(now);
    this.#advance(now);
  }

  pollTimeout(): Instant | undefined {
    const tests = earlier(this.#run?.pollTimeout(), this.#lifetime?.pollTimeout());
    return earlier(tests, earlier(this.#dueAt, this.#lifetimeAt));
  }

  pollTransmit(): Transmit | undefined {
    return this.#run?.pollTransmit() ?? this.#lifetime?.pollTransmit();
  }

  pollEvent(): ExaminerEvent | undefined {
    return this.#events.shift();
  }

  #examineSoon(now: Instant): void {
    if (this.#beacon === undefined || this.#options.examine === false) return;
    const at = this.#startedAt === undefined ? now : Math.max(now, this.#startedAt + EXAMINE_GAP_MS);
    this.#dueAt = earlier(this.#dueAt, at);
  }

  #start(now: Instant): void {
    this.#dueAt = undefined;
    if (this.#beacon === undefined) return;
    this.#run?.close();
    this.#startedAt = now;
    const { random, vias } = this.#options;
    this.#run = new Examination({ beacon: this.#beacon, local: this.#local, random, vias, now });
  }

  #advance(now: Instant): void {
    const result = this.#run?.result;
    if (result === undefined) return this.#update();
    this.#run = undefined;
    if (result.type === "silent") {
      this.#state = "silent";
      const wait = Math.min(EXAMINE_INTERVAL_MS, EXAMINE_RETRY_MS * 2 ** this.#failures++);
      this.#dueAt = earlier(this.#dueAt, now + wait);
      return this.#update();
    }
    this.#state = "done";
    this.#failures = 0;
    const [byte = 0] = this.#options.random(new Uint8Array(1));
    this.#dueAt = earlier(this.#dueAt, now + EXAMINE_INTERVAL_MS * (0.9 + (0.2 * byte) / 255));
    // What a test could not tell this time, it may have told before on the same network.
    this.#found = mergeBehaviour(this.#found, result.behaviour);
    if (this.#lifetime === undefined && this.#hasTimers()) this.#lifetimeAt = now + LIFETIME_DELAY_MS;
    this.#update();
  }

  /** Whether something on the way forgets mappings or permissions after a while. */
  #hasTimers(): boolean {
    const { isTranslated, filtering } = this.#found;
    return isTranslated !== false || (filtering !== undefined && filtering !== "endpoint-independent");
  }

  #startLifetime(now: Instant): void {
    this.#lifetimeAt = undefined;
    if (this.#beacon === undefined) return;
    this.#lifetime ??= new LifetimeSearch({ ...this.#options, beacon: this.#beacon, now });
  }

  #stop(): void {
    this.#run?.close();
    this.#run = undefined;
    this.#lifetimeAt = undefined;
    // A search that was interrupted is made anew: what it waits for may be gone for other reasons.
    if (this.#lifetime?.isFinished !== false) return;
    this.#lifetime.close();
    this.#lifetime = undefined;
  }

  /** Draws the behaviour from all that is known, and tells when it is another one. */
  #update(): void {
    // Not piecemeal: others act on it.
    if (this.state === "examining") return;
    const translated = this.#reflexive && isTranslated(this.#reflexive, this.#local);
    const lifetimeMs = this.#lifetime?.lifetimeMs;
    const behaviour = this.#compareBeacons({
      ...this.#found,
      ...(translated === undefined ? {} : { isTranslated: translated }),
      ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
    });
    if (sameBehaviour(behaviour, this.#behaviour)) return;
    this.#behaviour = behaviour;
    this.#events.push({ type: "nat", behaviour });
  }

  /** What one beacon with one address cannot tell, a second beacon can: does the mapping depend on the address? */
  #compareBeacons(behaviour: NatBehaviour): NatBehaviour {
    const reflexive = this.#reflexive;
    const isUnsure = behaviour.mapping === undefined || behaviour.mappingIsPresumed === true;
    if (reflexive === undefined || this.#elsewhere.size === 0 || !isUnsure) return behaviour;
    const { mappingIsPresumed: _, ...sure } = behaviour;
    if ([...this.#elsewhere.values()].every((seen) => sameEndpoint(seen, reflexive))) {
      return { ...sure, mapping: "endpoint-independent" };
    }
    return behaviour.mapping === "endpoint-independent"
      ? { ...sure, mapping: "address-dependent" }
      : { ...sure, mapping: "address-and-port-dependent", mappingIsPresumed: true };
  }
}
