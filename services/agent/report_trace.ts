/**
 * Measures every path to a peer: sealed probes that the peer answers on the path they came by, so that each path's
 * round trip is its own.
 */

import type { ClientTrace } from "../../lib/client/trace.ts";
import { pause } from "../../lib/io/pause.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { formatEndpoint } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { Path } from "../../lib/core/tunnel/route.ts";
import type { NodeAccess } from "./node_access.ts";

/** Probes per path when the client does not say, and at most. */
const ROUNDS = 5;
const MAX_ROUNDS = 20;
/** How long a round waits for its answers, milliseconds. */
const PATIENCE_MS = 1_000;
/** The same for paths that have not worked yet, once the others have answered: at least this. */
const LEAST_PATIENCE_MS = 150;
/** How often it looks for them, milliseconds. */
const LOOK_MS = 5;

/** @throws PilotError `not_found` when there is no tunnel to `peer` */
export async function tracePaths(
  access: NodeAccess,
  peer: number,
  rounds: number = ROUNDS,
): Promise<ClientTrace> {
  const found = access.node.tunnels.peer(peer);
  if (found === undefined || !found.hasSession) {
    throw new PilotError("not_found", `no tunnel to node ${peer}`, { hint: "connect to it first" });
  }
  const { paths } = found;
  const relay = access.node.beacon.beacon;
  const measured = new Map<Path, { sent: number; readonly rtts: number[] }>();
  let sealing = 0;
  let probes = 0;
  for (let round = 0; round < Math.min(rounds, MAX_ROUNDS); round++) {
    const { direct, relay: relayPath } = paths.inspect();
    const before = [...direct, ...(relay === undefined ? [] : [relayPath])].map((path) => ({
      path,
      sent: path.counters.probesSent,
      answered: path.counters.probesAnswered,
    }));
    const begun = performance.now();
    access.act((node, now) => node.tunnels.probeAll(peer, now));
    sealing += performance.now() - begun;
    const asked = before.filter(({ path, sent }) => path.counters.probesSent > sent);
    probes += asked.length;
    const isAnswered = ({ path, answered }: typeof before[number]) => path.counters.probesAnswered > answered;
    let deadline = begun + PATIENCE_MS;
    let isEnough = false;
    while (!asked.every(isAnswered) && performance.now() < deadline) {
      await pause(LOOK_MS);
      if (isEnough || !asked.filter(({ path }) => path.isProven).every(isAnswered)) continue;
      // What works has answered: the rest gets the time of slow paths, not of dead ones.
      isEnough = true;
      const now = performance.now();
      deadline = Math.min(deadline, now + Math.max(LEAST_PATIENCE_MS, 4 * (now - begun)));
    }
    for (const each of asked) {
      const results = measured.get(each.path) ?? { sent: 0, rtts: [] };
      measured.set(each.path, results);
      results.sent++;
      const { lastRtt } = each.path.counters;
      if (isAnswered(each) && lastRtt !== undefined) results.rtts.push(Math.round(lastRtt * 1000) / 1000);
    }
  }
  const { selected, relay: relayPath } = paths.inspect();
  return {
    node_id: peer,
    seal_ms: probes === 0 ? null : Math.round(sealing / probes * 1000) / 1000,
    paths: [...measured].map(([path, { sent, rtts }]) => ({
      kind: path.isRelay ? "relay" : path.source,
      endpoint: endpointText(path.route.kind === "direct" ? path.route.endpoint : relay),
      in_use: path === (selected ?? relayPath),
      sent,
      rtts_ms: rtts,
    })),
  };
}

function endpointText(endpoint: Endpoint | undefined): string {
  return endpoint === undefined ? "" : formatEndpoint(endpoint);
}
