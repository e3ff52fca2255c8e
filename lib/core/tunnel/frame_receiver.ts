/** Frames on their way in: which are refused and why, and who must hear of the others. */

import { decodePacket, type Packet, Protocol } from "../../wire/packet.ts";
import { decodeFrame } from "../../wire/tunnel.ts";
import { PORT_TRAVERSAL } from "../constants.ts";
import type { Instant } from "../machine.ts";
import type { TunnelEvent } from "./event.ts";
import type { KeyExchange } from "./key_exchange.ts";
import type { PathKeeper } from "./path_keeper.ts";
import type { Peer } from "./peer.ts";
import { probeAnswer } from "./probe.ts";
import type { Route } from "./route.ts";
import type { FrameSender } from "./sender.ts";
import type { SealedFrame } from "./session.ts";
import type { SilenceWatch } from "./silence.ts";
import type { TunnelStats } from "./stats.ts";
import type { Traversal } from "./traversal.ts";

/** What the receiver works with. */
export interface FrameReceiverOptions {
  readonly self: () => number;
  readonly stats: TunnelStats;
  readonly peer: (node: number) => Peer | undefined;
  /** Whether frames are taken from the relay only. */
  readonly relayOnly: () => boolean;
  readonly exchange: KeyExchange;
  readonly sender: FrameSender;
  readonly keeper: PathKeeper;
  readonly silence: SilenceWatch;
  readonly traversal: Traversal;
  readonly emit: (event: TunnelEvent) => void;
}

/** A sealed frame as it arrived; `size` counts its bytes. */
interface Arrival {
  readonly route: Route;
  readonly size: number;
  readonly now: Instant;
}

/** The incoming side of the tunnels of one node. */
export class FrameReceiver {
  readonly #options: FrameReceiverOptions;

  constructor(options: FrameReceiverOptions) {
    this.#options = options;
  }

  /** A tunnel frame arrived by `route`. `claimed` is the sender named by the relay wrapper. */
  handle(
    data: Uint8Array,
    route: Route,
    { claimed, now }: { readonly claimed?: number; readonly now: Instant },
  ): void {
    const { self, stats, relayOnly, exchange } = this.#options;
    if (relayOnly() && route.kind === "direct") return stats.drop("relay_only");
    const frame = decodeFrame(data);
    if (typeof frame === "string") return stats.drop(frame === "short" ? "frame_short" : "frame_unknown");
    if (frame.kind === "punch") return stats.count("punches_in");
    if (frame.kind === "plain") return stats.drop("plaintext");
    if (claimed !== undefined && claimed !== frame.sender) return stats.drop("relay_mismatch");
    if (frame.sender === self()) return stats.drop("own_frame");
    if (frame.kind === "unauthenticated") exchange.handleKeyRequest(frame.sender, route, now);
    else if (frame.kind === "authenticated") exchange.handle(frame, route, now);
    else this.#handleSealed(frame.sender, frame, { route, size: data.length, now });
  }

  /** Authenticate, then judge the counter, then the addresses, and only then touch any state. */
  #handleSealed(sender: number, frame: SealedFrame, arrival: Arrival): void {
    const { self, stats, exchange } = this.#options;
    const { route, now } = arrival;
    const peer = this.#options.peer(sender);
    const wasSilent = peer !== undefined && peer.repairs > 0;
    const opened = peer?.open(frame, now) ?? "undecryptable";
    if (peer === undefined || opened === "undecryptable") {
      return exchange.handleUndecryptable(sender, route, now);
    }
    if (opened === "replay") return stats.drop("replay");
    if (opened === "exhausted") {
      peer.forgetKeys();
      return exchange.start(peer, now);
    }
    const packet = decodePacket(opened.plaintext, IN_SEALED_FRAME);
    if (typeof packet === "string") return stats.drop(`packet_${packet}`);
    const refusal = refusalOf(packet, { peer: peer.node, self: self() });
    if (refusal !== undefined) return stats.drop(refusal);
    this.#note(peer, packet, { ...arrival, wasSilent });
    this.#deliver(peer, packet, arrival);
  }

  /** What the mere arrival of a packet says of the peer and of its paths. */
  #note(peer: Peer, packet: Packet, arrival: Arrival & { readonly wasSilent: boolean }): void {
    const { stats, sender, keeper, silence, traversal, emit } = this.#options;
    const { route, size, now, wasSilent } = arrival;
    const isTraffic = packet.protocol !== Protocol.CONTROL;
    stats.received(size);
    peer.usedAt = now;
    if (isTraffic) traversal.noteTraffic(peer, now);
    if (peer.paths.noteReceived(route, now, { traffic: isTraffic, size })) keeper.arm(peer, now);
    keeper.noteSession(peer, now);
    if (route.kind === "relay" && route.beacon !== undefined) {
      peer.relay.noteHeard(route.beacon, { relays: sender.relays, wasSilent, isTraffic, now });
    }
    if (wasSilent) emit({ type: "heard_again", peer: peer.node });
    if (isTraffic) silence.noteHeard(peer, now);
  }

  /** Probes and the messages of traversal are for the tunnels themselves. */
  #deliver(peer: Peer, packet: Packet, { route, now }: Arrival): void {
    const { keeper, traversal, emit } = this.#options;
    const isControl = packet.protocol === Protocol.CONTROL;
    const token = isControl ? probeAnswer(packet) : undefined;
    if (token !== undefined) {
      if (!peer.paths.handleAnswer(token, now, route)) {
        traversal.handleAnswer(peer, { token, from: route }, now);
      }
      if (route.kind === "relay" && route.beacon !== undefined) {
        peer.relay.handleAnswer(token, route.beacon, now);
      }
      keeper.rearm(peer);
    } else if (isControl && packet.destinationPort === PORT_TRAVERSAL) {
      traversal.handle(peer, packet.payload, now);
    } else emit({ type: "packet", peer: peer.node, packet, route });
    keeper.tell(peer, now);
    if (peer.probeAt === Infinity) keeper.rearm(peer);
  }
}

/** A peer may only speak for itself and to us. Old keep-alives, empty pings, name no source. */
function refusalOf(
  packet: Packet,
  ends: { readonly peer: number; readonly self: number },
): string | undefined {
  const { source, destination } = packet;
  const isKeepalive = packet.protocol === Protocol.CONTROL && packet.payload.length === 0;
  if (source.node !== ends.peer && !(isKeepalive && source.node === 0)) return "spoofed_source";
  return destination.node !== ends.self && !isKeepalive ? "wrong_destination" : undefined;
}

const IN_SEALED_FRAME = { zeroMeansNone: true } as const;
