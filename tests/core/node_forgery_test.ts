/** What a third party can send: garbage, pieces, copies, forgeries. Nothing changes, and counters tell. */

import { decodeUtf8, encodeUtf8 } from "../../lib/wire/bytes.ts";
import { encodeBeacon } from "../../lib/wire/beacon.ts";
import { encodeSealed } from "../../lib/wire/tunnel.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { assert, assertEquals } from "../assert.ts";
import type { SimProbe } from "../sim/net.ts";
import type { SimAgent } from "../sim/agent.ts";
import { World } from "../sim/world.ts";

const PORT = 1000;
const TUNNEL: Omit<Endpoint, "host"> = { port: 4_000 };

interface Scene {
  readonly world: World;
  readonly a: SimAgent;
  readonly b: SimAgent;
  /** An open stream from a to b. */
  readonly stream: number;
  readonly eve: SimProbe;
  /** Every datagram that b received from a, or through the beacon. */
  readonly recorded: Uint8Array[];
}

function makeScene(seed: number): Scene {
  const world = new World({ seed });
  const a = world.addAgent("agent-a");
  const b = world.addAgent("agent-b");
  const recorded: Uint8Array[] = [];
  world.net.forbid(({ to, flight }) => {
    if (to === "agent-b") recorded.push(flight.data.slice());
    return false;
  });
  world.befriend(a, b);
  b.act((node) => node.ports.listen(PORT));
  const stream = a.connect(b, PORT);
  assert(typeof stream === "number");
  a.write(stream, encodeUtf8("before "));
  world.net.run(3_000);
  const eve = world.net.addHost("eve", { ip: "198.51.100.66" }).open(6_666);
  return { world, a, b, stream, eve, recorded };
}

/** What must not change: who is a peer, by which path, with which streams and which trust. */
function digest({ a, b }: Scene): unknown {
  return [a, b].map(({ node }) => ({
    peers: [...node.tunnels.peers()].map((peer) => ({
      node: peer.node,
      proven: peer.isProven,
      path: peer.paths.describe(true).path,
      endpoint: peer.paths.describe(true).endpoint,
      dialect: peer.dialect,
    })),
    streams: node.ports.list().map(({ id, state, bytes_recv }) => ({ id, state, bytes_recv })),
    trust: node.trust.snapshot(),
    accepted: node.ports.listening,
  }));
}

function dropped(agent: SimAgent): number {
  return Object.values(agent.node.tunnels.stats.drops()).reduce((sum, count) => sum + count, 0);
}

/** Runs an attack and shows that the line is as it was, and works. */
function unmoved(scene: Scene, attack: (target: Endpoint) => number): number {
  const { world, a, b, stream } = scene;
  const before = digest(scene);
  const events = b.events.length;
  const drops = dropped(b);
  const sent = attack({ host: b.host.ip, ...TUNNEL });
  world.net.run(1_000);
  assertEquals(digest(scene), before);
  assertEquals(b.events.length, events);
  const counted = dropped(b) - drops;
  a.write(stream, encodeUtf8("after"));
  const inbound = b.accepted(PORT)[0] ?? 0;
  assert(
    world.net.runUntil(() => decodeUtf8(b.received(inbound)).endsWith("after"), 1_000),
    "the line is dead",
  );
  assert(counted <= sent);
  return counted;
}

Deno.test("garbage changes nothing and is counted", () => {
  const scene = makeScene(1);
  const counted = unmoved(scene, (target) => {
    for (let n = 0; n < 5_000; n++) {
      const data = scene.world.random.bytes(new Uint8Array(scene.world.random.int(200)));
      scene.eve.send(target, data);
    }
    return 5_000;
  });
  assertEquals(counted, 5_000);
});

Deno.test("garbage behind every magic and beacon type changes nothing", () => {
  const scene = makeScene(2);
  const heads = [..."SAKTP"].map((letter) => encodeUtf8(`PIL${letter}`));
  for (let type = 0; type < 16; type++) heads.push(new Uint8Array([type]));
  unmoved(scene, (target) => {
    for (const head of heads) {
      for (let n = 0; n < 100; n++) {
        const tail = scene.world.random.bytes(new Uint8Array(scene.world.random.int(200)));
        scene.eve.send(target, new Uint8Array([...head, ...tail]));
      }
    }
    return heads.length * 100;
  });
});

Deno.test("every truncation of genuine datagrams changes nothing", () => {
  const scene = makeScene(3);
  const genuine = scene.recorded.slice(-8);
  unmoved(scene, (target) => {
    let sent = 0;
    for (const data of genuine) {
      for (let length = 0; length < data.length; length++, sent++) {
        scene.eve.send(target, data.subarray(0, length));
      }
    }
    return sent;
  });
});

Deno.test("genuine datagrams with one bit turned change nothing", () => {
  const scene = makeScene(4);
  const genuine = scene.recorded.slice(-4);
  unmoved(scene, (target) => {
    let sent = 0;
    for (const data of genuine) {
      for (let bit = 0; bit < 8 * data.length; bit++, sent++) {
        const copy = data.slice();
        copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        scene.eve.send(target, copy);
      }
    }
    return sent;
  });
});

Deno.test("copies of everything ever said change nothing, from wherever they come", () => {
  const scene = makeScene(5);
  const all = [...scene.recorded];
  assert(all.length > 10);
  const counted = unmoved(scene, (target) => {
    for (const data of all) scene.eve.send(target, data);
    return all.length;
  });
  assert(counted > 0);
  assert((scene.b.node.tunnels.stats.drops()["replay"] ?? 0) > 0);
});

Deno.test("a copied key exchange does not move the peer to its sender's address", () => {
  const scene = makeScene(6);
  const exchanges = scene.recorded.filter((data) => decodeUtf8(data.subarray(0, 4)) === "PILA");
  assert(exchanges.length > 0);
  unmoved(scene, (target) => {
    for (const data of exchanges) scene.eve.send(target, data);
    return exchanges.length;
  });
  const path = scene.b.node.tunnels.peer(scene.a.id)?.paths.describe(true);
  assertEquals(path?.endpoint?.host, scene.a.host.ip);
});

Deno.test("a forged frame with a huge counter does not silence the peer", () => {
  const scene = makeScene(7);
  unmoved(scene, (target) => {
    for (let n = 0; n < 100; n++) {
      const nonce = new Uint8Array(12).fill(0xff);
      const genuine = scene.recorded.findLast((data) => decodeUtf8(data.subarray(0, 4)) === "PILS");
      if (n % 2 === 0 && genuine !== undefined) nonce.set(genuine.subarray(8, 12));
      const ciphertext = scene.world.random.bytes(new Uint8Array(50));
      scene.eve.send(target, encodeSealed({ sender: scene.a.id, nonce, ciphertext }));
    }
    return 100;
  });
});

Deno.test("relay and punch frames that do not come from the beacon change nothing", () => {
  const scene = makeScene(8);
  const inner = scene.recorded.at(-1) ?? new Uint8Array(0);
  const counted = unmoved(scene, (target) => {
    scene.eve.send(target, encodeBeacon({ kind: "relay_deliver", sender: scene.a.id, frame: inner }));
    scene.eve.send(
      target,
      encodeBeacon({ kind: "punch_command", endpoint: { host: "203.0.113.99", port: 53 } }),
    );
    scene.eve.send(
      target,
      encodeBeacon({ kind: "discover_reply", endpoint: { host: "203.0.113.99", port: 53 } }),
    );
    scene.eve.send(target, encodeBeacon({ kind: "notify", reason: 1 }));
    return 4;
  });
  assertEquals(counted, 4);
  assertEquals(scene.b.node.tunnels.stats.drops()["not_the_beacon"], 4);
  assertEquals(scene.eve.received.length, 0);
});

Deno.test("a flood of forged key exchanges from one address is cut off before any signature is looked at", () => {
  const scene = makeScene(9);
  const exchange = scene.recorded.find((data) => decodeUtf8(data.subarray(0, 4)) === "PILA");
  assert(exchange !== undefined);
  unmoved(scene, (target) => {
    for (let n = 0; n < 2_000; n++) {
      const copy = exchange.slice();
      copy[80] = n & 0xff;
      copy[81] = n >> 8;
      scene.eve.send(target, copy);
    }
    return 2_000;
  });
  const drops = scene.b.node.tunnels.stats.drops();
  assert((drops["exchange_flood"] ?? 0) > 1_900, JSON.stringify(drops));
  assert((drops["exchange_signature"] ?? 0) <= 30, JSON.stringify(drops));
});
