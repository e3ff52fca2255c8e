/** The messages of trust between two nodes, over streams to port 444. */

import { PilotError } from "../wire/error.ts";
import { PORT_HANDSHAKE } from "./constants.ts";
import type { HandshakeEvent } from "./handshake_port.ts";
import type { Instant } from "./machine.ts";
import type { NodeParts } from "./node_parts.ts";
import type { TrustAction } from "./trust.ts";

/** Handshake documents leave in one segment: foreign nodes read no more than their first. */
const HANDSHAKE_SEGMENT = 4_096;

/** Brings messages of trust to peers, and theirs to ours. */
export class TrustMail {
  readonly #parts: NodeParts;

  constructor(parts: NodeParts) {
    this.#parts = parts;
  }

  /** Dials the peer to hand it a document. */
  deliver(action: Extract<TrustAction, { type: "send" }>, now: Instant): void {
    const { ports, dials, handshakes, tunnels, trust } = this.#parts;
    const { peer, kind, document } = action;
    const options = { segmentSize: HANDSHAKE_SEGMENT };
    try {
      const id = ports.connect({ network: 0, node: peer }, PORT_HANDSHAKE, now, options);
      dials.note(id, peer);
      handshakes.deliver(id, { peer, kind, document });
      tunnels.open(peer, now);
    } catch (error) {
      // Too many connections: trust has its own ways to repeat what did not arrive.
      if (!(error instanceof PilotError)) throw error;
      trust.handleDelivery(peer, kind, false, now);
    }
  }

  /** A document has arrived, or it is known whether one of ours did. */
  handle(event: HandshakeEvent, now: Instant): void {
    const { trust, tunnels } = this.#parts;
    if (event.type === "delivery") {
      return trust.handleDelivery(event.peer, event.kind, event.delivered, now);
    }
    const peer = tunnels.peer(event.peer);
    if (peer?.identityKey === undefined) return;
    const origin = peer.paths.describe(false).endpoint?.host;
    trust.handleMessage(event.document, {
      node: event.peer,
      publicKey: peer.identityKey,
      ...(origin === undefined ? {} : { origin }),
    }, now);
  }
}
