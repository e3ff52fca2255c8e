/** Relaying: whose frames a beacon takes, and where it brings them. */

import type { Endpoint } from "../wire/endpoint.ts";
import { decodeFrame } from "../wire/tunnel.ts";
import type { Instant } from "../core/machine.ts";
import type { BeaconParts } from "./parts.ts";
import { delivery, type RelayStep } from "./relay_step.ts";
import type { Session } from "./sessions.ts";
import { noteSighting } from "./sighting.ts";
import { type Claim, isFresh } from "./table.ts";

/** A session not heard of for this long has missed a ping of 30 s: what goes there is tried elsewhere as well. */
const QUIET_SESSION_MS = 45_000;

/** A frame that came by a socket. */
export interface RelayArrival extends RelayStep {
  readonly via: number;
}

/** The relay of one beacon. */
export class Relay {
  readonly #parts: BeaconParts;

  constructor(parts: BeaconParts) {
    this.#parts = parts;
  }

  /** A frame came by a socket, of a node or of another beacon. */
  handleDatagram(from: Endpoint, message: RelayArrival): void {
    const fromPeer = this.#parts.mesh.isPeer(from);
    if (fromPeer || this.#admits(from, message)) this.#pass(message, { fromPeer });
  }

  /** A frame came on the connection of a session. Only relaying in the node's own name is of use there. */
  handleFrame(session: Session, message: RelayStep): void {
    const { budgets, stats } = this.#parts;
    if (message.sender !== session.node) stats.framesRefused++;
    else if (!budgets.mayRelay(session.host, message.data.length, message.now)) stats.relaysLimited++;
    else this.#pass(message, { fromPeer: false });
  }

  /** Whether a node's frame is relayed: within the budget of its source, and from where its claimed sender is. */
  #admits(from: Endpoint, message: RelayArrival): boolean {
    const { nodes, sessions, budgets, stats } = this.#parts;
    const { sender, via, now } = message;
    if (!budgets.mayRelay(from.host, message.data.length, now)) {
      stats.relaysLimited++;
      return false;
    }
    if (nodes.isAt(sender, from, now)) {
      noteSighting(this.#parts, sender, { endpoint: from, via, confirms: true, now });
      return true;
    }
    // An unknown sender's only Discover may have been lost; a known one elsewhere may have been moved by its NAT.
    const isElsewhere = sessions.of(sender) !== undefined || nodes.claims(sender, now).length > 0;
    if (!isElsewhere) return true;
    if (budgets.mayRelayImplausibly(from.host, now)) return true;
    stats.relaysImplausible++;
    return false;
  }

  /** Brings a frame to where its destination is. */
  #pass(message: RelayStep, { fromPeer }: { readonly fromPeer: boolean }): void {
    const { nodes, sessions, mesh, sockets, stats, dispatch } = this.#parts;
    const { destination, frame, now } = message;
    const session = sessions.of(destination);
    const claims = nodes.claims(destination, now);
    if (session !== undefined) {
      this.#count(message);
      dispatch.sendFrame(session, delivery(message, session));
      if (isInTheClear(frame) || isTheOnlyWay(session, claims, now)) return;
    }
    const owner = fromPeer ? undefined : mesh.ownerOf(destination, now);
    if (claims.some((claim) => isFresh(claim, now)) || (claims.length > 0 && owner === undefined)) {
      this.#deliver(claims, message);
    } else if (owner !== undefined) {
      stats.forwarded++;
      this.#count(message);
      dispatch.transmit({ to: owner, data: message.data.slice(), via: sockets.towards(owner.host) });
    } else if (session === undefined) {
      stats.relaysUnknown++;
    }
  }

  #deliver(claims: readonly Claim[], message: RelayStep): void {
    const { budgets, stats, dispatch } = this.#parts;
    const { destination, frame, now } = message;
    // Frames in the clear go to the older claim only: the other one may be a thief's.
    const oneOnly = claims.length > 1 && isInTheClear(frame);
    for (const claim of oneOnly ? claims.slice(0, 1) : claims) {
      if (!claim.confirmed && !budgets.mayReachUnconfirmed(destination, now)) {
        stats.relaysLimited++;
        continue;
      }
      this.#count(message);
      dispatch.send(claim.endpoint, delivery(message, claim), claim.via);
    }
  }

  #count({ frame }: RelayStep): void {
    const { stats } = this.#parts;
    stats.relayed++;
    stats.relayedBytes += frame.length;
  }
}

/** Whether a node is where its session is. A connection may have died unnoticed after it has found another way. */
function isTheOnlyWay(session: Session, claims: readonly Claim[], now: Instant): boolean {
  if (now - session.heard >= QUIET_SESSION_MS) return false;
  return !claims.some((claim) => claim.seen > session.heard);
}

function isInTheClear(frame: Uint8Array): boolean {
  const decoded = decodeFrame(frame);
  return typeof decoded !== "string" && decoded.kind === "plain";
}
