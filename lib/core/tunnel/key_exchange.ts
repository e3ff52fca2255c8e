/**
 * Agreeing on keys with peers, and agreeing again when one side has lost them.
 *
 * Every one-sided state has a message that repairs it, and a limit on that message:
 * - the peer lost its keys: its answer to our undecryptable frame is a PILA with its new key;
 * - we lost ours: we answer the peer's undecryptable frame with a PILA;
 * - an answer was lost: the PILA is repeated, and from the third time a PILK goes along, which the peer must refuse
 *   and answer with its own PILA even when it believes that all is well;
 * - the peer is silent although we send: the watchdog starts the same exchange again.
 */

import type { Identity } from "../../crypto/identity.ts";
import { equalBytes } from "../../wire/bytes.ts";
import type { ExchangeOptionSet } from "../../wire/exchange_options.ts";
import { encodeUnauthenticated } from "../../wire/tunnel.ts";
import {
  EXCHANGE_DUPLICATE_MS,
  EXCHANGE_FRAMES_PER_SECOND,
  EXCHANGE_REPLY_GAP_MS,
  EXCHANGE_REPLY_SILENCE_MS,
  EXCHANGE_SCHEDULE_MS,
  KEY_REQUEST_FROM,
  REKEY_REQUEST_GAP_MS,
} from "../constants.ts";
import { RateTable } from "../limiter.ts";
import type { Instant } from "../machine.ts";
import type { TunnelEvent } from "./event.ts";
import { commonOptions, type ExchangeFrame, makeExchange, ownExchange, verifyExchange } from "./exchange.ts";
import type { Route } from "./path.ts";
import type { Peer, PeerContext } from "./peer.ts";
import type { TunnelStats } from "./stats.ts";

/** What the exchange asks the node about every frame. */
export interface ExchangePolicy {
  /** Whether this node answers that one at all. */
  mayExchange(node: number, now: Instant): boolean;
  /** Whether a tunnel of `node` may come up under this identity key. */
  acceptsKey(node: number, key: Uint8Array): boolean;
  /** The identity key that the peer must show, `undefined` while unknown. */
  identityKey(node: number): Uint8Array | undefined;
}

/** What the exchange needs of the tunnels around it. */
export interface ExchangeOptions extends PeerContext {
  readonly identity: Identity;
  /** What we tell peers that we can do. */
  readonly abilities: ExchangeOptionSet;
  readonly policy: ExchangePolicy;
  readonly stats: TunnelStats;
  /** The peer with this number, made when there is none. */
  readonly peer: (node: number, now: Instant) => Peer;
  /** All ways to a peer. */
  readonly everywhere: (peer: Peer) => readonly Route[];
  readonly transmit: (node: number, route: Route, frame: Uint8Array) => void;
  readonly emit: (event: TunnelEvent) => void;
  /** Calls `due` for the peer then; `undefined` cancels. */
  readonly schedule: (peer: Peer, at: Instant | undefined) => void;
  /** Tells what the peer can do, if that is news. */
  readonly noteSession: (peer: Peer, now: Instant) => void;
  /** A key was agreed: what waited can be sealed. */
  readonly agreed: (peer: Peer, now: Instant) => void;
}

/** Exchange frames that wait for the identity key of their sender. */
const PARKED_LIMIT = 256;
/** Sources whose rate is kept. */
const SOURCES_LIMIT = 4_096;
/** A peer whose frames opened within this time is alive: an older announcement of it can only be a replay. */
const ALIVE_MS = 60_000;

/** The key exchanges of one node. */
export class KeyExchange {
  readonly #options: ExchangeOptions;
  readonly #parked = new Map<number, { frame: ExchangeFrame; route: Route }>();
  readonly #sources = new RateTable<string>({
    perSecond: EXCHANGE_FRAMES_PER_SECOND,
    burst: 2 * EXCHANGE_FRAMES_PER_SECOND,
  }, SOURCES_LIMIT);

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** Begins an exchange with a peer, unless one is under way. */
  start(peer: Peer, now: Instant): void {
    if (peer.attempt !== undefined) return;
    peer.attempt = 0;
    const { emit, schedule } = this.#options;
    emit({ type: "need_endpoint", peer: peer.node });
    this.announce(peer, now);
    schedule(peer, now + (EXCHANGE_SCHEDULE_MS[0] ?? 0));
  }

  /** Nothing came back in time: once more, or the end. */
  due(peer: Peer, now: Instant): void {
    if (peer.attempt === undefined) return;
    peer.attempt++;
    const wait = EXCHANGE_SCHEDULE_MS[peer.attempt];
    if (wait === undefined) {
      peer.attempt = undefined;
      if (peer.hasSession) return;
      peer.takePending();
      this.#options.emit({ type: "unreachable", peer: peer.node });
      return;
    }
    this.announce(peer, now);
    if (peer.attempt >= KEY_REQUEST_FROM) this.askForKey(peer);
    this.#options.schedule(peer, now + wait);
  }

  /** Shows our key to a peer, on all ways or on the given ones. */
  announce(peer: Peer, now: Instant, routes = this.#options.everywhere(peer)): void {
    this.#send(peer, { routes, answer: false, now });
  }

  /** Asks a peer that may believe to share a key with us for its PILA. */
  askForKey(peer: Peer): void {
    const { self, everywhere, transmit } = this.#options;
    const frame = encodeUnauthenticated({ sender: self(), exchangeKey: peer.ownKey.publicKey });
    for (const route of everywhere(peer)) transmit(peer.node, route, frame);
  }

  /** A PILK arrived. It is never believed: it asks for our PILA. */
  handleKeyRequest(sender: number, route: Route, now: Instant): void {
    if (!this.#admits(sender, route, now)) return;
    const peer = this.#options.peer(sender, now);
    if (since(peer.lastAnswer, now) < EXCHANGE_REPLY_GAP_MS) return;
    peer.lastAnswer = now;
    this.#send(peer, { routes: [route], answer: true, now });
  }

  /** A PILA arrived. */
  handle(frame: ExchangeFrame, route: Route, now: Instant): void {
    if (!this.#admits(frame.sender, route, now)) return;
    const { policy, stats, emit } = this.#options;
    const key = policy.identityKey(frame.sender);
    if (key !== undefined) return this.#judge(frame, key, { route, now });
    if (this.#parked.size >= PARKED_LIMIT && !this.#parked.has(frame.sender)) {
      return stats.drop("parked_full");
    }
    this.#parked.set(frame.sender, { frame: ownExchange(frame), route });
    emit({ type: "need_identity", peer: frame.sender });
  }

  /** The identity key of `node` as asked for, `undefined` when it cannot be had. */
  handleIdentity(node: number, key: Uint8Array | undefined, now: Instant): void {
    const parked = this.#parked.get(node);
    if (parked === undefined) return;
    this.#parked.delete(node);
    if (key === undefined) this.#options.stats.drop("identity_unknown");
    else this.#judge(parked.frame, key, { route: parked.route, now });
  }

  /** A frame of `node` arrived that we cannot open: it needs our key. Strangers get no answer. */
  handleUndecryptable(node: number, route: Route, now: Instant): void {
    const { policy, stats } = this.#options;
    stats.drop("undecryptable");
    if (!policy.mayExchange(node, now) || !this.#sources.take(sourceKey(route, node), now)) return;
    const peer = this.#options.peer(node, now);
    if (since(peer.lastRekeyRequest, now) < REKEY_REQUEST_GAP_MS) return;
    peer.lastRekeyRequest = now;
    this.announce(peer, now, [route]);
  }

  forget(node: number): void {
    this.#parked.delete(node);
  }

  /** Cheap checks first: neither a flood nor a stranger costs a signature. */
  #admits(sender: number, route: Route, now: Instant): boolean {
    const { policy, stats } = this.#options;
    if (!this.#sources.take(sourceKey(route, sender), now)) stats.drop("exchange_flood");
    else if (!policy.mayExchange(sender, now)) stats.drop("stranger");
    else return true;
    return false;
  }

  #judge(
    frame: ExchangeFrame,
    identityKey: Uint8Array,
    at: { readonly route: Route; readonly now: Instant },
  ): void {
    const { policy, stats, emit, self } = this.#options;
    const { route, now } = at;
    if (!policy.acceptsKey(frame.sender, frame.identityKey) || !equalBytes(frame.identityKey, identityKey)) {
      stats.drop("identity_mismatch");
      return emit({ type: "identity_mismatch", peer: frame.sender });
    }
    const verified = verifyExchange(frame, self());
    if (typeof verified === "string") return stats.drop(`exchange_${verified}`);
    const { exchangeKey, trailer, options } = verified;
    const peer = this.#options.peer(frame.sender, now);
    if (trailer !== undefined) {
      const isOld = trailer.time < peer.lastTrailerTime;
      if (isOld && since(peer.openedAt, now) < ALIVE_MS) return stats.drop("exchange_replay");
      peer.lastTrailerTime = Math.max(peer.lastTrailerTime, trailer.time);
    }
    peer.identityKey = identityKey;
    const rekeyed = peer.hasSession;
    const installed = peer.install(exchangeKey, commonOptions(this.#options.abilities, options), now);
    if (installed === "retired" || installed === "invalid") return stats.drop(`exchange_${installed}`);
    if (route.kind === "direct" && route.via === undefined) peer.paths.addCandidate(route.endpoint, now);
    const answers = trailer?.answer === true;
    if (installed === "new") this.#agree(peer, { rekeyed, answers, now });
    else if (!answers && mayAnswerRepeat(peer, now)) this.#answer(peer, now);
    peer.lastExchangeIn = now;
  }

  #agree(
    peer: Peer,
    how: { readonly rekeyed: boolean; readonly answers: boolean; readonly now: Instant },
  ): void {
    const { stats, schedule, emit, noteSession, agreed } = this.#options;
    stats.count("exchanges");
    if (!how.answers) this.#answer(peer, how.now);
    peer.attempt = undefined;
    schedule(peer, undefined);
    noteSession(peer, how.now);
    emit({ type: "established", peer: peer.node, rekeyed: how.rekeyed });
    agreed(peer, how.now);
  }

  #answer(peer: Peer, now: Instant): void {
    peer.lastAnswer = now;
    this.#send(peer, { routes: this.#options.everywhere(peer), answer: true, now });
  }

  #send(
    peer: Peer,
    how: { readonly routes: readonly Route[]; readonly answer: boolean; readonly now: Instant },
  ): void {
    const { identity, self, unixTime, transmit, abilities } = this.#options;
    const own = { node: self(), identity, key: peer.ownKey };
    const time = unixTime(how.now);
    const frame = makeExchange(own, { receiver: peer.node, answer: how.answer, time, abilities });
    for (const route of how.routes) transmit(peer.node, route, frame);
  }
}

/** A repeated PILA is only answered when the peer gives no other sign that it has our key. */
function mayAnswerRepeat(peer: Peer, now: Instant): boolean {
  return since(peer.lastExchangeIn, now) >= EXCHANGE_DUPLICATE_MS &&
    since(peer.openedAt, now) > EXCHANGE_REPLY_SILENCE_MS &&
    since(peer.lastAnswer, now) >= EXCHANGE_REPLY_GAP_MS;
}

function since(at: Instant | undefined, now: Instant): number {
  return at === undefined ? Infinity : now - at;
}

function sourceKey(route: Route, sender: number): string {
  return route.kind === "direct" ? route.endpoint.host : `relay:${sender}`;
}
