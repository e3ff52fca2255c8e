/**
 * The doctor's look at a computer on which no agent runs: it asks registry and beacon by itself.
 */

import type { ClientDoctor } from "../../lib/client/doctor.ts";
import { natType } from "../../lib/core/nat/behaviour.ts";
import { Node } from "../../lib/core/node.ts";
import { generateIdentity } from "../../lib/crypto/identity.ts";
import { isLocalAddress, localAddresses, resolveHost } from "../../lib/io/addresses.ts";
import { chooseAead } from "../../lib/io/aead_choice.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { UdpDriver } from "../../lib/io/driver.ts";
import { type MappingReport, mapPort } from "../../lib/io/portmap/port_mapping.ts";
import { pause } from "../../lib/io/pause.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { RegistryClient } from "../../lib/io/registry_client.ts";
import { type Endpoint, formatEndpoint } from "../../lib/wire/endpoint.ts";
import type { AgentOptions } from "./config.ts";
import { strategyOf } from "./nat_words.ts";
import { judge, type ServerFact } from "./report_doctor.ts";
import {
  askCompat,
  askRegistry,
  examined,
  globalIpv6,
  LOOK_MS,
  mappingFact,
  sealingSpeed,
  SERVER_PATIENCE_MS,
} from "./report_facts.ts";

/** Checks the network from this computer, within a few seconds. Nothing is registered and nothing is written. */
export async function examineComputer(
  options: Pick<AgentOptions, "registry" | "beacons" | "socket" | "transport" | "portMapping">,
  signal: AbortSignal,
): Promise<ClientDoctor> {
  const aead = chooseAead();
  const clock = new SystemClock();
  const node = new Node({
    identity: generateIdentity(systemRandom),
    aead,
    random: systemRandom,
    unixTime: () => clock.unixMs(),
  });
  const driver = UdpDriver.bind(node, { host: "0.0.0.0", clock, dontFragment: true });
  const registry = new RegistryClient({ address: options.registry, tls: options.transport.registryTls });
  try {
    const [{ server }, beacons] = await Promise.all([
      askRegistry(
        `${options.registry.host}:${options.registry.port}`,
        (request) => registry.request(request, { signal, timeoutMs: SERVER_PATIENCE_MS }),
        { type: "beacon_list" },
      ),
      askBeacons({ node, driver, clock }, options.beacons, signal),
    ]);
    signal.throwIfAborted();
    const mapping = options.portMapping === "off" ? undefined : await askRouter(node, driver.endpoint.port);
    const type = natType(node.nat);
    const { reflexive } = node.beacon;
    return judge({
      agent: undefined,
      socket: options.socket,
      identity: undefined,
      registry: server,
      beacons,
      transport: "udp",
      ...(mapping === undefined ? {} : { portMapping: mappingFact(mapping) }),
      compat: node.beacon.isReachable ? undefined : await askCompat(options.transport),
      nat: node.nat,
      examination: node.examiner.state,
      natType: type,
      endpoint: reflexive === undefined ? undefined : formatEndpoint(reflexive),
      strategy: strategyOf({
        nat: type,
        hasBeacon: node.beacon.isReachable,
        isMapped: mapping?.mapping?.scope === "public",
      }),
      ipv6: globalIpv6(),
      clockSkewMs: undefined,
      aead: { name: aead.name, megabytesPerSecond: sealingSpeed(aead) },
      udpMode: driver.udp,
      datagram: undefined,
    });
  } finally {
    registry.close();
    driver.close();
    await driver.finished;
  }
}

/** Asks the router for a port if there is a NAT, and gives it back. */
async function askRouter(node: Node, port: number): Promise<MappingReport | undefined> {
  const { reflexive } = node.beacon;
  if (reflexive === undefined || isLocalAddress(reflexive.host)) return undefined;
  const stopping = new AbortController();
  const mapping = mapPort({ internalPort: port, protocol: "udp", signal: stopping.signal });
  const report = await mapping.firstTry;
  stopping.abort();
  await mapping.finished;
  return report;
}

interface Probe {
  readonly node: Node;
  readonly driver: { readonly endpoint: Endpoint; wake(): void };
  readonly clock: SystemClock;
}

/** Asks the beacons how they see us. */
async function askBeacons(
  { node, driver, clock }: Probe,
  beacons: AgentOptions["beacons"],
  signal: AbortSignal,
): Promise<ServerFact[]> {
  const found = await Promise.all(beacons.map(async ({ host, port }) => {
    const ip = await resolveHost(host);
    return { address: `${host}:${port}`, endpoint: ip === undefined ? undefined : { host: ip, port } };
  }));
  const { port } = driver.endpoint;
  node.setLocal(localAddresses().map((host) => ({ host, port })), clock.now());
  const endpoints = found.flatMap(({ endpoint }) => endpoint ?? []);
  node.setBeacons(endpoints, clock.now());
  driver.wake();
  const deadline = performance.now() + SERVER_PATIENCE_MS;
  const answer = () => endpoints.every((endpoint) => node.beacon.describe(endpoint).reachable);
  while (!answer() && performance.now() < deadline && !signal.aborted) await pause(LOOK_MS);
  if (endpoints.length > 0) await examined(node, signal);
  return found.map(({ address, endpoint }) => {
    if (endpoint === undefined) return { address, rtt: undefined, error: "its name is not known" };
    const { reachable, rtt } = node.beacon.describe(endpoint);
    return { address, rtt: reachable ? rtt ?? null : undefined };
  });
}
