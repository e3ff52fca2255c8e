/** What becomes of the streams, keys and punches of a peer that is out of reach, or that trust has ended with. */

import type { Instant } from "./machine.ts";
import type { NodeParts } from "./node_parts.ts";
import { sendSegment } from "./outgoing.ts";

/** Gives up peers of one node. */
export class LostPeers {
  readonly #parts: NodeParts;

  constructor(parts: NodeParts) {
    this.#parts = parts;
  }

  /** No key could be agreed with `peer`: all that was dialled has timed out. */
  handleUnreachable(peer: number, now: Instant): void {
    this.#failDials(peer, "timeout", now);
    this.#parts.beacon.stopPunch(peer);
  }

  /**
   * The registry did not name the endpoint of `peer`, for `reason`, which is `undefined` when it could not be asked.
   * Without its help a trusted peer may still be known, or reachable through the relay.
   */
  handleUnresolved(peer: number, reason: string | undefined, now: Instant): void {
    const { trust, tunnels, beacon } = this.#parts;
    if (reason === undefined || trust.isTrusted(peer)) return;
    if (tunnels.peer(peer)?.hasSession === true) return;
    this.#failDials(peer, { detail: reason }, now);
    // An answer to our request for trust may still be on its way.
    if (trust.awaits(peer)) return;
    tunnels.forget(peer);
    beacon.stopPunch(peer);
  }

  /** Trust has ended: streams are reset and keys forgotten, in this order, so that the resets still leave. */
  drop(peer: number, now: Instant): void {
    const { ports, tunnels, beacon, desk } = this.#parts;
    ports.resetPeer(peer, now);
    while (sendSegment(this.#parts, now));
    tunnels.forget(peer);
    beacon.stopPunch(peer);
    desk.forgetIdentity(peer);
  }

  #failDials(peer: number, failure: "timeout" | { readonly detail: string }, now: Instant): void {
    const { handshakes, dials, ports, events } = this.#parts;
    const reason = failure === "timeout" ? failure : "unresolved";
    const detail = failure === "timeout" ? undefined : failure.detail;
    // Messages of the handshake wait longer than people do: only silence ends them.
    const isMeant = (id: number) => reason === "timeout" || !handshakes.owns(id);
    for (const id of dials.take(peer, isMeant)) {
      if (!handshakes.owns(id)) events.push({ type: "dial_failed", id, peer, reason, detail });
      ports.abort(id, now);
    }
  }
}
