/** Weaknesses of the key exchange, the frames and the pings of the Pilot Protocol, from outside a whole node. */

import { decodeUtf8, encodeUtf8 } from "../../lib/wire/bytes.ts";
import { generateExchangeKey } from "../../lib/crypto/exchange.ts";
import { generateIdentity, sign } from "../../lib/crypto/identity.ts";
import { encodePacket, Flag, type Packet, Protocol } from "../../lib/wire/packet.ts";
import {
  decodeFrame,
  encodeAuthenticated,
  encodePlain,
  encodeSealed,
  encodeUnauthenticated,
  exchangeSignedBytes,
  type Frame,
} from "../../lib/wire/tunnel.ts";
import { assert, assertEquals } from "../assert.ts";
import { ForeignNode } from "../sim/foreign_node.ts";
import type { Flight } from "../sim/flight.ts";
import type { SimAgent } from "../sim/agent.ts";
import { World } from "../sim/world.ts";

const PORT = 1000;
const TUNNEL_PORT = 4_000;
const EPOCH_MICROSECONDS = 1_800_000_000_000_000n;
/** Bytes of a PILA before its trailer. */
const EXCHANGE_SIZE = 136;

interface Seen {
  readonly frame: Frame;
  readonly data: Uint8Array;
}

/** Collects the tunnel frames that leave `from`, direct and towards the relay. */
function watch(world: World, from: string): Seen[] {
  const seen: Seen[] = [];
  world.net.forbid((passing: { from: string; flight: Flight }) => {
    if (passing.from !== from) return false;
    const { data } = passing.flight;
    const bytes = (data[0] === 5 ? data.subarray(9) : data).slice();
    const frame = decodeFrame(bytes);
    if (typeof frame !== "string") seen.push({ frame, data: bytes });
    return false;
  });
  return seen;
}

function exchangeKeys(seen: readonly Seen[]): Set<string> {
  return new Set(seen.flatMap(({ frame }) => frame.kind === "authenticated" ? [`${frame.exchangeKey}`] : []));
}

function drops(agent: SimAgent, reason: string): number {
  return agent.node.tunnels.stats.drops()[reason] ?? 0;
}

/** A stream between two friends, open and quiet. */
function makeFriends(seed: number): { world: World; a: SimAgent; b: SimAgent; stream: number } {
  const world = new World({ seed });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  for (const agent of [a, b]) agent.act((node) => node.ports.listen(PORT));
  const stream = a.connect(b, PORT);
  assert(typeof stream === "number");
  world.net.run(2_000);
  return { world, a, b, stream };
}

function arrives({ world, a, b, stream }: ReturnType<typeof makeFriends>, text: string): boolean {
  a.write(stream, encodeUtf8(text));
  return world.net.runUntil(() => decodeUtf8(b.received(b.accepted(PORT)[0] ?? 0)).endsWith(text), 2_000);
}

/** A public agent and a foreign node that have agreed on a key. */
function makeForeign(dialect: "current" | "v0.5"): {
  world: World;
  agent: SimAgent;
  foreign: ForeignNode;
  seen: Seen[];
  ping(parts?: Partial<Packet>): void;
} {
  const world = new World({ seed: 1 });
  const agent = world.addAgent("agent-a", { isPublic: true });
  agent.act((node) => node.ports.listen(PORT));
  const seen = watch(world, "agent-a");
  const foreign = new ForeignNode(world, { dialect, ip: "192.0.2.200" });
  foreign.register();
  const to = { host: agent.host.ip, port: TUNNEL_PORT };
  foreign.sendExchange(to);
  assert(world.net.runUntil(() => foreign.hasSession(agent.id), 2_000));
  const ping = (parts: Partial<Packet> = {}) => {
    foreign.sendPacket(agent.id, to, {
      flags: 0,
      protocol: Protocol.CONTROL,
      sourcePort: 7,
      destinationPort: 0,
      sequence: 1,
      acknowledgement: 0,
      window: 0,
      payload: new Uint8Array(1),
      ...parts,
    });
  };
  return { world, agent, foreign, seen, ping };
}

Deno.test("weakness: repeated announcements never begin our counters again, and they begin at the clock", () => {
  const { world, agent, foreign, seen, ping } = makeForeign("current");
  for (let round = 0; round < 40; round++) {
    foreign.sendExchange({ host: agent.host.ip, port: TUNNEL_PORT });
    ping();
    world.net.run(300);
  }
  const nonces = seen.flatMap(({ frame }) => frame.kind === "sealed" ? [frame.nonce.slice()] : []);
  assert(nonces.length >= 40, `${nonces.length} frames`);
  assertEquals(new Set(nonces.map((nonce) => `${nonce}`)).size, nonces.length, "a nonce was used twice");
  assertEquals(new Set(nonces.map((nonce) => `${nonce.subarray(0, 4)}`)).size, 1, "another prefix");
  for (const nonce of nonces) {
    const counter = new DataView(nonce.buffer, nonce.byteOffset + 4).getBigUint64(0);
    assert(counter >= EPOCH_MICROSECONDS, `counter ${counter}`);
  }
});

Deno.test("weakness: a peer that has shown more than 4,096 nonce prefixes under one key gets another key", () => {
  const { world, agent, foreign, seen, ping } = makeForeign("current");
  const announcement = seen.find(({ frame }) => frame.kind === "authenticated");
  assert(announcement !== undefined);
  const before = exchangeKeys(seen).size;
  const from = { host: agent.host.ip, port: TUNNEL_PORT };
  // Its answers are of no interest yet.
  const heal = world.net.forbid(({ to }) => to === foreign.host.name);
  for (let n = 0; n < 4_200; n++) {
    // To a foreign node every PILA is a reason to begin again under a new prefix.
    foreign.handleDatagram(from, announcement.data);
    ping();
  }
  world.net.run(200);
  heal();
  world.net.run(5_000);
  assertEquals(exchangeKeys(seen).size, before + 1);
  foreign.packets.length = 0;
  ping();
  assert(world.net.runUntil(() => foreign.packets.length > 0, 2_000), "the line is dead");
});

Deno.test("weakness: an announcement of an earlier life, its trailer cut off, does not keep a pair apart", () => {
  const world = new World({ seed: 3 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  const seen = watch(world, "agent-b");
  world.befriend(a, b);
  for (const agent of [a, b]) agent.act((node) => node.ports.listen(PORT));
  assert(typeof a.connect(b, PORT) === "number");
  const old = seen.flatMap(({ frame, data }) => frame.kind === "authenticated" ? [data] : []);
  assert(old.length > 0);
  const eve = world.net.addHost("eve", { ip: "198.51.100.66" }).open(6_666);
  a.restart();
  b.restart();
  for (const agent of [a, b]) agent.act((node) => node.ports.listen(PORT));
  const replay = (data: Uint8Array) => eve.send({ host: a.host.ip, port: TUNNEL_PORT }, data);
  for (const data of old.slice(0, 3)) replay(data.subarray(0, EXCHANGE_SIZE));
  world.net.run(100);
  assertEquals(a.node.tunnels.peer(b.id)?.hasSession, true, "the old key was not even taken");
  assert(typeof a.connect(b, PORT, 3_000) === "number", "kept apart from the start");
  // Nor does it break a line that works.
  for (const data of old.slice(0, 3)) replay(data.subarray(0, EXCHANGE_SIZE));
  assert(typeof a.connect(b, PORT, 1_000) === "number" && typeof b.connect(a, PORT, 1_000) === "number");
  world.net.run(30_000);
  assert(typeof a.connect(b, PORT, 1_000) === "number" && typeof b.connect(a, PORT, 1_000) === "number");
});

Deno.test("weakness: every peer sees another X25519 key of ours, and another one after our restart", () => {
  const world = new World({ seed: 4 });
  const a = world.addAgent("agent-a");
  const seen = watch(world, "agent-a");
  for (const name of ["agent-b", "agent-c", "agent-d"]) world.befriend(a, world.addAgent(name));
  const open = () => {
    for (const peer of world.agents.slice(1)) a.act((node, now) => node.tunnels.open(peer.id, now));
    world.net.run(1_000);
  };
  open();
  assertEquals(exchangeKeys(seen).size, 3);
  a.restart();
  open();
  assertEquals(exchangeKeys(seen).size, 6);
});

Deno.test("weakness: packets in clear in the name of a friend do nothing", () => {
  const friends = makeFriends(5);
  const { world, a, b, stream } = friends;
  const [info] = a.act((node) => node.ports.list());
  assert(info !== undefined);
  const eve = world.net.addHost("eve", { ip: "198.51.100.66" }).open(6_666);
  const plain = (parts: Partial<Packet>) =>
    encodePlain(encodePacket({
      version: 1,
      flags: Flag.RST,
      protocol: Protocol.STREAM,
      source: a.address,
      sourcePort: info.local_port,
      destination: b.address,
      destinationPort: PORT,
      sequence: 0,
      acknowledgement: 0,
      window: 512,
      payload: new Uint8Array(0),
      ...parts,
    }));
  const forged = [
    plain({}),
    plain({ flags: Flag.FIN }),
    plain({ flags: Flag.SYN, sourcePort: 50_000 }),
    plain({ flags: Flag.ACK, payload: encodeUtf8("injected") }),
    plain({ flags: 0, protocol: Protocol.DATAGRAM, payload: encodeUtf8("injected") }),
    plain({ flags: 0, protocol: Protocol.CONTROL, destinationPort: 0 }),
  ];
  const events = b.events.length;
  for (const data of forged) eve.send({ host: b.host.ip, port: TUNNEL_PORT }, data);
  world.net.run(1_000);
  assertEquals([drops(b, "plaintext"), b.events.length, eve.received.length], [forged.length, events, 0]);
  assert(arrives(friends, "still here"));
  assertEquals(a.closed(stream), undefined);
});

Deno.test("weakness: a PILK is not believed when the registry cannot be asked either", () => {
  const world = new World({ seed: 6 });
  const agent = world.addAgent("agent-a", { isPublic: true });
  const other = world.addAgent("agent-b");
  world.registryUp = false;
  const eve = world.net.addHost("eve", { ip: "198.51.100.66" }).open(6_666);
  const exchangeKey = generateExchangeKey(world.random.bytes).publicKey;
  for (let n = 0; n < 10; n++) {
    const frame = encodeUnauthenticated({ sender: other.id, exchangeKey });
    eve.send({ host: agent.host.ip, port: TUNNEL_PORT }, frame);
    world.net.run(1_000);
  }
  assert(eve.received.length > 0, "it is answered with our PILA");
  assertEquals(agent.node.tunnels.peer(other.id)?.hasSession, false);
});

Deno.test("weakness: frames of ours that come back under the name of their receiver do nothing", () => {
  for (const dialect of ["current", "v0.5"] as const) {
    const { world, agent, foreign, seen, ping } = makeForeign(dialect);
    ping();
    world.net.run(500);
    assertEquals(agent.node.tunnels.peer(foreign.id)?.dialect, dialect);
    const own = seen.flatMap(({ frame }) => frame.kind === "sealed" ? [frame] : []);
    assert(own.length > 0);
    const [events, pongs] = [agent.events.length, foreign.packets.length];
    const eve = world.net.addHost("eve", { ip: "198.51.100.66" }).open(6_666);
    for (const { nonce, ciphertext } of own) {
      const data = encodeSealed({ sender: foreign.id, nonce, ciphertext });
      eve.send({ host: agent.host.ip, port: TUNNEL_PORT }, data);
    }
    world.net.run(100);
    assert(drops(agent, "undecryptable") > 0, JSON.stringify(agent.node.tunnels.stats.drops()));
    assertEquals([agent.events.length, foreign.packets.length], [events, pongs]);
  }
});

Deno.test("weakness: announcements of invented nodes wait for the registry and hold up nobody", () => {
  const world = new World({ seed: 8 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b", { isPublic: true });
  world.befriend(a, b);
  b.act((node) => node.ports.listen(PORT));
  const stream = a.connect(b, PORT);
  assert(typeof stream === "number");
  world.registryUp = false;
  const key = generateExchangeKey(world.random.bytes).publicKey;
  const identity = generateIdentity(world.random.bytes);
  const before = b.events.filter(({ type }) => type === "registry").length;
  // Many sources, because one alone is cut off after a few.
  for (let n = 0; n < 1_000; n++) {
    const sender = 100_000 + n;
    const signature = sign(identity, exchangeSignedBytes(sender, key));
    const frame = encodeAuthenticated({
      sender,
      exchangeKey: key,
      identityKey: identity.publicKey,
      signature,
    });
    const host = world.net.addHost(`eve-${n}`, { ip: `198.18.${n >> 8}.${n & 255}` });
    host.open(6_666).send({ host: b.host.ip, port: TUNNEL_PORT }, frame);
  }
  assert(arrives({ world, a, b, stream }, "in the middle of it"), "traffic waits for the registry");
  const asked = b.events.filter(({ type }) => type === "registry").length - before;
  assert(asked > 0 && asked <= 512, `${asked} questions`);
  assertEquals([...b.node.tunnels.peers()].map(({ node }) => node), [a.id]);
});

Deno.test("weakness: a thousand packets without a key bring about one exchange, not a thousand", () => {
  const world = new World({ seed: 9 });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  world.befriend(a, b);
  a.act((node) => node.tunnels.forget(b.id));
  const seen = watch(world, "agent-a");
  world.net.forbid(({ to }) => to === "agent-b");
  for (let n = 0; n < 1_000; n++) {
    a.act((node, now) => node.sendDatagram(b.address, 5_000, { data: encodeUtf8("x"), now }));
    world.net.run(1);
  }
  const count = seen.filter(({ frame }) => frame.kind === "authenticated").length;
  assert(count > 0 && count <= 9, `${count} PILA in a second, on up to three ways each`);
});

Deno.test("weakness: a ping from port 0 and the answer to a ping are not answered, so nothing bounces", () => {
  const { world, foreign, ping } = makeForeign("current");
  foreign.packets.length = 0;
  const isPong = ({ protocol, flags }: Packet) => protocol === Protocol.CONTROL && (flags & Flag.ACK) !== 0;
  ping();
  world.net.run(500);
  assertEquals(foreign.packets.filter(isPong).length, 1, "a proper ping is answered");
  ping({ sourcePort: 0 });
  ping({ flags: Flag.ACK });
  world.net.run(500);
  assertEquals(foreign.packets.filter(isPong).length, 1);
  const sources = foreign.packets.filter((packet) => packet.protocol === Protocol.CONTROL && !isPong(packet));
  assertEquals(sources.filter(({ sourcePort }) => sourcePort === 0), [], "our own pings");
});

Deno.test("weakness: all datagrams of a node leave from one port, an ephemeral one", () => {
  const { world, a, b } = makeFriends(11);
  for (let n = 0; n < 200; n++) {
    a.act((node, now) => node.sendDatagram(b.address, 5_000, { data: encodeUtf8("x"), now }));
    world.net.run(10);
  }
  const ports = b.events.flatMap((event) => event.type === "datagram" ? [event.sourcePort] : []);
  assert(ports.length >= 200);
  assertEquals([new Set(ports).size, (ports[0] ?? 0) >= 49_152], [1, true]);
});
