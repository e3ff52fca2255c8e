/** The doctor's verdicts: one table of facts and what they mean. */

import type { CheckStatus } from "../../lib/client/doctor.ts";
import { type DoctorFacts, judge } from "../../services/agent/report_doctor.ts";
import {
  askCompat,
  askRegistry,
  clockSkew,
  globalIpv6,
  mappingFact,
  sealingSpeed,
} from "../../services/agent/report_facts.ts";
import { methodOf } from "../../services/agent/report.ts";
import { type Strategy, strategyOf } from "../../services/agent/nat_words.ts";
import type { NatType } from "../../lib/core/nat/behaviour.ts";
import { nobleAead } from "../../lib/crypto/aead.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { assert, assertEquals, assertMatch } from "../assert.ts";

const RELAY = { url: "wss://b/v1/compat", detail: "status 302" };
const BEACON = { address: "b:9001", rtt: 12 };

const WELL: DoctorFacts = {
  agent: { version: "0.1.0", pid: 4711, uptimeSecs: 7_300 },
  socket: "/tmp/pilot.sock",
  identity: { address: "0:0000.0000.0001", key: "A6EHv/POEL4dcN0Y50vAmWfk" },
  registry: { address: "r:9000", rtt: 3.14 },
  beacons: [BEACON],
  transport: "udp",
  nat: {
    isTranslated: true,
    mapping: "endpoint-independent",
    filtering: "address-and-port-dependent",
    ports: "preserving",
    hairpin: false,
    lifetimeMs: 120_000,
  },
  examination: "done",
  natType: "port-restricted-cone",
  endpoint: "198.51.100.1:4000",
  strategy: "hole-punch",
  ipv6: "2001:db8::1",
  portMapping: { tried: [{ method: "pcp", outcome: "no answer" }] },
  clockSkewMs: 200,
  aead: { name: "openssl", megabytesPerSecond: 900 },
  udpMode: "ffi",
  datagram: 1_472,
};

Deno.test("when all is well no check fails or warns, and all of them are there", () => {
  const { checks, ...rest } = judge(WELL);
  assertEquals(rest, {
    nat_type: "port-restricted-cone",
    endpoint: "198.51.100.1:4000",
    strategy: "hole-punch",
  });
  assertEquals(checks.filter(({ status }) => status === "fail" || status === "warn"), []);
  assertEquals(checks.map(({ name }) => name), [
    "agent",
    "socket",
    "identity",
    "registry",
    "beacon",
    "udp",
    "nat",
    "mapping",
    "filtering",
    "port_assignment",
    "hairpin",
    "mapping_lifetime",
    "ipv6",
    "port_mapping",
    "clock",
    "aead",
    "udp_mode",
    "mtu",
  ]);
});

Deno.test("doctor: one table", () => {
  const dead = { ...BEACON, rtt: undefined };
  const symmetric = { isTranslated: true, mapping: "address-and-port-dependent" } as const;
  const table: [Partial<DoctorFacts>, string, CheckStatus, RegExp][] = [
    [{}, "agent", "ok", /version 0.1.0, pid 4711, for 2 h/],
    [{ agent: undefined }, "agent", "warn", /not running/],
    [{ agent: undefined, identity: undefined }, "identity", "unknown", /first starts/],
    [{ identity: undefined }, "identity", "fail", /no address yet/],
    [{}, "registry", "ok", /^r:9000 \(3.1 ms\)$/],
    [{ registry: { address: "r:9000", rtt: undefined } }, "registry", "fail", /r:9000: does not answer/],
    [{ registry: { address: "r:9000", rtt: undefined, error: "refused" } }, "registry", "fail", /refused/],
    [{ beacons: [{ ...BEACON, rtt: null }] }, "beacon", "ok", /^b:9001$/],
    [{ beacons: [dead] }, "beacon", "fail", /does not answer/],
    [{ beacons: [dead] }, "udp", "fail", /^blocked/],
    [{ beacons: [dead], registry: { address: "r", rtt: undefined } }, "udp", "unknown", /neither/],
    [{ beacons: [dead, BEACON] }, "udp", "ok", /works/],
    [{ beacons: [] }, "udp", "unknown", /no beacon/],
    [{ transport: "wss" }, "udp", "warn", /over the relay's WebSocket/],
    [{ transport: "wss", transportError: "refused" }, "udp", "fail", /does not work: refused/],
    [{ beacons: [dead], compat: { ...RELAY, outcome: "answers" } }, "udp", "warn", /answers over WebSocket/],
    [
      { beacons: [dead], compat: { ...RELAY, outcome: "other" } },
      "udp",
      "fail",
      /something else.*status 302/,
    ],
    [{ beacons: [dead], compat: { ...RELAY, outcome: "silent" } }, "udp", "fail", /^blocked: the registry/],
    [{ nat: {}, examination: "silent" }, "nat", "unknown", /this beacon does not help/],
    [{ nat: {}, examination: "examining" }, "nat", "unknown", /in a few seconds/],
    [{ nat: {}, examination: "idle" }, "nat", "unknown", /no beacon answers/],
    [{ nat: { isTranslated: false } }, "nat", "ok", /no address translation/],
    [{ nat: symmetric }, "mapping", "warn", /another port for every peer/],
    [{ nat: { isTranslated: true } }, "mapping", "unknown", /could not tell/],
    [
      { nat: { ...symmetric, ports: "sequential", portStep: 2 } },
      "port_assignment",
      "ok",
      /sequential, step 2/,
    ],
    [{ nat: { ...symmetric, hairpin: true } }, "hairpin", "ok", /yes/],
    [{ nat: { ...symmetric, lifetimeMs: 20_000 } }, "mapping_lifetime", "warn", /20 s/],
    [{ nat: symmetric }, "mapping_lifetime", "unknown", /not measured/],
    [{ ipv6: undefined }, "ipv6", "unknown", /no global address/],
    [{ portMapping: undefined }, "port_mapping", "unknown", /not tried/],
    [{ portMapping: { endpoint: "1.2.3.4:5", tried: [] } }, "port_mapping", "ok", /1.2.3.4:5/],
    [
      { portMapping: { tried: [{ method: "upnp", outcome: "refused" }] } },
      "port_mapping",
      "unknown",
      /upnp: refused/,
    ],
    [{ clockSkewMs: undefined }, "clock", "unknown", /could not/],
    [{ clockSkewMs: 60_000 }, "clock", "warn", /60 s ahead of/],
    [{ clockSkewMs: -600_000 }, "clock", "fail", /600 s behind/],
    [{ aead: { name: "noble", megabytesPerSecond: 30 } }, "aead", "warn", /noble, 30 MB/],
    [{ aead: { name: "openssl", megabytesPerSecond: 30 } }, "aead", "ok", /openssl/],
    [{ datagram: undefined }, "mtu", "unknown", /no peer yet/],
  ];
  for (const [facts, name, status, value] of table) {
    const context = `${name}: ${JSON.stringify(facts)}`;
    const found = judge({ ...WELL, ...facts }).checks.filter((check) => check.name === name);
    assert(
      found.some((check) => check.status === status && value.test(check.value)),
      `${context}: ${JSON.stringify(found)}`,
    );
    // What is wrong comes with what to do about it.
    const helpless = found.filter((check) =>
      check.hint === "" && (check.status === "fail" || check.status === "warn")
    );
    assertEquals(helpless, [], context);
  }
});

Deno.test("strategy: one table", () => {
  const table: [NatType, Strategy][] = [
    ["none", "direct"],
    ["full-cone", "direct"],
    ["restricted-cone", "hole-punch"],
    ["port-restricted-cone", "hole-punch"],
    ["symmetric", "relay"],
    ["unknown", "hole-punch"],
  ];
  for (const [nat, strategy] of table) assertEquals(strategyOf({ nat, hasBeacon: true }), strategy, nat);
  assertEquals(strategyOf({ nat: "unknown", hasBeacon: false }), "unknown");
  assertEquals(strategyOf({ nat: "symmetric", hasBeacon: true, isMapped: true }), "direct");
  assertEquals(strategyOf({ nat: "none", hasBeacon: true, isRelayOnly: true }), "relay");
});

Deno.test("how a direct path came about: one table", () => {
  const table: [string, string, NatType, NatType, string][] = [
    ["punched", "198.51.100.7", "port-restricted-cone", "port-restricted-cone", "hole-punch"],
    ["observed", "198.51.100.7", "symmetric", "port-restricted-cone", "hole-punch"],
    ["searched", "198.51.100.7", "symmetric", "unknown", "hole-punch"],
    ["punched", "198.51.100.7", "unknown", "unknown", "hole-punch"],
    ["registry", "198.51.100.7", "unknown", "unknown", "direct"],
    ["registry", "198.51.100.7", "port-restricted-cone", "none", "direct"],
    ["punched", "198.51.100.7", "full-cone", "symmetric", "direct"],
    ["mapped", "198.51.100.7", "symmetric", "symmetric", "direct"],
    ["local", "192.168.1.7", "symmetric", "symmetric", "direct"],
    ["observed", "10.0.0.7", "symmetric", "symmetric", "direct"],
    ["observed", "fd00::7", "symmetric", "symmetric", "direct"],
  ];
  for (const [kind, host, own, peer, method] of table) {
    const inUse = { ...PATH, kind, endpoint: { host, port: 4_000 } };
    assertEquals(
      methodOf({ path: "direct", inUse }, { own, peer }),
      method,
      `${kind} ${host} ${own} ${peer}`,
    );
  }
  assertEquals(methodOf({ path: "relay", inUse: undefined }, { own: "none", peer: "none" }), "relay");
  assertEquals(methodOf({ path: "none", inUse: undefined }, { own: "none", peer: "none" }), "none");
});

const PATH = {
  state: "in_use",
  probesSent: 1,
  probesAnswered: 1,
  loss: 0,
  sentAgo: 1,
  heardAgo: 1,
  rtt: 1,
  minRtt: 1,
  smoothedRtt: 1,
  provenFor: 1,
  failures: 0,
  heldFor: undefined,
  nextProbeIn: 1,
  datagram: 1_232,
  bytesSent: 0,
  packetsSent: 0,
  bytesReceived: 0,
  packetsReceived: 0,
} as const;

Deno.test("facts: the registry's answer, its refusal and its clock", async () => {
  const request = { type: "heartbeat", node_id: 1 } as const;
  const answer = await askRegistry(
    "r:9000",
    () => Promise.resolve({ type: "heartbeat_ok", time: 1_000 }),
    request,
  );
  assert(answer.server.rtt !== undefined && answer.server.rtt !== null && answer.server.rtt >= 0);
  assertEquals(clockSkew(answer.reply, 1_000_500), 0);
  assertEquals(clockSkew({ type: "error", error: "no" }, 0), undefined);
  const error = new PilotError("connection_failed", "refused");
  const refused = await askRegistry("r:9000", () => Promise.reject(error), request);
  assertEquals([refused.server, refused.reply], [
    { address: "r:9000", rtt: undefined, error: "refused" },
    undefined,
  ]);
});

Deno.test("facts: a relay over WebSocket answers 426, a login page something else, a closed port nothing", async () => {
  let status = 426;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    return new Response(
      null,
      status === 302 ? { status, headers: { location: "http://login/" } } : { status },
    );
  });
  const compatUrl = new URL(`ws://127.0.0.1:${server.addr.port}/v1/compat`);
  const ask = () => askCompat({ compatUrl, authorities: undefined });
  assertEquals(await ask(), { url: compatUrl.href, outcome: "answers", detail: "status 426" });
  for (status of [200, 302, 403]) {
    const { outcome, detail } = await ask();
    assertEquals([outcome, detail], ["other", `status ${status}`]);
  }
  await server.shutdown();
  assertEquals((await ask()).outcome, "silent");
});

Deno.test("facts: what the router said, in few words", () => {
  const tried = [
    { method: "pcp", outcome: "no-answer", detail: "the gateway does not answer to PCP" },
    { method: "nat-pmp", outcome: "mapped", detail: "" },
    { method: "upnp", outcome: "refused", detail: "UPnP: error 718" },
  ] as const;
  const external = { host: "198.51.100.1", port: 4_000 };
  const internal = { host: "192.168.1.2", port: 4_000 };
  const mapping = { method: "nat-pmp", internal, external, scope: "public", expires: 0 } as const;
  assertEquals(mappingFact({ gateway: "192.168.1.1", mapping, tried }), {
    endpoint: "198.51.100.1:4000",
    tried: [
      { method: "pcp", outcome: "no answer" },
      { method: "nat-pmp", outcome: "mapped" },
      { method: "upnp", outcome: "UPnP: error 718" },
    ],
  });
  assertEquals(mappingFact({ gateway: undefined, mapping: undefined, tried: [] }), {
    endpoint: undefined,
    tried: [],
  });
});

Deno.test("facts: the cipher has a speed, and an IPv6 address is a global one", () => {
  assert(sealingSpeed(nobleAead) > 0);
  assertMatch(globalIpv6() ?? "2000::1", /^[23]/);
});
