/**
 * The repair of tunnels whose peer has fallen silent: perhaps it lost its keys, perhaps its endpoint is another one.
 */

import type { Instant } from "../machine.ts";
import { Timers } from "../timers.ts";
import type { TunnelEvent } from "./event.ts";
import type { KeyExchange } from "./key_exchange.ts";
import type { Peer } from "./peer.ts";
import { Watchdog } from "./watchdog.ts";

/** What the repair works with. */
export interface SilenceOptions {
  readonly peer: (node: number) => Peer | undefined;
  readonly emit: (event: TunnelEvent) => void;
  readonly exchange: () => KeyExchange;
}

/** Watches for peers that do not answer. */
export class SilenceWatch {
  readonly #options: SilenceOptions;
  readonly #timers = new Timers<number>();

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  /** The first frame since something of the peer opened leaves now. */
  start(peer: Peer, now: Instant): void {
    peer.unansweredSince = now;
    this.#arm(peer, now + Watchdog.delay(peer.repairs));
  }

  forget(node: number): void {
    this.#timers.set(node, undefined);
  }

  handleTimeout(now: Instant): void {
    for (let node = this.#timers.popDue(now); node !== undefined; node = this.#timers.popDue(now)) {
      const peer = this.#options.peer(node);
      if (peer !== undefined) this.#look(peer, now);
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#timers.next();
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
    this.#options.emit({ type: "need_endpoint", peer: peer.node });
    exchange.announce(peer, now);
    if (peer.repairs > 1) exchange.askForKey(peer);
  }
}
