/** A beacon on a UDP socket, which may announce itself to a registry. */

import { Beacon } from "../../lib/beacon/beacon.ts";
import type { BeaconLimits } from "../../lib/beacon/budget.ts";
import type { BeaconStats } from "../../lib/beacon/stats.ts";
import { resolveHost } from "../../lib/io/addresses.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { UdpDriver, type UdpDriverStats } from "../../lib/io/driver.ts";
import type { Log, LogFields } from "../../lib/io/log.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { type Endpoint, formatEndpoint, splitHostPort } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { announce } from "./announce.ts";

const ADDRESS_HINT = "write HOST:PORT, such as 203.0.113.1:9001";
/** Milliseconds between two lines of counters at level debug. */
const STATS_EVERY_MS = 60_000;

/** How to serve a beacon. */
export interface BeaconServerOptions {
  /** `HOST:PORT` or `:PORT` (all IPv4 addresses); port 0 lets the system choose. */
  readonly listen: string;
  /** The number of this beacon among its peers; 0, the default, for one on its own. */
  readonly id?: number;
  /** `HOST:PORT` of beacons to exchange node lists with. Names that do not resolve are left out with a warning. */
  readonly peers?: readonly string[];
  /** `HOST:PORT` of a registry to announce this beacon to and to find peers at. Needs an `id`. */
  readonly registry?: string;
  /** `HOST:PORT` that others reach this beacon at, when it is not what it listens on. */
  readonly advertise?: string;
  readonly limits?: Partial<BeaconLimits>;
  readonly log: Log;
  /** Ends the beacon. */
  readonly signal: AbortSignal;
}

/** A beacon at work. */
export interface BeaconServer {
  /** The IP address bound. */
  readonly address: string;
  readonly port: number;
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
  const listen = await resolveListen(options.listen);
  const registry = options.registry === undefined ? undefined : parseHostPort(options.registry, "registry");
  if (options.advertise !== undefined) parseHostPort(options.advertise, "advertised address");
  const beacon = new Beacon({
    random: systemRandom,
    id,
    peers: await resolvePeers(options.peers ?? [], log),
    ...(options.limits && { limits: options.limits }),
  });
  const driver = UdpDriver.bind<never>(beacon, { ...listen, clock: new SystemClock() });
  const stats = () => ({ ...beacon.stats, ...driver.stats });
  const { host: address, port } = driver.endpoint;
  log.info("beacon listening", { address: formatEndpoint(driver.endpoint), id });
  if (registry !== undefined && id === 0) log.warn("not announced to the registry: the beacon has no id");
  const ended = new AbortController();
  const announcing = registry === undefined || id === 0 ? Promise.resolve() : announce(beacon, {
    ...options,
    id,
    registry,
    endpoint: driver.endpoint,
    signal: AbortSignal.any([options.signal, ended.signal]),
    changed: () => driver.wake(),
  });
  const finished = run(driver, { stats, log, signal: options.signal }).finally(() => {
    ended.abort();
    return announcing;
  });
  return { address, port, finished, stats };
}

async function run(
  driver: UdpDriver<never>,
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

async function resolveListen(text: string): Promise<Endpoint> {
  const { host, port } = parseHostPort(text, "address to listen on", { hostOptional: true });
  const address = host === "" ? "0.0.0.0" : await resolveHost(host);
  if (address === undefined) {
    throw new PilotError("invalid_argument", `cannot resolve the host name ${host}`, {
      hint: "give an IP address of this computer, or none to listen on all of them",
    });
  }
  return { host: address, port };
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

function parseHostPort(text: string, what: string, options: { hostOptional?: boolean } = {}): Endpoint {
  const parts = splitHostPort(text);
  const complete = parts !== undefined &&
    (options.hostOptional === true || (parts.host !== "" && parts.port !== 0));
  if (complete) return parts;
  throw new PilotError("invalid_argument", `malformed ${what}: ${text}`, { hint: ADDRESS_HINT });
}
