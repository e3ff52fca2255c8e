/**
 * Getting from the relay to a direct path: candidates exchanged with peers of our kind, and attempts that both ends
 * make together for as long as the relay is all there is.
 */

import { decodeTraversal, encodeTraversal, type TraversalMessage } from "../../wire/candidates.ts";
import { type Packet, PACKET_VERSION, Protocol } from "../../wire/packet.ts";
import { PEER_ACTIVE_MS, PORT_TRAVERSAL, UPGRADE_SCHEDULE_MS } from "../constants.ts";
import type { Instant } from "../machine.ts";
import { earlier, Timers } from "../timers.ts";
import { CandidateExchange } from "./candidate_exchange.ts";
import { type OwnCandidates, usableCandidates } from "./candidates.ts";
import type { TunnelEvent } from "./event.ts";
import type { PathKeeper } from "./path_keeper.ts";
import type { Peer } from "./peer.ts";
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
}

/** Attempts that a peer asks for are made at most once in this time, milliseconds. */
const ATTEMPT_GAP_MS = 1_000;

interface Upgrade {
  /** Position in `UPGRADE_SCHEDULE_MS`. */
  step: number;
  triedAt: Instant;
}

/** The ways out of the relay, for all peers of one node. */
export class Traversal {
  readonly #options: TraversalOptions;
  readonly #exchange: CandidateExchange;
  readonly #upgrades = new Map<number, Upgrade>();
  readonly #timers = new Timers<number>();

  constructor(options: TraversalOptions) {
    this.#options = options;
    this.#exchange = new CandidateExchange({
      ...options,
      mayShare: (peer) => peer.exchangesCandidates && options.maySeeUs(peer.node),
      send: (peer, message, now) => this.#send(peer, message, now),
      adopt: (peer, { candidates, probeNow }, isNew, now) => {
        if (isNew) {
          for (const { kind, endpoint } of usableCandidates(candidates, this.#exchange.own)) {
            peer.paths.addCandidate(endpoint, now, kind);
          }
        }
        if (probeNow) this.#handleAttempt(peer, now);
        options.keeper.rearm(peer);
      },
    });
  }

  /** Something about us is known now, or is different. */
  update(change: Partial<OwnCandidates>, now: Instant): void {
    const before = this.#exchange.own.local;
    this.#exchange.update(change, now);
    // Another network: what was lost on the old one may work here.
    if (before.length === 0 || this.#exchange.own.local === before) return;
    for (const peer of this.#options.peers()) {
      peer.paths.forgive(now);
      this.#options.keeper.rearm(peer);
    }
  }

  /** A session with a peer has begun, or it is trusted now. */
  begin(peer: Peer, now: Instant): void {
    this.#exchange.begin(peer, now);
    this.#watch(peer, now);
  }

  /** A peer is in use again after a while. */
  wake(peer: Peer, now: Instant): void {
    this.#exchange.wake(peer, now);
    this.#watch(peer, now);
  }

  /** The path in use of a peer may have been lost. */
  notePath(peer: Peer, now: Instant): void {
    if (!peer.paths.isDirect) this.#watch(peer, now);
  }

  /** The payload of a control packet to `PORT_TRAVERSAL`, from a sealed frame. */
  handle(peer: Peer, payload: Uint8Array, now: Instant): void {
    const message = decodeTraversal(payload);
    if (typeof message === "string") this.#options.stats.drop(`traversal_${message}`);
    else this.#exchange.handle(peer, message, now);
  }

  forget(node: number): void {
    this.#exchange.forget(node);
    this.#upgrades.delete(node);
    this.#timers.set(node, undefined);
  }

  handleTimeout(now: Instant): void {
    this.#exchange.handleTimeout(now);
    for (let node = this.#timers.popDue(now); node !== undefined; node = this.#timers.popDue(now)) {
      this.#attempt(node, now);
    }
  }

  pollTimeout(): Instant | undefined {
    return earlier(this.#exchange.pollTimeout(), this.#timers.next());
  }

  /** Begins to look for a direct path, unless that is under way. */
  #watch(peer: Peer, now: Instant): void {
    if (this.#upgrades.has(peer.node) || !peer.hasSession) return;
    this.#upgrades.set(peer.node, { step: 0, triedAt: -Infinity });
    this.#timers.set(peer.node, now + (UPGRADE_SCHEDULE_MS[0] ?? 0));
  }

  /** Both ends try once more, unless there is a direct path, or nothing to carry. */
  #attempt(node: number, now: Instant): void {
    const peer = this.#options.peer(node);
    const upgrade = this.#upgrades.get(node);
    if (peer === undefined || upgrade === undefined) return;
    if (peer.paths.isDirect || now - peer.usedAt > PEER_ACTIVE_MS) {
      this.#upgrades.delete(node);
      return;
    }
    this.#options.emit({ type: "need_punch", peer: node });
    this.#exchange.tell(peer, now, { probeNow: true });
    this.#retry(peer, upgrade, now);
  }

  /** The peer makes an attempt: so do we, which takes the place of our next one. */
  #handleAttempt(peer: Peer, now: Instant): void {
    if (peer.paths.isDirect) return;
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
