/**
 * How the bytes to a peer travel, for those who connect to it.
 */

import type { Context } from "../../../lib/cli/command.ts";
import { formatMilliseconds } from "../../../lib/cli/duration.ts";
import type { AgentClient } from "../../../lib/client/agent.ts";
import type { ClientPeerPaths } from "../../../lib/client/paths.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import type { Peer } from "./peer.ts";

/** How the tunnels are encrypted (RFC 7748, NIST SP 800-38D). */
const CIPHERS = "X25519 + AES-256-GCM";

/** How the bytes travel. */
export interface Route {
  /** `direct`, `hole-punch`, `relay` or `none`. */
  readonly path: string;
  readonly rtt: number;
  readonly encrypted: boolean;
  readonly natType: string;
  /** All that the agent knows; agents of other makes tell less. */
  readonly details: ClientPeerPaths | undefined;
}

/** What the agent knows about the way to `peer`; `measured` stands in while it has no round-trip time of its own. */
export async function routeTo(client: AgentClient, peer: Peer, measured: number): Promise<Route> {
  const [info, details] = await Promise.all([client.info(), detailsOf(client, peer)]);
  const found = info.peer_list.find((candidate) => candidate.node_id === peer.node);
  return {
    path: details?.method ?? found?.path ?? "none",
    rtt: details?.rtt_ms ?? found?.rtt_ms ?? measured,
    encrypted: found?.encrypted ?? false,
    natType: info.nat_type,
    details,
  };
}

/** Tells the user that there is a connection, and how it travels. */
export function announceRoute(context: Context, name: string, route: Route): void {
  context.out.progress(`✓ Connected to ${name} (${route.path}, RTT ${formatMilliseconds(route.rtt)})`);
  context.out.progress(route.encrypted ? `✓ Encrypted: ${CIPHERS}` : "✗ Not encrypted");
}

/** The members of a result that tell of the route. */
export function routeFields(route: Route | undefined): object {
  return {
    path: route?.path ?? "none",
    rtt_ms: route?.rtt ?? null,
    encrypted: route?.encrypted ?? false,
    nat_type: route?.natType ?? "unknown",
  };
}

async function detailsOf(client: AgentClient, peer: Peer): Promise<ClientPeerPaths | undefined> {
  try {
    return (await client.paths(peer.node)).peers[0];
  } catch (error) {
    if (error instanceof PilotError && error.code === "unavailable") return undefined;
    throw error;
  }
}
