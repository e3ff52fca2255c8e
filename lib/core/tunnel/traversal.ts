/**
 * Getting from the relay to a direct path: candidates exchanged with peers of our kind, and attempts that both ends
 * make together for as long as the relay is all there is.
 */

import {
  decodeTraversal,
  encodeTraversal,
  type NatFacts,
  type TraversalMessage,
} from "../../wire/candidates.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { type Packet, PACKET_VERSION, Protocol } from "../../wire/packet.ts";
import { PORT_TRAVERSAL, UPGRADE_SCHEDULE_MS } from "../constants.ts";
import type { Instant, RandomSource } from "../machine.ts";
import { earlier, Timers } from "../timers.ts";
import { CandidateExchange } from "./candidate_exchange.ts";
import { type OwnCandidates, usableCandidates } from "./candidates.ts";
import type { TunnelEvent } from "./event.ts";
import type { PathKeeper } from "./path_keeper.ts";
import type { Peer } from "./peer.ts";
import { probePacket } from "./probe.ts";
import type { Route } from "./route.ts";
import { Searches, type SearchState } from "./searches.ts";
import type { FrameSender } from "./sender.ts";
import type { TunnelStats } from "./stats.ts";

/** What traversal works with. */
export interface TraversalOptions {
  readonly self: () => number;
  /** Unix time in milliseconds. */
  readonly unixTime: (now: Instant) => number;
  readonly peer: (node: number) => Peer | undefined;
  readonly peers: () => Iterable<Peer>;
  /** Whether a node may know where we are. */
  readonly maySeeUs: (node: number) => boolean;
  readonly sender: FrameSender;
  readonly keeper: PathKeeper;
  readonly stats: TunnelStats;
  readonly emit: (event: TunnelEvent) => void;
  readonly random: RandomSource;
  /** Numbers of extra sockets. */
  readonly vias: { take(): number; give(via: number): void };
  /** Whether no direct path can be had now. */
  readonly relayOnly: () => boolean;
  /** Whether ports may be searched. */
  readonly search: boolean;
}

/** Attempts that a peer asks for are made at most once in this time, milliseconds. */
const ATTEMPT_GAP_MS = 1_000;
/** The beacon is asked to make a peer punch at most once in this time, milliseconds. */
const PUNCH_GAP_MS = 15_000;

interface Upgrade {
  /** Position in `UPGRADE_SCHEDULE_MS`. */
  step: number;
  triedAt: Instant;
}

/** How far a peer has been got out of the relay. */
export interface TraversalState {
  readonly peerNat: NatFacts | undefined;
  readonly search: SearchState | undefined;
}

/** The ways out of the relay, for all peers of one node. */
export class Traversal {
  readonly #options: TraversalOptions;
  readonly #exchange: CandidateExchange;
  readonly #searches: Searches;
  readonly #upgrades = new Map<number, Upgrade>();
  readonly #timers = new Timers<number>();

  constructor(options: TraversalOptions) {
    this.#options = options;
    const { self, peer, vias, sender } = options;
    const mayShare = (each: Peer) =>
      each.exchangesCandidates && !options.relayOnly() && options.maySeeUs(each.node);
    this.#searches = new Searches({
      self,
      peer,
      vias,
      enabled: options.search,
      random: () => new DataView(options.random(new Uint8Array(4)).buffer).getUint32(0),
      own: () => this.#exchange.own.nat,
      theirs: (each) => mayShare(each) ? this.#exchange.theirs(each.node) : undefined,
      tell: (each, message, now) => this.#send(each, message, now),
      discover: (via) => sender.discover(via),
      probe: (each, route, token, now) => {
        sender.send(each, probePacket({ self: self(), peer: each.node, token }), [route], now);
      },
    });
    this.#exchange = new CandidateExchange({
      ...options,
      mayShare,
      send: (peer, message, now) => this.#send(peer, message, now),
      adopt: (peer, { candidates, probeNow }, isNew, now) => {
        if (isNew) {
          for (const { kind, endpoint } of usableCandidates(candidates, this.#exchange.own)) {
            peer.paths.addCandidate(endpoint, now, kind);
          }
        }
        if (probeNow) this.#handleAttempt(peer, now);
        this.#searches.consider(peer, now);
        options.keeper.rearm(peer);
      },
    });
  }

  /** Something about us is known now, or is different; true when this is another network than before. */
  update(change: Partial<OwnCandidates>, now: Instant): boolean {
    const before = this.#exchange.own.local;
    this.#exchange.update(change, now);
    for (const peer of this.#options.peers()) this.#searches.consider(peer, now);
    // Another network: what was lost on the old one may work here.
    if (before.length === 0 || this.#exchange.own.local === before) return false;
    for (const peer of this.#options.peers()) {
      peer.paths.forgive(now);
      this.#options.keeper.rearm(peer);
    }
    return true;
  }

  /** What a peer has told of its NAT, and how the search of ports with it stands. */
  stateOf(node: number, now: Instant): TraversalState {
    return { peerNat: this.#exchange.theirs(node)?.nat, search: this.#searches.stateOf(node, now) };
  }

  /** A session with a peer has begun, or it is trusted now. */
  begin(peer: Peer, now: Instant): void {
    this.#exchange.begin(peer, now);
    // The side that was dialled has asked for nothing yet.
    if (!peer.paths.isDirect && !peer.isSeenAt()) this.#options.emit({ type: "need_punch", peer: peer.node });
    this.#watch(peer, now);
  }

  /** Traffic with a peer. After a while without, where the two are may have changed. */
  noteTraffic(peer: Peer, now: Instant): void {
    if (!peer.hasSession || peer.paths.isActive(now)) return;
    this.#exchange.wake(peer, now);
    this.#watch(peer, now);
  }

  /** The path in use of a peer may have been lost. */
  notePath(peer: Peer, now: Instant): void {
    if (peer.paths.isDirect) return this.#searches.succeed(peer, now);
    this.#watch(peer, now);
    this.#searches.consider(peer, now);
  }

  /** The beacon has seen a peer at an address. */
  noteSeenAt(peer: Peer, host: string, now: Instant): void {
    peer.noteSeenAt(host);
    this.#searches.consider(peer, now);
  }

  /** The beacon sees the extra socket `via` at `endpoint`. */
  handleOutside(via: number, endpoint: Endpoint, now: Instant): void {
    this.#searches.handleOutside(via, endpoint, now);
  }

  /** The answer to a probe that no path has sent opened, which arrived by `from`. */
  handleAnswer(peer: Peer, answer: { readonly token: number; readonly from: Route }, now: Instant): void {
    const found = this.#searches.takeAnswer(peer, answer.token, now);
    if (found !== undefined) peer.paths.adopt(found, { from: answer.from, now });
  }

  /** No path to a peer leaves from the extra socket `via` any more. */
  release(node: number, via: number): void {
    if (!this.#searches.owns(node, via)) this.#options.vias.give(via);
  }

  /** The payload of a control packet to `PORT_TRAVERSAL`, from a sealed frame. */
  handle(peer: Peer, payload: Uint8Array, now: Instant): void {
    const message = decodeTraversal(payload);
    if (typeof message === "string") return this.#options.stats.drop(`traversal_${message}`);
    if (message.kind === "search") this.#searches.handleMessage(peer, message, now);
    else this.#exchange.handle(peer, message, now);
  }

  forget(node: number): void {
    this.#exchange.forget(node);
    this.#searches.forget(node);
    this.#upgrades.delete(node);
    this.#timers.set(node, undefined);
  }

  handleTimeout(now: Instant): void {
    this.#exchange.handleTimeout(now);
    this.#searches.handleTimeout(now);
    for (let node = this.#timers.popDue(now); node !== undefined; node = this.#timers.popDue(now)) {
      this.#attempt(node, now);
    }
  }

  pollTimeout(): Instant | undefined {
    const search = earlier(this.#searches.pollTimeout(), this.#exchange.pollTimeout());
    return earlier(search, this.#timers.next());
  }

  /** Begins to look for a direct path, unless that is under way. */
  #watch(peer: Peer, now: Instant): void {
    if (this.#upgrades.has(peer.node) || !peer.hasSession || this.#options.relayOnly()) return;
    this.#upgrades.set(peer.node, { step: 0, triedAt: -Infinity });
    this.#timers.set(peer.node, now + (UPGRADE_SCHEDULE_MS[0] ?? 0));
  }

  /** Both ends try once more, unless there is a direct path, or nothing to carry. */
  #attempt(node: number, now: Instant): void {
    const peer = this.#options.peer(node);
    const upgrade = this.#upgrades.get(node);
    if (peer === undefined || upgrade === undefined) return;
    if (peer.paths.isDirect || !peer.paths.isActive(now)) {
      this.#upgrades.delete(node);
      return;
    }
    // New mappings would take ports that a search has foretold.
    if (this.#searches.isActive(node)) return this.#timers.set(node, now + ATTEMPT_GAP_MS);
    if (this.#needsPunch(peer, upgrade)) this.#options.emit({ type: "need_punch", peer: node });
    this.#exchange.tell(peer, now, { probeNow: true });
    this.#retry(peer, upgrade, now);
    this.#searches.consider(peer, now);
  }

  /**
   * Whether the beacon is to be asked for help: not when both ends probe at each other's word anyway, and otherwise not
   * as often as at first, for beacons serve many.
   */
  #needsPunch(peer: Peer, { step }: Upgrade): boolean {
    const { candidates = [] } = this.#exchange.theirs(peer.node) ?? {};
    const reflexive = candidates.find(({ kind }) => kind === "reflexive")?.endpoint.host;
    if (reflexive !== undefined && peer.isSeenAt(reflexive)) return false;
    return (UPGRADE_SCHEDULE_MS[step] ?? 0) >= PUNCH_GAP_MS;
  }

  /** The peer makes an attempt: so do we, which takes the place of our next one. */
  #handleAttempt(peer: Peer, now: Instant): void {
    if (peer.paths.isDirect || this.#searches.isActive(peer.node)) return;
    this.#watch(peer, now);
    const upgrade = this.#upgrades.get(peer.node);
    if (upgrade !== undefined && now - upgrade.triedAt >= ATTEMPT_GAP_MS) this.#retry(peer, upgrade, now);
  }

  #retry(peer: Peer, upgrade: Upgrade, now: Instant): void {
    upgrade.triedAt = now;
    upgrade.step = Math.min(upgrade.step + 1, UPGRADE_SCHEDULE_MS.length - 1);
    this.#timers.set(peer.node, now + (UPGRADE_SCHEDULE_MS[upgrade.step] ?? 0));
    // Peers of other kinds do not try at the same time: their probes keep their own schedule.
    if (!peer.exchangesCandidates) return;
    peer.paths.retry(now);
    this.#options.keeper.rearm(peer);
  }

  /** Control messages are no traffic: they must not make paths and keys look used. */
  #send(peer: Peer, message: TraversalMessage, now: Instant): void {
    const { self, sender } = this.#options;
    const packet: Packet = {
      version: PACKET_VERSION,
      flags: 0,
      protocol: Protocol.CONTROL,
      source: { network: 0, node: self() },
      sourcePort: PORT_TRAVERSAL,
      destination: { network: 0, node: peer.node },
      destinationPort: PORT_TRAVERSAL,
      sequence: 0,
      acknowledgement: 0,
      window: 0,
      payload: encodeTraversal(message),
    };
    sender.send(peer, packet, peer.paths.routes(now, sender.hasRelay), now);
  }
}
