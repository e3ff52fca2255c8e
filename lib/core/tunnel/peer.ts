/**
 * One peer's share of the tunnel: keys, sessions, packets that wait for a key, paths.
 */

import type { AeadProvider } from "../../crypto/aead.ts";
import { type Dialect, type ExchangeKey, generateExchangeKey, sharedSecret } from "../../crypto/exchange.ts";
import { equalBytes } from "../../wire/bytes.ts";
import type { ExchangeOptionSet, TransportOption } from "../../wire/exchange_options.ts";
import type { Packet } from "../../wire/packet.ts";
import { CANDIDATE_SESSION_MS, PENDING_PACKETS, RETIRED_KEYS, RETIRED_SESSION_MS } from "../constants.ts";
import type { Instant, RandomSource } from "../machine.ts";
import { Fifo } from "../fifo.ts";
import type { FrameSlab } from "./frame_slab.ts";
import { Paths, type Route } from "./path.ts";
import { Quiet } from "./quiet.ts";
import { RelayChoice } from "./relay_choice.ts";
import { type Opened, type SealedFrame, Session } from "./session.ts";

/** What every peer of a node is built with. */
export interface PeerContext {
  readonly self: () => number;
  readonly aead: AeadProvider;
  readonly random: RandomSource;
  /** Unix time in milliseconds. */
  readonly unixTime: (now: Instant) => number;
  readonly slab: FrameSlab;
  /** The largest datagram worth trying on a direct route to a peer, bytes of UDP payload. */
  readonly ceiling: (route: Route, transport: TransportOption | undefined) => number;
  /** An extra socket is not used by any path to the peer any more. */
  readonly release?: (node: number, via: number) => void;
  /** How long a NAT's mapping may be left alone, milliseconds. */
  readonly keepAlive?: () => number;
  /** Whether no direct path can be had now. */
  readonly relayOnly?: () => boolean;
}

/** Addresses of a peer that are remembered. */
const SEEN_AT_LIMIT = 4;

/** What became of a key the peer announced. */
export type Installed = "new" | "same" | "retired" | "invalid";

/** Keys, sessions, waiting packets and paths of one peer. */
export class Peer {
  readonly node: number;
  readonly paths: Paths;
  readonly relay: RelayChoice;
  readonly quiet = new Quiet();
  readonly #context: PeerContext;
  #own: ExchangeKey | undefined;
  #current: Session | undefined;
  /** A session under a key that the peer announced but has not used yet. */
  #candidate: Session | undefined;
  #retired: { session: Session; until: Instant } | undefined;
  readonly #retiredKeys: Uint8Array[] = [];
  readonly #pending = new Fifo<Packet>();
  #dialect: Dialect = "current";

  /** The identity key that signed the newest key exchange. */
  identityKey: Uint8Array | undefined;
  /** Repetitions of our PILA in the exchange under way; `undefined` when none is. */
  attempt: number | undefined;
  lastExchangeIn: Instant | undefined;
  lastAnswer: Instant | undefined;
  lastRekeyRequest: Instant | undefined;
  /** Time of the newest trailer of the peer, Unix milliseconds. */
  lastTrailerTime = 0;
  /** When a frame of the peer opened last. */
  openedAt: Instant | undefined;
  /** Frames sent since then. */
  sentSinceOpened = 0;
  /** Unanswered repair attempts of the watchdog. */
  repairs = 0;
  /** Whether the registry says that only the relay reaches it. */
  isRelayOnly = false;
  usedAt: Instant;
  /** Addresses at which the beacon has seen it, newest last. */
  readonly #seenAt: string[] = [];
  /** Since when the frames of `sentSinceOpened` go out. */
  unansweredSince: Instant = 0;
  /** When the timers of the tunnels will look at this peer, `Infinity` for never. They may come early. */
  probeAt: Instant = Infinity;
  watchAt: Instant = Infinity;
  /** What the node was told of last. */
  told: {
    transport: TransportOption | undefined;
    inUse: Route | undefined;
    segment: number | undefined;
    /** When the path in use was taken, `undefined` before the first. */
    since: Instant | undefined;
  } = { transport: undefined, inUse: undefined, segment: undefined, since: undefined };

  constructor(node: number, context: PeerContext, now: Instant) {
    this.node = node;
    this.#context = context;
    this.usedAt = now;
    this.relay = new RelayChoice({ isFirst: context.self() < node });
    this.paths = new Paths({
      random: () => new DataView(context.random(new Uint8Array(4)).buffer).getUint32(0),
      ceiling: (route) => context.ceiling(route, this.transport),
      release: (via) => context.release?.(node, via),
      ...(context.keepAlive === undefined ? {} : { keepAlive: context.keepAlive }),
      relayOnly: () => context.relayOnly?.() ?? false,
    }, now);
  }

  /** Our X25519 key towards this peer; made at first use, so that no two peers see the same one. */
  get ownKey(): ExchangeKey {
    this.#own ??= generateExchangeKey(this.#context.random);
    return this.#own;
  }

  get hasSession(): boolean {
    return this.#current !== undefined;
  }

  /** Whether the peer has shown that it holds the key in use. */
  get isProven(): boolean {
    return this.#current?.isProven ?? false;
  }

  /** The dialect the peer was seen to speak. */
  get dialect(): Dialect | undefined {
    return this.#current?.dialect;
  }

  /** What the peer can take on streams; `undefined` for one that is not of our kind, or not known. */
  get transport(): TransportOption | undefined {
    return this.#current?.peerOptions.transport;
  }

  /** Whether the peer takes candidates, and sends its own. */
  get exchangesCandidates(): boolean {
    return this.#current?.peerOptions.candidates ?? false;
  }

  /** The beacon has seen it at an address. */
  noteSeenAt(host: string): void {
    if (this.#seenAt.includes(host)) return;
    this.#seenAt.push(host);
    if (this.#seenAt.length > SEEN_AT_LIMIT) this.#seenAt.shift();
  }

  /** Whether the beacon has seen it at an address, as far as that is remembered; without one, at any. */
  isSeenAt(host?: string): boolean {
    return host === undefined ? this.#seenAt.length > 0 : this.#seenAt.includes(host);
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /**
   * Takes a key that the peer has signed. With a session in place the new one stays a candidate until a frame opens
   * under it: a replayed announcement must not silence a working tunnel.
   */
  install(peerKey: Uint8Array, peerOptions: ExchangeOptionSet, now: Instant): Installed {
    if (this.#current !== undefined && equalBytes(this.#current.peerKey, peerKey)) return "same";
    if (this.#candidate !== undefined && equalBytes(this.#candidate.peerKey, peerKey)) return "same";
    if (this.#retiredKeys.some((key) => equalBytes(key, peerKey))) return "retired";
    const shared = sharedSecret(this.ownKey, peerKey);
    if (shared === undefined) return "invalid";
    const session = new Session({
      self: this.#context.self(),
      peer: this.node,
      peerKey: peerKey.slice(),
      shared,
      peerOptions,
      slab: this.#context.slab,
      aead: this.#context.aead,
      random: this.#context.random,
      now,
      firstCounter: BigInt(Math.trunc(this.#context.unixTime(now) * 1000)),
      dialect: this.#dialect,
    });
    if (this.#current === undefined) this.#current = session;
    else this.#candidate = session;
    return "new";
  }

  /** A PILS frame around `packet`, padded to `size` bytes if given; `undefined` without a key. */
  seal(packet: Packet, size?: number): Uint8Array | undefined {
    return this.#current?.seal(packet, size);
  }

  /** The same under the other key, while it is open which of two keys the peer holds. */
  sealUnderCandidate(packet: Packet, now: Instant): Uint8Array | undefined {
    if (this.#candidate === undefined) return undefined;
    if (now - this.#candidate.createdAt <= CANDIDATE_SESSION_MS) return this.#candidate.seal(packet);
    this.#candidate = undefined;
    return undefined;
  }

  /** Opens a frame under whichever key fits, newest knowledge first. The bytes of the frame may be used up. */
  open(frame: SealedFrame, now: Instant): Opened {
    if (this.#retired !== undefined && now >= this.#retired.until) this.#retired = undefined;
    const inPlace = this.#candidate === undefined && this.#retired === undefined;
    const current = this.#current?.open(frame, now, { inPlace }) ?? "undecryptable";
    if (current !== "undecryptable") return this.#opened(current, this.#current, now);
    const candidate = this.#candidate?.open(frame, now, { inPlace: false }) ?? "undecryptable";
    if (candidate !== "undecryptable") {
      this.#promote(now);
      return this.#opened(candidate, this.#current, now);
    }
    return this.#retired?.session.open(frame, now, { inPlace: false }) ?? "undecryptable";
  }

  /** Keeps a packet until there is a key; the oldest makes room. */
  queue(packet: Packet): void {
    if (this.#pending.length >= PENDING_PACKETS) this.#pending.shift();
    this.#pending.push(packet);
  }

  /** Takes all waiting packets, in order. */
  takePending(): Packet[] {
    return this.#pending.takeAll();
  }

  /** Whether the session cannot go on: counters or nonce prefixes are used up. */
  get mustRekey(): boolean {
    return this.#current?.isExhausted ?? false;
  }

  /** Forgets every key of ours and of the peer; the next packet starts a new exchange. */
  forgetKeys(): void {
    this.#own = undefined;
    this.#current = undefined;
    this.#candidate = undefined;
    this.#retired = undefined;
  }

  /** After unanswered frames in the old dialect the current one is worth a try: the peer may have been upgraded. */
  doubtDialect(): void {
    this.#dialect = "current";
  }

  #promote(now: Instant): void {
    const old = this.#current;
    this.#current = this.#candidate;
    this.#candidate = undefined;
    if (old === undefined) return;
    this.#retired = { session: old, until: now + RETIRED_SESSION_MS };
    this.#retiredKeys.push(old.peerKey);
    if (this.#retiredKeys.length > RETIRED_KEYS) this.#retiredKeys.shift();
  }

  #opened(outcome: Opened, session: Session | undefined, now: Instant): Opened {
    if (typeof outcome === "string") return outcome;
    this.#dialect = session?.dialect ?? this.#dialect;
    this.openedAt = now;
    this.sentSinceOpened = 0;
    this.repairs = 0;
    return outcome;
  }
}
