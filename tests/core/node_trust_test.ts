/** Trust on the data path: who gets an answer, and who does not. */

import { generateIdentity, sign, signBase64 } from "../../lib/crypto/identity.ts";
import { generateExchangeKey } from "../../lib/crypto/exchange.ts";
import { decodeUtf8, encodeBase64, encodeUtf8 } from "../../lib/wire/bytes.ts";
import { encodePacket, Flag, Protocol } from "../../lib/wire/packet.ts";
import {
  encodeAuthenticated,
  encodePlain,
  encodeUnauthenticated,
  exchangeSignedBytes,
} from "../../lib/wire/tunnel.ts";
import { assert, assertEquals } from "../assert.ts";
import { ForeignNode } from "../sim/foreign_node.ts";
import type { SimAgent } from "../sim/agent.ts";
import { World } from "../sim/world.ts";

const PORT = 1000;
const EMPTY = new Uint8Array(0);

function makeFriends(seed: number): { world: World; a: SimAgent; b: SimAgent } {
  const world = new World({ seed });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  for (const agent of [a, b]) agent.act((node) => node.ports.listen(PORT));
  return { world, a, b };
}

/** Datagrams that `agent` sends while `run` runs, beside those to its beacon and registry. */
function sentBy(world: World, agent: SimAgent, run: () => void): number {
  let sent = 0;
  const stop = world.net.forbid(({ from, to, flight }) => {
    if (from === agent.name && to !== "beacon") sent++;
    // A frame for the relay is an answer, too.
    if (from === agent.name && to === "beacon" && flight.data[0] === 5) sent++;
    return false;
  });
  run();
  stop();
  return sent;
}

Deno.test("a private node answers nothing to a stranger: key exchange, SYN, datagram, ping", () => {
  const world = new World({ seed: 1 });
  const private_ = world.addAgent("agent-a");
  private_.act((node) => node.ports.listen(PORT));
  const stranger = new ForeignNode(world, { dialect: "current", ip: "192.0.2.200" });
  stranger.register();
  const to = { host: private_.host.ip, port: 4_000 };
  const probe = world.net.addHost("elsewhere", { ip: "192.0.2.201" }).open(5_000);
  const packet = (protocol: number, flags: number, port: number) =>
    encodePacket({
      version: 1,
      flags,
      protocol,
      source: { network: 0, node: stranger.id },
      sourcePort: 49_152,
      destination: { network: 0, node: private_.id },
      destinationPort: port,
      sequence: 1,
      acknowledgement: 0,
      window: 512,
      payload: protocol === Protocol.STREAM ? EMPTY : encodeUtf8("x"),
    });
  const answers = sentBy(world, private_, () => {
    stranger.sendExchange(to);
    probe.send(
      to,
      encodeUnauthenticated({
        sender: stranger.id,
        exchangeKey: generateExchangeKey(world.random.bytes).publicKey,
      }),
    );
    for (const port of [7, 444, PORT]) probe.send(to, encodePlain(packet(Protocol.STREAM, Flag.SYN, port)));
    probe.send(to, encodePlain(packet(Protocol.DATAGRAM, 0, 5_000)));
    probe.send(to, encodePlain(packet(Protocol.CONTROL, 0, 0)));
    world.net.run(5_000);
  });
  assertEquals(answers, 0);
  assertEquals(probe.received.length, 0);
  assertEquals(stranger.frames, []);
  assertEquals(private_.node.tunnels.peer(stranger.id), undefined);
  assertEquals(private_.node.tunnels.stats.drops()["stranger"], 2);
  assertEquals(private_.node.tunnels.stats.drops()["plaintext"], 5);
});

Deno.test("a stranger with a tunnel, on a public node that turned private, reaches no port, no datagram, no ping", () => {
  const world = new World({ seed: 2 });
  const agent = world.addAgent("agent-a", { isPublic: true });
  agent.act((node) => node.ports.listen(PORT));
  const stranger = new ForeignNode(world, { dialect: "current", ip: "192.0.2.200" });
  stranger.register();
  const to = { host: agent.host.ip, port: 4_000 };
  stranger.sendExchange(to);
  assert(world.net.runUntil(() => stranger.hasSession(agent.id), 2_000));
  agent.act((node) => node.setPublic(false));
  world.net.run(1_000);
  stranger.packets.length = 0;
  const base = { sourcePort: 49_152, sequence: 1, acknowledgement: 0, window: 512, flags: 0, payload: EMPTY };
  for (const destinationPort of [7, 444, PORT]) {
    stranger.sendPacket(agent.id, to, {
      ...base,
      protocol: Protocol.STREAM,
      flags: Flag.SYN,
      destinationPort,
    });
  }
  stranger.sendPacket(agent.id, to, {
    ...base,
    protocol: Protocol.DATAGRAM,
    destinationPort: 5_000,
    payload: encodeUtf8("x"),
  });
  stranger.sendPacket(agent.id, to, { ...base, protocol: Protocol.CONTROL, destinationPort: 0 });
  world.net.run(2_000);
  assertEquals(stranger.packets.filter(({ protocol }) => protocol !== Protocol.CONTROL), []);
  assertEquals(stranger.packets.filter(({ flags }) => (flags & Flag.ACK) !== 0), []);
  assertEquals(agent.accepted(PORT), []);
  assertEquals(agent.events.filter(({ type }) => type === "datagram"), []);
  assertEquals(agent.node.tunnels.stats.drops()["not_trusted"], 5);
});

Deno.test("a packet that names another source than its tunnel's peer is dropped", () => {
  const { world, a, b } = makeFriends(3);
  a.connect(b, PORT);
  const third = world.addAgent("agent-c");
  world.befriend(a, third);
  const forged = {
    version: 1,
    flags: 0,
    protocol: Protocol.DATAGRAM,
    source: { network: 0, node: third.id },
    sourcePort: 49_152,
    destination: { network: 0, node: b.id },
    destinationPort: 5_000,
    sequence: 0,
    acknowledgement: 0,
    window: 0,
    payload: encodeUtf8("in another's name"),
  };
  a.act((node, now) => node.tunnels.send(b.id, forged, now));
  world.net.run(1_000);
  assertEquals(b.events.filter(({ type }) => type === "datagram"), []);
  assert((b.node.tunnels.stats.drops()["spoofed_source"] ?? 0) >= 1);
});

Deno.test("revocation reaches the peer over the encrypted tunnel and resets its streams", () => {
  const { world, a, b } = makeFriends(4);
  const id = a.connect(b, PORT);
  assert(typeof id === "number");
  world.net.run(1_000);
  const inbound = b.accepted(PORT)[0] ?? 0;
  world.registryUp = false;
  const start = world.net.now;
  a.act((node, now) => node.trust.revoke(b.id, now));
  assertEquals(a.node.trust.isTrusted(b.id), false, "not at once");
  assert(world.net.runUntil(() => !b.node.trust.isTrusted(a.id), 5_000), "the peer was not told");
  assert(world.net.now - start < 500, `${world.net.now - start} ms`);
  assert(world.net.runUntil(() => a.closed(id) !== undefined && b.closed(inbound) !== undefined, 5_000));
  assertEquals([a.closed(id), b.closed(inbound)], ["reset", "reset"]);
  world.net.run(3_000);
  assertEquals(a.node.tunnels.peer(b.id), undefined, "keys are not forgotten");
});

Deno.test("revocation stops the data of open streams at once, even when the peer is never told", () => {
  const { world, a, b } = makeFriends(5);
  const id = b.connect(a, PORT);
  assert(typeof id === "number");
  world.net.run(1_000);
  const inbound = a.accepted(PORT)[0] ?? 0;
  const heal = world.net.forbid(({ from }) => from === "agent-a");
  a.act((node, now) => node.trust.revoke(b.id, now));
  b.write(id, encodeUtf8("too late"));
  world.net.run(5_000);
  assertEquals(decodeUtf8(a.received(inbound)), "");
  heal();
});

Deno.test("a revoked peer that dials again gets no answer", () => {
  const { world, a, b } = makeFriends(6);
  assert(typeof b.connect(a, PORT) === "number");
  const heal = world.net.forbid(({ from, to }) => from === "agent-a" && to === "agent-b");
  const healRelay = world.net.forbid(({ from, flight }) => from === "agent-a" && flight.data[0] === 5);
  a.act((node, now) => node.trust.revoke(b.id, now));
  world.net.run(3_000);
  heal();
  healRelay();
  assert(b.node.trust.isTrusted(a.id), "this test needs a peer that does not know");
  let outcome: number | string = "pending";
  const answers = sentBy(world, a, () => outcome = b.connect(a, PORT, 60_000));
  assert(typeof outcome === "string", "the dial succeeded");
  assertEquals(answers, 0);
});

Deno.test("a pair that only the registry knows opens nothing", () => {
  const world = new World({ seed: 7 });
  const victim = world.addAgent("agent-a");
  victim.act((node) => node.ports.listen(PORT));
  const attacker = world.addAgent("agent-b");
  for (const [agent, peer] of [[attacker, victim], [victim, attacker]] as const) {
    world.ask(agent, { type: "report_trust", node_id: agent.id, peer_id: peer.id });
  }
  const resolved = world.ask(attacker, { type: "resolve", node_id: victim.id, requester_id: attacker.id });
  assertEquals(resolved?.type, "resolve_ok");
  const answers = sentBy(world, victim, () => {
    assert(typeof attacker.connect(victim, PORT, 60_000) === "string");
  });
  assertEquals(answers, 0);
});

Deno.test("a handshake document that comes in pieces is read whole", () => {
  const world = new World({ seed: 8 });
  const a = world.addAgent("agent-a", { isPublic: true });
  const b = world.addAgent("agent-b");
  const id = b.connect(a, 444);
  assert(typeof id === "number", String(id));
  const document = encodeUtf8(JSON.stringify({
    type: "handshake_request",
    node_id: b.id,
    public_key: encodeBase64(b.identity.publicKey),
    justification: "in pieces",
    signature: signBase64(b.identity, `handshake:${b.id}:${a.id}`),
    reason: "",
    timestamp: Math.floor(1_800_000_000 + world.net.now / 1_000),
  }));
  for (const byte of document) {
    b.write(id, new Uint8Array([byte]));
    world.net.run(20);
  }
  assert(world.net.runUntil(() => a.node.trust.pending().length > 0, 5_000), "no pending request");
  assertEquals(a.node.trust.pending()[0]?.justification, "in pieces");
});

Deno.test("a handshake document leaves as one segment", () => {
  const world = new World({ seed: 9 });
  const a = world.addAgent("agent-a");
  const foreign = new ForeignNode(world, { dialect: "current", ip: "192.0.2.200" });
  foreign.register();
  // The foreign node has a tunnel to the agent, so that the request goes there and not through the registry.
  a.act((node, now) => node.trust.noteDialed(foreign.id, now));
  foreign.sendExchange({ host: a.host.ip, port: 4_000 });
  assert(world.net.runUntil(() => foreign.hasSession(a.id), 2_000));
  const to = { host: a.host.ip, port: 4_000 };
  const ping = { flags: 0, sequence: 1, acknowledgement: 0, window: 0, payload: EMPTY };
  foreign.sendPacket(a.id, to, { ...ping, protocol: Protocol.CONTROL, sourcePort: 9, destinationPort: 0 });
  world.net.run(500);
  a.act((node, now) => node.trust.request(foreign.id, { justification: "j".repeat(1_024), now }));
  const isSyn = ({ flags, destinationPort }: { flags: number; destinationPort: number }) =>
    flags === Flag.SYN && destinationPort === 444;
  assert(world.net.runUntil(() => foreign.packets.some(isSyn), 5_000), "no SYN to port 444");
  const syn = foreign.packets.find(isSyn);
  assert(syn !== undefined);
  foreign.sendPacket(a.id, to, {
    flags: Flag.SYN | Flag.ACK,
    protocol: Protocol.STREAM,
    sourcePort: 444,
    destinationPort: syn.sourcePort,
    sequence: 0,
    acknowledgement: (syn.sequence + 1) >>> 0,
    window: 512,
    payload: EMPTY,
  });
  const data = () =>
    foreign.packets.find(({ protocol, payload }) => protocol === Protocol.STREAM && payload.length > 0);
  assert(world.net.runUntil(() => data() !== undefined, 5_000), "no document");
  const document = decodeUtf8(data()?.payload ?? EMPTY);
  assert(document.length > 1_152, `${document.length} bytes`);
  assertEquals(JSON.parse(document).justification.length, 1_024);
});

Deno.test("a trusted node number with another identity key gets no tunnel", () => {
  const { world, a, b } = makeFriends(10);
  world.net.run(1_000);
  a.act((node) => node.tunnels.forget(b.id));
  b.stop();
  const impostor = generateIdentity(world.random.bytes);
  const key = generateExchangeKey(world.random.bytes);
  const probe = world.net.addHost("elsewhere", { ip: "192.0.2.201" }).open(5_000);
  for (const identityKey of [impostor.publicKey, b.identity.publicKey]) {
    probe.send(
      { host: a.host.ip, port: 4_000 },
      encodeAuthenticated({
        sender: b.id,
        exchangeKey: key.publicKey,
        identityKey,
        signature: sign(impostor, exchangeSignedBytes(b.id, key.publicKey)),
      }),
    );
  }
  world.net.run(2_000);
  assertEquals(a.node.tunnels.peer(b.id)?.hasSession ?? false, false);
  const drops = a.node.tunnels.stats.drops();
  assertEquals([drops["identity_mismatch"], drops["exchange_signature"]], [1, 1]);
  assertEquals(probe.received.length, 0);
});

Deno.test("a stream to port 444 that brings no document ends after ten seconds", () => {
  const world = new World({ seed: 11 });
  const a = world.addAgent("agent-a", { isPublic: true });
  const b = world.addAgent("agent-b");
  const id = b.connect(a, 444);
  assert(typeof id === "number", String(id));
  world.net.run(9_000);
  assertEquals(b.closed(id), undefined);
  world.net.run(2_000);
  assertEquals(b.closed(id), "reset");
  assertEquals(a.node.ports.list().length, 0);
});
