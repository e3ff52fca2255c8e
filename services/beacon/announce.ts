/** Keeps a beacon in the list of a registry, and the other beacons of that list as its peers. */

import type { Beacon } from "../../lib/beacon/beacon.ts";
import { resolveHost } from "../../lib/io/addresses.ts";
import type { Log } from "../../lib/io/log.ts";
import { pause } from "../../lib/io/pause.ts";
import { RegistryClient } from "../../lib/io/registry_client.ts";
import { type Endpoint, formatEndpoint, sameEndpoint, splitHostPort } from "../../lib/wire/endpoint.ts";

/** Milliseconds between announcements; registries forget a beacon after 60 s. */
const ANNOUNCE_EVERY_MS = 30_000;

/** What to announce, where and until when. */
export interface AnnounceOptions {
  /** Not 0. */
  readonly id: number;
  readonly registry: Endpoint;
  /** What the beacon listens on. */
  readonly endpoint: Endpoint;
  /** `HOST:PORT` to announce instead. */
  readonly advertise?: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Called after the beacon got other peers. */
  changed(): void;
}

/** Announces the beacon at once and then every 30 s. Resolves when `signal` aborts; never rejects. */
export async function announce(beacon: Beacon, options: AnnounceOptions): Promise<void> {
  const { log, signal } = options;
  const client = new RegistryClient({ address: options.registry });
  let failing = false;
  while (!signal.aborted) {
    try {
      await announceOnce(client, beacon, options);
      if (failing) log.info("announced to the registry again");
      failing = false;
    } catch (error) {
      if (signal.aborted) break;
      // The peers found before stay: a registry that is down must not split the mesh.
      if (!failing) log.warn("cannot announce to the registry, will keep trying", { error });
      failing = true;
    }
    await pause(ANNOUNCE_EVERY_MS, signal);
  }
  client.close();
}

async function announceOnce(client: RegistryClient, beacon: Beacon, options: AnnounceOptions): Promise<void> {
  const { id, signal, log } = options;
  const addr = options.advertise ?? formatEndpoint(await publicEndpoint(options));
  const registered = await client.request({ type: "beacon_register", beacon_id: id, addr }, { signal });
  if (registered.type === "error") throw new Error(registered.error);
  const reply = await client.request({ type: "beacon_list" }, { signal });
  if (reply.type !== "beacon_list_ok") return;
  const peers: Endpoint[] = [];
  for (const other of reply.beacons) {
    const parts = other.id === id || other.addr === addr ? undefined : splitHostPort(other.addr);
    const host = parts === undefined || parts.host === "" ? undefined : await resolveHost(parts.host);
    if (parts !== undefined && host !== undefined) peers.push({ host, port: parts.port });
  }
  const before = beacon.peers;
  beacon.setDiscoveredPeers(peers.filter((peer) => !sameEndpoint(peer, options.endpoint)));
  options.changed();
  log.debug("announced to the registry", { addr, peersBefore: before.length, peers: beacon.peers.length });
}

/** What the beacon listens on; for all addresses, the one that the way to the registry begins at. */
async function publicEndpoint(options: AnnounceOptions): Promise<Endpoint> {
  const { endpoint, registry, signal } = options;
  if (endpoint.host !== "0.0.0.0" && endpoint.host !== "::") return endpoint;
  const connection = await Deno.connect({ hostname: registry.host, port: registry.port, signal });
  const { hostname } = connection.localAddr;
  connection.close();
  return { host: hostname, port: endpoint.port };
}
