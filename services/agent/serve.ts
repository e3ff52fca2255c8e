/**
 * An agent as a whole: from its files to a running node, and back down in order.
 */

import { Node } from "../../lib/core/node.ts";
import { chooseAead } from "../../lib/io/aead_choice.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { UdpDriver } from "../../lib/io/driver.ts";
import { loadOrCreateIdentity } from "../../lib/io/identity_file.ts";
import { Log, LogFile } from "../../lib/io/log.ts";
import { pause } from "../../lib/io/pause.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { sourceAddressTowards } from "../../lib/io/source_address.ts";
import { formatEndpoint } from "../../lib/wire/endpoint.ts";
import { VERSION } from "../../lib/wire/version.ts";
import { Agent } from "./agent.ts";
import type { AgentInfo } from "./api.ts";
import { serveDataExchange } from "./apps/data_exchange.ts";
import { serveEcho } from "./apps/echo.ts";
import { serveStdio } from "./apps/stdio.ts";
import { BeaconNames } from "./beacons.ts";
import type { AgentOptions } from "./config.ts";
import { Inbox } from "./inbox.ts";
import { watchLocalEndpoints } from "./local_endpoints.ts";
import { bindAgain, rememberPort } from "./last_port.ts";
import { serveLocal } from "./local/serve.ts";
import { keepPortMapped, type PortMappingKeeper } from "./port_mapping.ts";
import { Registration } from "./registration.ts";
import { rehearse } from "./rehearsal.ts";
import { watchNetwork } from "./network_watch.ts";
import { Transport } from "./transport.ts";
import { loadTrust, TrustSaver } from "./trust_saver.ts";

/** Who wants to know how the start went. */
export interface ServeHooks {
  /** The socket answers and the first registration has been tried. */
  ready(info: AgentInfo): void;
  /** Something vital ended by itself. */
  failed(error: unknown): void;
}

/** How long the first registration waits for the beacon to tell the public endpoint, milliseconds. */
const DISCOVERY_MS = 250;
/** How long an agent that is registered waits with being ready for a way to the beacon, milliseconds. */
const DECISION_MS = 1_000;

/**
 * Runs an agent until `signal` aborts. Resolves after an orderly end.
 *
 * @throws PilotError when it cannot start: `corrupt_file`, `already_exists` (port or socket in use), ...
 */
export async function serveAgent(
  options: AgentOptions,
  hooks: ServeHooks,
  signal: AbortSignal,
): Promise<void> {
  const stopping = new AbortController();
  const until = AbortSignal.any([signal, stopping.signal]);
  const { level, format, file } = options.log;
  const log = new Log({ level, format, ...(file === undefined ? {} : { sink: new LogFile(file) }) });
  const clock = new SystemClock();
  const identity = await loadOrCreateIdentity(options.identity, systemRandom);
  const trust = await loadTrust(options.trust);
  const aead = chooseAead();
  const { maxDatagram } = options;
  const node = new Node({
    identity,
    aead,
    random: systemRandom,
    unixTime: () => clock.unixMs(),
    isPublic: options.public,
    search: options.portSearch !== "off",
    ...(maxDatagram === undefined ? {} : { maxDatagram }),
    ...(trust === undefined ? {} : { trust }),
  });
  const driver = await bindAgain(options.udpPort, options.listen.port, (port) =>
    UdpDriver.bind(node, {
      host: options.listen.host === "" ? "0.0.0.0" : options.listen.host,
      port,
      clock,
      // Path MTU discovery wants probes that are too long to be lost.
      dontFragment: true,
      divert: (transmit) => transport.divert(transmit),
      onEvent: (event) => agent.handle(event),
    }));
  const access = {
    node,
    act: <Result>(step: (node: Node, now: number) => Result): Result => {
      const now = clock.now();
      const result = node.act(now, () => step(node, now));
      driver.wake();
      return result;
    },
  };
  access.act((node, now) => node.tunnels.setNeverFragments(driver.dontFragment, now));
  const unwatch = watchLocalEndpoints(
    driver.endpoint,
    (endpoints) => access.act((node, now) => node.setLocal(endpoints, now)),
  );
  const transport: Transport = new Transport({
    settings: options.transport,
    identity,
    access,
    inject: (from, data) => driver.inject(from, data),
    changed: () => {
      registration.endpointChanged();
      agent.transportChanged();
    },
    log: log.with({ part: "transport" }),
  });
  const saver = new TrustSaver(options.trust, { snapshot: () => node.trust.snapshot(), log });
  const beacons = new BeaconNames(options.beacons, {
    use: (endpoints) => access.act((node, now) => node.setBeacons(endpoints, now)),
    isReachable: () => node.beacon.isReachable,
    unresolved: () => transport.handleBeacon(false),
  });
  const registration = new Registration({
    registry: options.registry,
    tls: options.transport.registryTls,
    identity,
    version: VERSION,
    owner: options.owner,
    hostname: options.hostname,
    isPublic: options.public,
    log: log.with({ part: "registry" }),
    hooks: {
      endpoint: () => formatEndpoint(node.beacon.reflexive ?? driver.endpoint),
      relayOnly: () => transport.relayOnly,
      registered: (id) => {
        access.act((node, now) => node.handleRegistered(id, now));
        transport.handleRegistered(id);
      },
      request: (message) => access.act((node, now) => node.trust.handleRelayedRequest(message, now)),
      response: (message) => access.act((node, now) => node.trust.handleRelayedResponse(message, now)),
    },
  });
  let mapped: PortMappingKeeper | undefined = undefined;
  const agent: Agent = new Agent({
    access,
    registration,
    saver,
    log,
    identity,
    owner: options.owner,
    home: options.home,
    version: VERSION,
    beacons: () => beacons.list(),
    local: () => driver.endpoint,
    transport,
    aead,
    udp: () => driver.udp,
    startedAt: performance.now(),
    clock,
    socket: options.socket,
    compat: options.transport,
    portMapping: () => mapped?.report(),
    stop: () => stopping.abort(),
  });

  const inbox = new Inbox({ inbox: options.inbox, received: options.received });
  const services = [serveEcho(agent), serveDataExchange(agent, inbox, log), serveStdio(agent, inbox, log)];
  const local = new AbortController();
  const end = async () => {
    local.abort();
    unwatch();
    for (const stop of services) stop();
    await agent.close();
    await transport.close();
    await saver.flush();
    driver.close();
    await driver.finished.catch(hooks.failed);
    log.close();
  };
  let socket: { readonly finished: Promise<void> };
  try {
    socket = await serveLocal(agent, {
      path: options.socket,
      log: log.with({ part: "local" }),
      signal: local.signal,
    });
  } catch (error) {
    await end();
    throw error;
  }
  driver.finished.catch((error) => {
    hooks.failed(error);
    stopping.abort();
  });
  await rememberPort(options.udpPort, driver.endpoint.port);
  transport.start();
  mapped = keepPortMapped({
    mode: transport.usesUdp ? options.portMapping : "off",
    local: driver.endpoint,
    reflexive: () => node.beacon.reflexive,
    tell: (endpoint) => access.act((node, now) => node.setMapped(endpoint, now)),
    seed: identity.seed,
    log: log.with({ part: "router" }),
    signal: until,
  });
  const following = transport.usesUdp ? beacons.follow(until) : undefined;
  const watching = watchNetwork({
    towards: () => node.beacon.endpoints.map(({ host }) => host),
    sourceAddress: sourceAddressTowards,
    changed: () => access.act((node, now) => node.handleNetworkChange(now)),
    signal: until,
  });
  // Registering with the right port at once saves doing it twice.
  await passes(() => node.beacon.reflexive === undefined, { limitMs: DISCOVERY_MS, until });
  const registered = await registration.start(until);
  // Else whoever connects at once waits instead.
  await passes(() => transport.isUndecided, { limitMs: DECISION_MS, until });
  hooks.ready(agent.info());
  log.info("agent ready", { socket: options.socket, endpoint: formatEndpoint(driver.endpoint) });
  const rehearsing = rehearse({ aead, random: systemRandom, clock }, until).catch((error) => {
    log.error("rehearsal failed", { error: String(error) });
  });

  if (!until.aborted) await new Promise<void>((resolve) => until.addEventListener("abort", () => resolve()));
  await Promise.all([registered.finished, following, watching, mapped.finished, rehearsing, agent.close()]);
  await registration.leave();
  await end();
  await socket.finished;
}

/** Waits until `holds` does not hold any more, for `limitMs` at most. */
async function passes(
  holds: () => boolean,
  { limitMs, until }: { readonly limitMs: number; readonly until: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (holds() && performance.now() < deadline && !until.aborted) await pause(5, until);
}
