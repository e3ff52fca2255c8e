/**
 * The repair of tunnels whose peer has fallen silent: perhaps it lost its keys, perhaps its endpoint is another one,
 * perhaps the way from it to us is.
 */

import type { Instant } from "../machine.ts";
import { earlier, Timers } from "../timers.ts";
import type { TunnelEvent } from "./event.ts";
import type { KeyExchange } from "./key_exchange.ts";
import type { PathKeeper } from "./path_keeper.ts";
import type { Peer } from "./peer.ts";
import { Watchdog } from "./watchdog.ts";

/** What the repair works with. */
export interface SilenceOptions {
  readonly peer: (node: number) => Peer | undefined;
  readonly emit: (event: TunnelEvent) => void;
  readonly exchange: () => KeyExchange;
  readonly keeper: PathKeeper;
}

/** Watches for peers that do not answer. */
export class SilenceWatch {
  readonly #options: SilenceOptions;
  /** Peers that owe an answer, and peers that were talking. */
  readonly #timers = new Timers<number>();
  readonly #pauses = new Timers<number>();

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  /** The first frame since something of the peer opened leaves now. */
  start(peer: Peer, now: Instant): void {
    peer.unansweredSince = now;
    this.#arm(peer, now + Watchdog.delay(peer.repairs));
  }

  /** Traffic of the peer arrived. */
  noteHeard(peer: Peer, now: Instant): void {
    const at = peer.quiet.noteHeard(now);
    if (at !== undefined) this.#pauses.set(peer.node, at);
  }

  forget(node: number): void {
    this.#timers.set(node, undefined);
    this.#pauses.set(node, undefined);
  }

  handleTimeout(now: Instant): void {
    for (let node = this.#timers.popDue(now); node !== undefined; node = this.#timers.popDue(now)) {
      const peer = this.#options.peer(node);
      if (peer !== undefined) this.#look(peer, now);
    }
    for (let node = this.#pauses.popDue(now); node !== undefined; node = this.#pauses.popDue(now)) {
      const peer = this.#options.peer(node);
      if (peer !== undefined) this.#lookAfter(peer, now);
    }
  }

  pollTimeout(): Instant | undefined {
    return earlier(this.#timers.next(), this.#pauses.next());
  }

  #arm(peer: Peer, at: Instant): void {
    if (at >= peer.watchAt) return;
    peer.watchAt = at;
    this.#timers.set(peer.node, at);
  }

  #look(peer: Peer, now: Instant): void {
    peer.watchAt = Infinity;
    if (peer.sentSinceOpened === 0) return;
    const due = peer.unansweredSince + Watchdog.delay(peer.repairs);
    if (now < due) return this.#arm(peer, due);
    const suspicious = Watchdog.isSuspicious(peer);
    peer.sentSinceOpened = 0;
    if (!suspicious) return;
    const exchange = this.#options.exchange();
    peer.repairs++;
    if (peer.repairs > 1) peer.doubtDialect();
    this.#options.emit({ type: "silent", peer: peer.node });
    this.#options.emit({ type: "need_endpoint", peer: peer.node });
    exchange.announce(peer, now);
    if (peer.repairs > 1) exchange.askForKey(peer);
  }

  /** The peer has stopped in the middle of traffic: the path to it is opened again from this side, just in case. */
  #lookAfter(peer: Peer, now: Instant): void {
    const next = peer.quiet.ask(now);
    if (next !== "look") return this.#pauses.set(peer.node, next);
    this.#options.emit({ type: "silent", peer: peer.node });
    peer.paths.confirm(now);
    this.#options.keeper.rearm(peer);
  }
}
