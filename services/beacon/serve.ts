/** A beacon on a UDP socket, which may announce itself to a registry. */

import { Beacon } from "../../lib/beacon/beacon.ts";
import { type BeaconLimits, DEFAULT_LIMITS } from "../../lib/beacon/budget.ts";
import type { BeaconEvent } from "../../lib/beacon/event.ts";
import type { BeaconStats } from "../../lib/beacon/stats.ts";
import { resolveHost } from "../../lib/io/addresses.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { UdpDriver, type UdpDriverStats } from "../../lib/io/driver.ts";
import type { Log, LogFields } from "../../lib/io/log.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { type Endpoint, formatEndpoint } from "../../lib/wire/endpoint.ts";
import { announce } from "./announce.ts";
import { parseHostPort } from "./host_port.ts";
import { openListeners } from "./sockets.ts";
import { type RelayServing, serveRelay } from "./serve_relay.ts";

/** Milliseconds between two lines of counters at level debug. */
const STATS_EVERY_MS = 60_000;

/** How to serve a beacon. */
export interface BeaconServerOptions {
  /**
   * `HOST:PORT` or `:PORT` (all IPv4 addresses); port 0 lets the system choose. With two addresses of one family nodes
   * find out everything about their NATs, with one the most important.
   */
  readonly listen: string | readonly string[];
  /** The second port of every address; default the one above the first if it is free, else any. */
  readonly altPort?: number;
  /** The number of this beacon among its peers; 0, the default, for one on its own. */
  readonly id?: number;
  /** `HOST:PORT` of beacons to exchange node lists with. Names that do not resolve are left out with a warning. */
  readonly peers?: readonly string[];
  /** `HOST:PORT` of a registry to announce this beacon to and to find peers at. Needs an `id`. */
  readonly registry?: string;
  /**
   * `HOST:PORT` that others reach this beacon at, when it is not what it listens on; one for each address. The first
   * one is announced.
   */
  readonly advertise?: string | readonly string[];
  readonly limits?: Partial<BeaconLimits>;
  /** Serves nodes without UDP over WebSocket, too. */
  readonly relay?: RelayServing;
  readonly log: Log;
  /** Ends the beacon. */
  readonly signal: AbortSignal;
}

/** A beacon at work. */
export interface BeaconServer {
  /** The IP address bound. */
  readonly address: string;
  readonly port: number;
  /** The second port at that address. */
  readonly altPort: number;
  /** Every address bound, the first one included. */
  readonly endpoints: readonly Endpoint[];
  /** The TCP port of the relay over WebSocket, if that is served. */
  readonly relayPort: number | undefined;
  /** Resolves when the beacon has stopped. */
  readonly finished: Promise<void>;
  stats(): Readonly<BeaconStats> & Readonly<UdpDriverStats>;
}

/**
 * Starts a beacon. Resolves when it answers.
 *
 * @throws PilotError `invalid_argument` for a malformed address, `already_exists` for a port in use
 */
export async function serveBeacon(options: BeaconServerOptions): Promise<BeaconServer> {
  const { log, id = 0 } = options;
  const registry = options.registry === undefined ? undefined : parseHostPort(options.registry, "registry");
  const advertise = listOf(options.advertise);
  for (const text of advertise) parseHostPort(text, "advertised address");
  const peers = await resolvePeers(options.peers ?? [], log);
  const { sockets: [socket, ...places], bound, addresses } = await openListeners({
    listen: listOf(options.listen),
    ...(options.altPort !== undefined && { altPort: options.altPort }),
    advertise: await resolveAdvertised(advertise),
  });
  const beacon = new Beacon({
    random: systemRandom,
    id,
    peers,
    addresses,
    ...(options.limits && { limits: options.limits }),
  });
  const clock = new SystemClock();
  const ended = new AbortController();
  const driver = UdpDriver.bind<BeaconEvent>(beacon, {
    socket,
    places,
    clock,
    onEvent: (event) => relay?.handle(event),
  });
  const relay = await serveRelay(options.relay, {
    beacon,
    registry,
    maxSessions: options.limits?.sessions ?? DEFAULT_LIMITS.sessions,
    now: () => clock.now(),
    wake: () => driver.wake(),
    log,
    signal: AbortSignal.any([options.signal, ended.signal]),
  }).catch((error) => {
    driver.close();
    throw error;
  });
  const stats = () => ({ ...beacon.stats, ...driver.stats });
  const { host: address, port } = driver.endpoint;
  for (const { main, alternate } of bound) {
    log.info("beacon listening", { address: formatEndpoint(main), altPort: alternate.port, id });
  }
  if (registry !== undefined && id === 0 && relay === undefined) {
    log.warn("not announced to the registry: the beacon has no id");
  }
  const announcing = registry === undefined || id === 0 ? Promise.resolve() : announce(beacon, {
    ...(advertise[0] !== undefined && { advertise: advertise[0] }),
    log,
    id,
    registry,
    endpoint: driver.endpoint,
    signal: AbortSignal.any([options.signal, ended.signal]),
    changed: () => driver.wake(),
  });
  const finished = run(driver, { stats, log, signal: options.signal }).finally(() => {
    ended.abort();
    return Promise.all([announcing, relay?.finished]);
  });
  return {
    address,
    port,
    altPort: bound[0]?.alternate.port ?? 0,
    endpoints: bound.map(({ main }) => main),
    relayPort: relay?.port,
    finished,
    stats,
  };
}

async function run(
  driver: UdpDriver<BeaconEvent>,
  context: { stats: BeaconServer["stats"]; log: Log; signal: AbortSignal },
): Promise<void> {
  const { stats, log, signal } = context;
  const close = () => driver.close();
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  const reporter = setInterval(() => log.debug("beacon", counted(stats())), STATS_EVERY_MS);
  try {
    await driver.finished;
  } finally {
    clearInterval(reporter);
    signal.removeEventListener("abort", close);
  }
  log.info("beacon stopped", counted(stats()));
}

/** The counters that have counted anything. */
function counted(stats: ReturnType<BeaconServer["stats"]>): LogFields {
  return Object.fromEntries(Object.entries(stats).filter(([, count]) => count > 0));
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return typeof value === "string" ? [value] : value ?? [];
}

/** Nodes are told addresses, not names; what does not resolve is only announced. */
async function resolveAdvertised(texts: readonly string[]): Promise<Endpoint[]> {
  const resolved: Endpoint[] = [];
  for (const text of texts) {
    const { host, port } = parseHostPort(text, "advertised address");
    const address = await resolveHost(host);
    if (address === undefined) break;
    resolved.push({ host: address, port });
  }
  return resolved;
}

async function resolvePeers(texts: readonly string[], log: Log): Promise<Endpoint[]> {
  const named = texts.map((text) => parseHostPort(text, "peer"));
  const peers: Endpoint[] = [];
  for (const { host, port } of named) {
    const address = await resolveHost(host);
    if (address === undefined) log.warn("peer left out: its name does not resolve", { host });
    else peers.push({ host: address, port });
  }
  return peers;
}
