/**
 * The doctor's look at a running agent.
 */

import type { ClientDoctor } from "../../lib/client/doctor.ts";
import { natType } from "../../lib/core/nat/behaviour.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { formatEndpoint } from "../../lib/wire/endpoint.ts";
import type { RegistryRequest } from "../../lib/wire/registry.ts";
import { VERSION } from "../../lib/wire/version.ts";
import type { PeerPaths } from "./api.ts";
import type { AgentParts } from "./info.ts";
import { strategyOf } from "./nat_words.ts";
import { judge, type ServerFact } from "./report_doctor.ts";
import {
  askCompat,
  askRegistry,
  clockSkew,
  type CompatPlace,
  examined,
  globalIpv6,
  mappingFact,
  sealingSpeed,
} from "./report_facts.ts";

/** Checks the agent and its network, within a few seconds. */
export async function examineAgent(
  parts: AgentParts & {
    readonly socket: string;
    readonly compat: CompatPlace;
    readonly clock: { unixMs(): number };
  },
  paths: () => readonly PeerPaths[],
): Promise<ClientDoctor> {
  const { access: { node }, registration, identity, socket, clock } = parts;
  let answeredAt = 0;
  const ask = async (request: RegistryRequest) => {
    const reply = await registration.request(request);
    answeredAt = clock.unixMs();
    return reply;
  };
  const [{ server, reply }] = await Promise.all([
    askRegistry(registration.state.address, ask, { type: "heartbeat", node_id: node.node }),
    examined(node),
  ]);
  const type = natType(node.nat);
  const hasBeacon = node.beacon.isReachable;
  const { reflexive } = node.beacon;
  const transport = parts.transport.state;
  const mapping = parts.portMapping();
  return judge({
    agent: { version: VERSION, pid: Deno.pid, uptimeSecs: (performance.now() - parts.startedAt) / 1000 },
    socket,
    identity: registration.address === ""
      ? undefined
      : { address: registration.address, key: encodeBase64(identity.publicKey) },
    registry: server,
    beacons: beaconsOf(parts),
    transport: transport.name,
    transportError: transport.error,
    compat: hasBeacon ? undefined : await askCompat(parts.compat),
    nat: node.nat,
    examination: node.examiner.state,
    natType: type,
    endpoint: reflexive === undefined ? undefined : formatEndpoint(reflexive),
    strategy: strategyOf({
      nat: type,
      hasBeacon,
      isRelayOnly: transport.name === "wss",
      isMapped: mapping?.mapping?.scope === "public",
    }),
    ...(mapping === undefined ? {} : { portMapping: mappingFact(mapping) }),
    ipv6: globalIpv6(),
    clockSkewMs: clockSkew(reply, answeredAt),
    aead: { name: parts.aead.name, megabytesPerSecond: sealingSpeed(parts.aead) },
    udpMode: parts.udp(),
    datagram: largestDatagram(paths()),
  });
}

function beaconsOf({ access: { node }, beacons }: AgentParts): ServerFact[] {
  return beacons().map(({ address, endpoint }) => {
    if (endpoint === undefined && node.beacon.isReachable) return { address, rtt: null };
    if (endpoint === undefined) return { address, rtt: undefined, error: "its name is not known" };
    const { reachable, rtt } = node.beacon.describe(endpoint);
    return { address, rtt: reachable ? rtt ?? null : undefined };
  });
}

/** The largest datagram on any path in use, `undefined` without peers. */
function largestDatagram(peers: readonly PeerPaths[]): number | undefined {
  const sizes = peers.flatMap(({ paths }) =>
    paths.flatMap(({ state, datagram }) => state === "in_use" ? [datagram] : [])
  );
  return sizes.length === 0 ? undefined : Math.max(...sizes);
}
