/**
 * What happens in an agent, told to whoever listens, in the form that its clients read.
 */

import { natType } from "../../lib/core/nat/behaviour.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import { formatEndpoint } from "../../lib/wire/endpoint.ts";
import type { AgentEvent } from "./api.ts";
import { peerPaths, type ReportSource } from "./report.ts";

/** Gives every listener every event. */
export class EventHub {
  readonly #receivers = new Set<(event: AgentEvent) => void>();

  /** Whether anybody listens: if not, nobody need put events into words. */
  get hasListeners(): boolean {
    return this.#receivers.size > 0;
  }

  /** Adds a listener; returns its removal. */
  add(receiver: (event: AgentEvent) => void): () => void {
    this.#receivers.add(receiver);
    return () => void this.#receivers.delete(receiver);
  }

  publish(events: readonly AgentEvent[]): void {
    for (const event of events) for (const receiver of this.#receivers) receiver(event);
  }
}

/** What a report is drawn from, and where the beacon is. */
export interface EventSource extends ReportSource {
  /** `host:port` of the beacon in use, as configured. */
  readonly beaconAddress: string;
  /** Unix milliseconds. */
  readonly time: number;
}

/** The events that clients hear of, if any, when the node says this. */
export function eventsOf(event: NodeEvent, source: EventSource): AgentEvent[] {
  const { time, node } = source;
  const of = (peer: number) => ({ time, node_id: peer, hostname: source.names.get(peer) ?? "" });
  switch (event.type) {
    case "path":
      return pathEvents(event.peer, source);
    case "punch":
      return [{ type: "punch", ...of(event.peer) }];
    case "established": {
      const state = event.rekeyed ? "rekeyed" : "connected";
      return [
        { type: "peer", ...of(event.peer), state },
        ...(event.rekeyed ? [] : pathEvents(event.peer, source)),
      ];
    }
    case "unreachable":
      return [{ type: "peer", ...of(event.peer), state: "unreachable" }];
    case "trust": {
      const { type: name, peer, via, detail = "" } = event.event;
      return [{ type: "trust", ...of(peer), event: name, via, detail }];
    }
    case "endpoint":
    case "nat": {
      const { reflexive } = node.beacon;
      const endpoint = reflexive === undefined ? "" : formatEndpoint(reflexive);
      return [{ type: "nat", time, nat_type: natType(node.nat), endpoint }];
    }
    case "beacon":
      return [{ type: "beacon", time, address: source.beaconAddress, reachable: event.reachable }];
    default:
      return [];
  }
}

function pathEvents(peer: number, source: EventSource): AgentEvent[] {
  const found = source.node.tunnels.peer(peer);
  if (found === undefined) return [];
  const { node_id, hostname, path, method, endpoint, rtt_ms, reason } = peerPaths(found, source);
  return [{ type: "path", time: source.time, node_id, hostname, path, method, endpoint, rtt_ms, reason }];
}
