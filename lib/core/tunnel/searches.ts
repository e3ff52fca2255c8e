/**
 * All port searches of one node: when one begins, how many packets they may send, and how long to wait after one that
 * failed. Nothing is sent towards a host that has not agreed: the peer must have sealed its candidates to us, and the
 * beacon must have seen it at the address that it names.
 */

import type { CandidatesMessage, NatFacts, SearchMessage } from "../../wire/candidates.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { MAX_PEERS } from "../constants.ts";
import { TokenBucket } from "../limiter.ts";
import type { Instant } from "../machine.ts";
import { earlier, Timers } from "../timers.ts";
import type { Peer } from "./peer.ts";
import type { Route } from "./route.ts";
import { Search } from "./search.ts";
import { isCertain, planSearch, type SearchRole } from "./search_plan.ts";

/** What the searches work with. */
export interface SearchesOptions {
  readonly self: () => number;
  readonly enabled: boolean;
  /** Draws a 32-bit number. */
  readonly random: () => number;
  readonly vias: { take(): number; give(via: number): void };
  readonly peer: (node: number) => Peer | undefined;
  readonly own: () => NatFacts;
  /** What a peer has told of itself, when it may know where we are. */
  readonly theirs: (peer: Peer) => CandidatesMessage | undefined;
  readonly probe: (peer: Peer, route: Route, token: number, now: Instant) => void;
  readonly tell: (peer: Peer, message: SearchMessage, now: Instant) => void;
  readonly discover: (via: number) => boolean;
}

/** Search probes of the whole node. */
const RATE = { perSecond: 100, burst: 10 } as const;
/** Searches at a time: each may hold 256 sockets. */
const MAX_SEARCHES = 3;
/** Ordinary punching has this long to succeed, milliseconds: when it should not be able to, and when it may be. */
const HOPELESS_MS = 300;
const HOPEFUL_MS = 2_000;
/** No search with a peer for this time after one that failed, milliseconds; it doubles with every further one. */
const BACK_OFF_MS = 600_000;
const BACK_OFF_MAX_MS = 7_200_000;
/** The same after one that succeeded. */
const GAP_MS = 30_000;

interface Pause {
  failures: number;
  until: Instant;
}

/** How a search stands: under way, with so many probes sent, or held back for so many milliseconds after a failure. */
export interface SearchState {
  readonly running: boolean;
  readonly probes?: number;
  readonly heldFor?: number;
}

/** The port searches of one node. */
export class Searches {
  readonly #options: SearchesOptions;
  readonly #searches = new Map<number, Search>();
  readonly #pauses = new Map<number, Pause>();
  /** When to look whether a search is wanted, by peer. */
  readonly #plans = new Timers<number>();
  readonly #timers = new Timers<number>();
  #budget: TokenBucket | undefined;

  constructor(options: SearchesOptions) {
    this.#options = options;
  }

  /** Whether a search with a peer is under way. */
  isActive(node: number): boolean {
    return this.#searches.has(node);
  }

  /** How the search with a peer stands; `undefined` when there is none and nothing keeps one from beginning. */
  stateOf(node: number, now: Instant): SearchState | undefined {
    const search = this.#searches.get(node);
    if (search !== undefined) return { running: true, probes: search.sent };
    const pause = this.#pauses.get(node);
    if (pause === undefined || pause.failures === 0 || pause.until <= now) return undefined;
    return { running: false, heldFor: pause.until - now };
  }

  /** Whether a socket belongs to the search with a peer. */
  owns(node: number, via: number): boolean {
    return this.#searches.get(node)?.owns(via) ?? false;
  }

  /** A peer is without a direct path, or something about it has changed: a search may be what helps. */
  consider(peer: Peer, now: Instant): void {
    if (this.#plans.get(peer.node) !== undefined || this.#roleWith(peer) === undefined) return;
    const theirs = this.#options.theirs(peer);
    const isHopeless = theirs !== undefined && isCertain(this.#options.own()) && isCertain(theirs.nat);
    const wait = Math.max(isHopeless ? HOPELESS_MS : HOPEFUL_MS, 4 * (peer.paths.relayRtt ?? 0));
    this.#plans.set(peer.node, now + wait);
  }

  /** A message of a peer about a search. */
  handleMessage(peer: Peer, message: SearchMessage, now: Instant): void {
    const search = this.#searches.get(peer.node);
    if (search?.attempt === message.attempt) search.handleMessage(message, now);
    else if (search === undefined && message.stage === "request" && !this.#leads(peer)) {
      const begun = this.#begin(peer, message.attempt, now);
      begun?.handleMessage(message, now);
    }
    this.#settle(peer.node, now);
  }

  /** The beacon sees the extra socket `via` at `endpoint`. */
  handleOutside(via: number, endpoint: Endpoint, now: Instant): void {
    for (const [node, search] of this.#searches) {
      if (!search.owns(via)) continue;
      search.handleLastPort(via, endpoint.port, now);
      return this.#settle(node, now);
    }
  }

  /** The answer to a probe of a search opened: the way it took. */
  takeAnswer(
    peer: Peer,
    token: number,
    now: Instant,
  ): { readonly route: Route; readonly rtt: number } | undefined {
    return this.#searches.get(peer.node)?.takeAnswer(token, now);
  }

  /** A direct path to a peer is proven: nothing more is sent. */
  succeed(peer: Peer, now: Instant): void {
    this.#plans.set(peer.node, undefined);
    if (!this.#searches.has(peer.node)) return;
    this.#close(peer.node);
    this.#pauses.set(peer.node, { failures: 0, until: now + GAP_MS });
  }

  /** Ends what is under way with a peer. What it has failed at stays remembered. */
  forget(node: number): void {
    this.#plans.set(node, undefined);
    this.#close(node);
  }

  handleTimeout(now: Instant): void {
    for (let node = this.#plans.popDue(now); node !== undefined; node = this.#plans.popDue(now)) {
      const peer = this.#options.peer(node);
      if (peer !== undefined && this.#leads(peer)) this.#begin(peer, this.#options.random(), now);
      this.#settle(node, now);
    }
    for (let node = this.#timers.popDue(now); node !== undefined; node = this.#timers.popDue(now)) {
      this.#searches.get(node)?.handleTimeout(now);
      this.#settle(node, now);
    }
  }

  pollTimeout(): Instant | undefined {
    return earlier(this.#plans.next(), this.#timers.next());
  }

  #leads(peer: Peer): boolean {
    return this.#options.self() < peer.node;
  }

  /** Our role in a search with a peer, `undefined` when there shall be none. */
  #roleWith(peer: Peer): SearchRole | undefined {
    const { enabled, own, theirs: tell } = this.#options;
    if (!enabled || peer.paths.isDirect || this.#searches.has(peer.node)) return undefined;
    const theirs = tell(peer);
    if (theirs === undefined || targetOf(peer, theirs) === undefined) return undefined;
    return planSearch(own(), theirs.nat, this.#leads(peer));
  }

  #begin(peer: Peer, attempt: number, now: Instant): Search | undefined {
    const role = this.#roleWith(peer);
    const theirs = this.#options.theirs(peer);
    const target = theirs === undefined ? undefined : targetOf(peer, theirs);
    if (role === undefined || theirs === undefined || target === undefined) return undefined;
    if (now < (this.#pauses.get(peer.node)?.until ?? -Infinity)) return undefined;
    if (this.#searches.size >= MAX_SEARCHES) return undefined;
    const { vias, random, probe, tell, discover } = this.#options;
    const search = new Search({
      role,
      attempt,
      target,
      isLeader: this.#leads(peer),
      step: theirs.nat.portStep ?? 1,
      rtt: peer.paths.relayRtt ?? 0,
      hooks: {
        random,
        discover,
        takeVia: () => vias.take(),
        giveVia: (via) => vias.give(via),
        isUsed: (via) => peer.paths.uses(via),
        mayProbe: (at) => (this.#budget ??= new TokenBucket(RATE, at)).take(at),
        probe: (route, token, at) => probe(peer, route, token, at),
        tell: (message, at) => tell(peer, message, at),
      },
    }, now);
    this.#searches.set(peer.node, search);
    return search;
  }

  /** Sets the timer of a search, or takes leave of one that has failed. */
  #settle(node: number, now: Instant): void {
    const search = this.#searches.get(node);
    if (search === undefined) return;
    if (!search.isOver) return this.#timers.set(node, search.nextTimeout());
    this.#close(node);
    const failures = (this.#pauses.get(node)?.failures ?? 0) + 1;
    const until = now + Math.min(BACK_OFF_MS * 2 ** (failures - 1), BACK_OFF_MAX_MS);
    this.#pauses.delete(node);
    this.#pauses.set(node, { failures, until });
    const oldest = this.#pauses.size > MAX_PEERS ? this.#pauses.keys().next().value : undefined;
    if (oldest !== undefined) this.#pauses.delete(oldest);
  }

  #close(node: number): void {
    const search = this.#searches.get(node);
    if (search === undefined) return;
    this.#searches.delete(node);
    this.#timers.set(node, undefined);
    this.#options.peer(node)?.paths.dropExtra({ proven: false });
    search.close();
  }
}

/** Where the beacon sees a peer, by what both of them say. */
function targetOf(peer: Peer, { candidates }: CandidatesMessage): Endpoint | undefined {
  const reflexive = candidates.find(({ kind }) => kind === "reflexive")?.endpoint;
  return reflexive !== undefined && peer.isSeenAt(reflexive.host) ? reflexive : undefined;
}
