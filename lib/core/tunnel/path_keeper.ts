/** The paths of all peers over time: probes when they are due, and news when traffic takes another way. */

import type { Instant } from "../machine.ts";
import { Timers } from "../timers.ts";
import { DATAGRAM_OVERHEAD } from "./ceiling.ts";
import type { TunnelEvent } from "./event.ts";
import type { Peer } from "./peer.ts";
import { probePacket } from "./probe.ts";
import type { FrameSender } from "./sender.ts";

/** What the keeper works with. */
export interface PathKeeperOptions {
  readonly self: () => number;
  readonly peer: (node: number) => Peer | undefined;
  readonly sender: FrameSender;
  readonly emit: (event: TunnelEvent) => void;
  /** Traffic takes another path than before. */
  readonly changed: (peer: Peer, now: Instant) => void;
}

/** Keeps the paths of all peers of one node. */
export class PathKeeper {
  readonly #options: PathKeeperOptions;
  readonly #timers = new Timers<number>();

  constructor(options: PathKeeperOptions) {
    this.#options = options;
  }

  /**
   * Looks at the paths of a peer at the latest then. A timer that fires early costs less than moving it with every
   * packet, so it is only ever moved forward.
   */
  arm(peer: Peer, at: Instant | undefined): void {
    if (at === undefined || at >= peer.probeAt) return;
    peer.probeAt = at;
    this.#timers.set(peer.node, at);
  }

  /** Something about the paths of a peer has changed: looks at them when they want it. */
  rearm(peer: Peer): void {
    this.arm(peer, peer.paths.nextTimeout(this.#options.sender.hasRelay));
  }

  /** Sends the probes of a peer that are due. */
  probe(peer: Peer, now: Instant): void {
    const { self, sender } = this.#options;
    peer.probeAt = Infinity;
    for (const { route, token, size } of peer.paths.dueProbes(now, sender.hasRelay)) {
      const packet = probePacket({ self: self(), peer: peer.node, token });
      const routes = route.kind === "relay" ? peer.relay.probe(token, sender.relays, now) : [route];
      if (size === undefined) sender.send(peer, packet, routes, now);
      else sender.probe(peer, packet, route, size);
    }
    this.tell(peer, now);
    this.rearm(peer);
  }

  /** Tells what the peer can take, when its key in use says something else than before. */
  noteSession(peer: Peer, now: Instant): void {
    const { transport, told } = peer;
    if (transport === told.transport) return;
    told.transport = transport;
    told.segment = undefined;
    peer.paths.updateCeilings(now);
    this.#options.emit({ type: "transport", peer: peer.node, transport });
    this.tell(peer, now);
  }

  /** Tells when traffic takes another path, and what that carries. */
  tell(peer: Peer, now: Instant): void {
    const { node, paths, told, transport } = peer;
    const { inUse } = paths;
    if (inUse !== told.inUse) {
      told.inUse = inUse;
      told.since = now;
      this.#options.emit({ type: "path_changed", peer: node });
      this.#options.changed(peer, now);
    }
    const bytes = paths.limit - DATAGRAM_OVERHEAD;
    if (transport === undefined || bytes === told.segment) return;
    told.segment = bytes;
    this.#options.emit({ type: "segment_limit", peer: node, bytes });
  }

  forget(node: number): void {
    this.#timers.set(node, undefined);
  }

  handleTimeout(now: Instant): void {
    for (let node = this.#timers.popDue(now); node !== undefined; node = this.#timers.popDue(now)) {
      const peer = this.#options.peer(node);
      if (peer !== undefined) this.probe(peer, now);
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#timers.next();
  }
}
