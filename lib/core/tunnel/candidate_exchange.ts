/**
 * Telling peers of our kind where we may be reached, and hearing the same of them.
 *
 * What is told is repeated until it is acknowledged, again when it changes, and again on demand: then it also asks the
 * peer to probe now, as we do. A message is newer when its generation is higher; one that is not newer is acknowledged
 * and otherwise asks for nothing but probes.
 */

import type { CandidatesMessage, TraversalMessage } from "../../wire/candidates.ts";
import { CANDIDATES_REPEAT_MS } from "../constants.ts";
import { TokenBucket } from "../limiter.ts";
import type { Instant } from "../machine.ts";
import { Timers } from "../timers.ts";
import { candidateList, type OwnCandidates } from "./candidates.ts";
import type { Peer } from "./peer.ts";

/** What the exchange needs around it. */
export interface CandidateExchangeOptions {
  /** Unix time in milliseconds. */
  readonly unixTime: (now: Instant) => number;
  readonly peer: (node: number) => Peer | undefined;
  /** Whether a peer is of our kind and may know where we are. */
  readonly mayShare: (peer: Peer) => boolean;
  readonly send: (peer: Peer, message: TraversalMessage, now: Instant) => void;
  /** A peer has told something new, or asks for probes. */
  readonly adopt: (peer: Peer, theirs: CandidatesMessage, isNew: boolean, now: Instant) => void;
}

/** What has been said between us and one peer. */
interface Share {
  /** The latest generation that was sent, and the latest that was acknowledged. */
  sent: number;
  acknowledged: number;
  probeNow: boolean;
  tries: number;
  theirs: CandidatesMessage | undefined;
  /** What the peer may still make us do. */
  readonly budget: TokenBucket;
}

/** News and requests to probe that a peer is followed in: each makes us send to whatever endpoints it names. */
const NEWS_RATE = { perSecond: 0.5, burst: 8 } as const;

const NOTHING: OwnCandidates = { local: [], reflexive: undefined, mapped: undefined, nat: {} };

/** The candidates of one node and of its peers. */
export class CandidateExchange {
  readonly #options: CandidateExchangeOptions;
  readonly #shares = new Map<number, Share>();
  readonly #timers = new Timers<number>();
  #own = NOTHING;
  #generation = 0;

  constructor(options: CandidateExchangeOptions) {
    this.#options = options;
  }

  /** What we know of ourselves. */
  get own(): OwnCandidates {
    return this.#own;
  }

  /** What a peer has told last. */
  theirs(node: number): CandidatesMessage | undefined {
    return this.#shares.get(node)?.theirs;
  }

  /** Something about us is known now, or is different; peers in use hear of it. */
  update(change: Partial<OwnCandidates>, now: Instant): void {
    const own = { ...this.#own, ...change };
    if (JSON.stringify(own) === JSON.stringify(this.#own)) return;
    const isMoved = JSON.stringify(own.local) !== JSON.stringify(this.#own.local);
    this.#own = isMoved ? own : { ...own, local: this.#own.local };
    // Higher than what an earlier process of this node has said, and higher than before.
    const seconds = Math.floor(this.#options.unixTime(now) / 1_000) % 2 ** 32;
    this.#generation = Math.max(this.#generation + 1, seconds);
    for (const node of this.#shares.keys()) {
      const peer = this.#options.peer(node);
      if (peer?.paths.isActive(now) === true) this.tell(peer, now);
    }
  }

  /** A session with a peer has begun: what an earlier one has said counts no more, and ours is to be said again. */
  begin(peer: Peer, now: Instant): void {
    const theirs = this.#shares.get(peer.node)?.theirs;
    const share = this.#share(peer.node, now);
    share.acknowledged = -1;
    // Until the new process speaks, what the old one has said is the best there is.
    if (theirs !== undefined) share.theirs = { ...theirs, generation: 0 };
    this.tell(peer, now);
  }

  /** Tells a peer what it has not acknowledged yet. */
  wake(peer: Peer, now: Instant): void {
    if (this.#shares.get(peer.node)?.acknowledged !== this.#generation) this.tell(peer, now);
  }

  /** Tells a peer where we are; with `probeNow` it is asked to probe at once. */
  tell(peer: Peer, now: Instant, { probeNow = false } = {}): void {
    if (!this.#options.mayShare(peer)) return;
    const share = this.#share(peer.node, now);
    share.tries = 0;
    share.probeNow = probeNow;
    this.#send(peer, share, now);
  }

  /** A message of a peer opened. */
  handle(peer: Peer, message: TraversalMessage, now: Instant): void {
    if (message.kind === "search" || !this.#options.mayShare(peer)) return;
    const share = this.#share(peer.node, now);
    if (message.kind === "received") {
      if (message.generation !== share.sent) return;
      share.acknowledged = message.generation;
      this.#timers.set(peer.node, undefined);
      return;
    }
    const isNew = share.theirs === undefined || message.generation > share.theirs.generation;
    // What is not acknowledged comes again.
    if ((isNew || message.probeNow) && !share.budget.take(now)) return;
    this.#options.send(peer, { kind: "received", generation: message.generation }, now);
    if (isNew) share.theirs = message;
    if (share.theirs !== undefined && (isNew || message.probeNow)) {
      this.#options.adopt(peer, { ...share.theirs, probeNow: message.probeNow }, isNew, now);
    }
  }

  forget(node: number): void {
    this.#shares.delete(node);
    this.#timers.set(node, undefined);
  }

  handleTimeout(now: Instant): void {
    for (let node = this.#timers.popDue(now); node !== undefined; node = this.#timers.popDue(now)) {
      const peer = this.#options.peer(node);
      const share = this.#shares.get(node);
      if (peer !== undefined && share !== undefined && this.#options.mayShare(peer)) {
        this.#send(peer, share, now);
      }
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#timers.next();
  }

  #send(peer: Peer, share: Share, now: Instant): void {
    share.sent = this.#generation;
    const { nat } = this.#own;
    this.#options.send(peer, {
      kind: "candidates",
      generation: this.#generation,
      probeNow: share.probeNow,
      nat,
      candidates: candidateList(this.#own),
    }, now);
    const wait = CANDIDATES_REPEAT_MS[share.tries++];
    this.#timers.set(peer.node, wait === undefined ? undefined : now + wait);
  }

  #share(node: number, now: Instant): Share {
    let share = this.#shares.get(node);
    if (share === undefined) {
      const budget = new TokenBucket(NEWS_RATE, now);
      share = { sent: 0, acknowledged: -1, probeNow: false, tries: 0, theirs: undefined, budget };
      this.#shares.set(node, share);
    }
    return share;
  }
}
