/** Reports on the way to a peer, from worlds in which the truth is known. */

import { type PeerReport, reportPeer } from "../../../lib/core/tunnel/report.ts";
import { type AdviceContext, type AdviceFacts, advise } from "../../../lib/core/tunnel/advice.ts";
import type { NatBehaviour } from "../../../lib/core/nat/behaviour.ts";
import { encodeUtf8 } from "../../../lib/wire/bytes.ts";
import { assert, assertEquals } from "../../assert.ts";
import { NAT_CLASSES } from "../../sim/net.ts";
import type { SimAgent } from "../../sim/agent.ts";
import { World } from "../../sim/world.ts";

const PORT = 1000;
const SYMMETRIC = { isTranslated: true, mapping: "address-and-port-dependent" } as const;
const OPEN = { isTranslated: false, filtering: "endpoint-independent" } as const;

function report(world: World, from: SimAgent, to: SimAgent): PeerReport {
  const peer = from.node.tunnels.peer(to.id);
  assert(peer !== undefined, "no such peer");
  const { beacon } = from.node;
  return reportPeer(peer, {
    now: world.net.now,
    hasRelay: beacon.beacon !== undefined,
    isBeaconReachable: beacon.isReachable,
    nat: OPEN,
  });
}

/** Opens a stream and says something, so that there is traffic. */
function talk(world: World, from: SimAgent, to: SimAgent): number {
  to.act((node) => node.ports.listen(PORT));
  const id = from.connect(to, PORT, 10_000);
  assert(typeof id === "number", String(id));
  from.write(id, encodeUtf8("x".repeat(5_000)));
  world.net.run(2_000);
  return id;
}

function pair(world: World): [SimAgent, SimAgent] {
  const agents: [SimAgent, SimAgent] = [world.addAgent("agent-a"), world.addAgent("agent-b")];
  world.befriend(...agents);
  return agents;
}

Deno.test("a direct path is reported with its numbers, and nothing stands in the way", () => {
  const world = new World({ seed: 21 });
  const [a, b] = pair(world);
  talk(world, a, b);
  const { path, reason, inUse, since, isOwnKind, advice, paths, heardAgo } = report(world, a, b);
  assertEquals([path, reason, isOwnKind, advice], ["direct", "direct_only", true, []]);
  assert(inUse !== undefined && inUse.endpoint !== undefined);
  assertEquals([inUse.endpoint.host, inUse.state, inUse.loss, inUse.failures], [
    b.host.publicIp,
    "in_use",
    0,
    0,
  ]);
  assert(since !== undefined && since > 1_000 && since < world.net.now, `since ${since}`);
  assert(heardAgo !== undefined && heardAgo <= 2_000, `heard ${heardAgo}`);
  assertEquals(inUse.minRtt, inUse.smoothedRtt, "the simulated delay does not vary");
  assert(
    inUse.bytesSent > 5_000 && inUse.packetsSent > 3 && inUse.packetsReceived > 0,
    JSON.stringify(inUse),
  );
  assertEquals(inUse.probesSent, inUse.probesAnswered);
  assertEquals(paths.map(({ kind }) => kind).includes("relay"), true);
});

Deno.test("both ends count the same traffic", () => {
  const world = new World({ seed: 22 });
  const [a, b] = pair(world);
  talk(world, a, b);
  const [here, there] = [report(world, a, b), report(world, b, a)];
  const sent = here.paths.reduce((sum, path) => sum + path.packetsSent, 0);
  const received = there.paths.reduce((sum, path) => sum + path.packetsReceived, 0);
  // The first frames go on two paths at once, and the copy is no news to the receiver.
  assert(received > 0 && received <= sent, `${received} of ${sent}`);
});

Deno.test("a relayed peer: the paths that were tried, and why none of them carries the traffic", () => {
  const world = new World({ seed: 23 });
  const [a, b] = [world.addAgent("agent-a"), world.addAgent("agent-b")];
  world.net.cut(a.host, b.host);
  world.befriend(a, b);
  talk(world, a, b);
  const early = report(world, a, b);
  assertEquals([early.path, early.reason, early.inUse?.kind], ["relay", "relay_trying", "relay"]);
  assertEquals(early.advice.map(({ code }) => code), ["punching"]);
  const tried = early.paths.find(({ kind }) => kind !== "relay");
  assert(
    tried !== undefined && tried.probesSent > 0 && tried.probesAnswered === 0 && tried.state === "trying",
  );
  assertEquals([tried.heardAgo, tried.minRtt, tried.loss], [undefined, undefined, undefined]);

  // Between two attempts of both ends.
  assert(world.net.runUntil(() => report(world, a, b).reason === "relay_unanswered", 60_000));
  const late = report(world, a, b);
  assertEquals([late.path, late.inUse?.kind], ["relay", "relay"]);
  assertEquals(late.paths.filter(({ state }) => state === "trying"), []);
});

Deno.test("a direct path that died is told apart from one that never was", () => {
  const world = new World({ seed: 24 });
  const [a, b] = pair(world);
  const id = talk(world, a, b);
  assertEquals(report(world, a, b).path, "direct");
  world.net.cut(a.host, b.host);
  for (let second = 0; second < 12; second++) {
    a.write(id, encodeUtf8("."));
    world.net.run(1_000);
  }
  const { path, reason, advice, paths, since } = report(world, a, b);
  assertEquals([path, reason], ["relay", "relay_direct_lost"]);
  assert(advice.some(({ code }) => code === "direct_path_lost"));
  assert(paths.some(({ failures, kind }) => kind !== "relay" && failures > 0));
  assert(since !== undefined && since < 12_000, `since ${since}`);
});

Deno.test("a peer that vanished is called silent, with the time", () => {
  const world = new World({ seed: 25 });
  const [a, b] = pair(world);
  const id = talk(world, a, b);
  b.stop();
  for (let second = 0; second < 12; second++) {
    a.write(id, encodeUtf8("."));
    world.net.run(1_000);
  }
  const { advice } = report(world, a, b);
  const silent = advice.find(({ code }) => code === "peer_silent");
  assert(silent?.milliseconds !== undefined && silent.milliseconds > 5_000, JSON.stringify(advice));
});

Deno.test("loss on the path in use shows", () => {
  const world = new World({ seed: 26, link: { delayMs: 10, loss: 0.05 } });
  const [a, b] = pair(world);
  const id = talk(world, a, b);
  for (let second = 0; second < 120; second++) {
    a.write(id, encodeUtf8("."));
    world.net.run(1_000);
  }
  const losses = report(world, a, b).paths.map(({ loss }) => loss ?? 0);
  assert(Math.max(...losses) > 0, losses.join());
});

Deno.test("a probe on demand goes out on every path at once", () => {
  const world = new World({ seed: 27 });
  const [a, b] = pair(world);
  talk(world, a, b);
  world.net.run(5_000);
  const before = report(world, a, b).paths;
  a.act((node, now) => node.tunnels.probeAll(b.id, now));
  world.net.run(500);
  const after = report(world, a, b).paths;
  assertEquals(
    after.map(({ probesSent, probesAnswered }) => [probesSent, probesAnswered]),
    before.map(({ probesSent, probesAnswered }) => [probesSent + 1, probesAnswered + 1]),
  );
  a.act((node, now) => node.tunnels.probeAll(4_711, now));
});

Deno.test("changes of the path, punches and unreachable peers are told as events", () => {
  const world = new World({ seed: 28 });
  const nat = { ...NAT_CLASSES.portRestricted };
  const natA = world.net.addNat("home-a", { ip: "198.51.100.1", ...nat });
  const natB = world.net.addNat("home-b", { ip: "198.51.100.2", ...nat });
  const a = world.addAgent("agent-a", { ip: "192.168.1.2", nat: natA });
  const b = world.addAgent("agent-b", { ip: "192.168.1.2", nat: natB });
  world.befriend(a, b);
  a.events.length = 0;
  a.act((node) => node.tunnels.forget(b.id));
  talk(world, a, b);
  const told = a.events.map(({ type }) => type);
  assert(told.includes("punch") && told.includes("established") && told.includes("path"), told.join());
  b.stop();
  a.act((node) => node.tunnels.forget(b.id));
  a.events.length = 0;
  a.dial(b, PORT);
  world.net.run(20_000);
  assert(a.events.some((event) => event.type === "unreachable" && event.peer === b.id));
});

Deno.test("advice: one table", () => {
  const facts: AdviceFacts = {
    path: "relay",
    reason: "relay_unanswered",
    isOwnKind: true,
    silentFor: 0,
    loss: 0,
  };
  const context: AdviceContext = { hasRelay: true, isBeaconReachable: true, nat: OPEN };
  const table: [Partial<AdviceFacts>, Partial<AdviceContext>, string[]][] = [
    [{}, {}, []],
    [{ path: "direct", reason: "direct_only" }, { nat: SYMMETRIC }, []],
    [{ path: "direct", reason: "direct_only", loss: 0.2 }, {}, ["high_loss"]],
    [{ silentFor: 3_000 }, {}, ["peer_silent"]],
    [{ path: "none", reason: "no_path" }, { hasRelay: false, isBeaconReachable: false }, ["no_beacon"]],
    [{ path: "none", reason: "no_session" }, { nat: SYMMETRIC }, []],
    [{}, { isBeaconReachable: false }, ["beacon_unreachable"]],
    [{}, { isRelayOnly: true, nat: SYMMETRIC }, ["own_udp_blocked"]],
    [{}, { isPeerRelayOnly: true }, ["peer_udp_blocked"]],
    [{}, { nat: SYMMETRIC }, ["own_symmetric_nat"]],
    [{}, { peerNat: SYMMETRIC }, ["peer_symmetric_nat"]],
    [{}, { nat: SYMMETRIC, peerNat: SYMMETRIC }, ["both_symmetric_nat"]],
    [{}, { nat: SYMMETRIC, peerNat: { ...SYMMETRIC, ports: "sequential" } }, ["both_symmetric_nat"]],
    [
      {},
      { nat: { ...SYMMETRIC, ports: "sequential" }, peerNat: { ...SYMMETRIC, ports: "sequential" } },
      ["own_symmetric_nat", "peer_symmetric_nat"],
    ],
    [{}, { nat: {} }, ["own_nat_unknown"]],
    [{ isOwnKind: false }, {}, ["peer_foreign"]],
    [{ reason: "relay_no_candidate" }, {}, ["peer_endpoint_unknown"]],
    [{ reason: "relay_trying" }, {}, ["punching"]],
    [{ reason: "relay_direct_lost" }, {}, ["direct_path_lost"]],
    [{}, { peerNat: SYMMETRIC, search: { running: true } }, ["peer_symmetric_nat", "searching_ports"]],
    [{}, { search: { running: false, heldFor: 5_000 } }, ["search_backoff_until"]],
  ];
  for (const [fact, around, codes] of table) {
    const got = advise({ ...facts, ...fact }, { ...context, ...around });
    assertEquals(got.map(({ code }) => code), codes, JSON.stringify([fact, around]));
  }
});

Deno.test("with NATs known, a search of ports and what it waits for are told", () => {
  const world = new World({ seed: 29 });
  const natA = world.net.addNat("home-a", { ip: "198.51.100.1", ...NAT_CLASSES.portRestricted });
  const natB = world.net.addNat("home-b", { ip: "198.51.100.2", ...NAT_CLASSES.symmetricRandom });
  const a = world.addAgent("agent-a", { ip: "192.168.1.2", nat: natA });
  const b = world.addAgent("agent-b", { ip: "192.168.1.2", nat: natB });
  world.befriend(a, b);
  const tell = (agent: SimAgent, nat: NatBehaviour) =>
    agent.act((node, now) => node.tunnels.updateOwn({ nat }, now));
  const EIM = { isTranslated: true, mapping: "endpoint-independent" } as const;
  tell(a, { ...EIM, filtering: "address-and-port-dependent", ports: "preserving" });
  tell(b, { ...SYMMETRIC, filtering: "address-and-port-dependent", ports: "random" });
  b.act((node) => node.ports.listen(PORT));
  assert(typeof a.connect(b, PORT, 10_000) === "number");
  const state = () => a.node.tunnels.traversalState(b.id, world.net.now);
  assert(world.net.runUntil(() => state().search?.running === true, 10_000), "no search began");
  assertEquals(state().peerNat?.mapping, "address-and-port-dependent");
  const codes = reportWith(a, b, world).advice.map(({ code }) => code);
  assert(codes.includes("searching_ports") && codes.includes("peer_symmetric_nat"), codes.join());
});

function reportWith(from: SimAgent, to: SimAgent, world: World): PeerReport {
  const peer = from.node.tunnels.peer(to.id);
  assert(peer !== undefined);
  const { now } = world.net;
  const state = from.node.tunnels.traversalState(to.id, now);
  return reportPeer(peer, { now, hasRelay: true, isBeaconReachable: true, nat: OPEN, ...state });
}
