/** Candidates between two agents: who gets them, how they get through, and what forged ones do. */

import { encodeTraversal } from "../../lib/wire/candidates.ts";
import { PACKET_VERSION, Protocol } from "../../lib/wire/packet.ts";
import { PORT_TRAVERSAL } from "../../lib/core/constants.ts";
import { assert, assertEquals } from "../assert.ts";
import { NAT_CLASSES } from "./net.ts";
import type { SimAgent } from "./agent.ts";
import { World } from "./world.ts";

const PORT = 1000;

function pathOf(a: SimAgent, b: SimAgent) {
  return a.node.tunnels.peer(b.id)?.paths.describe(true);
}

/** Two agents on one network behind a NAT that does not turn datagrams around. */
function neighbours(options: { seed: number; plain?: boolean }): { world: World; a: SimAgent; b: SimAgent } {
  const world = new World({ seed: options.seed });
  const nat = world.net.addNat("home", { ip: "198.51.100.1", ...NAT_CLASSES.portRestricted });
  const plain = options.plain ?? false;
  const a = world.addAgent("a", { ip: "192.168.1.2", nat });
  const b = world.addAgent("b", { ip: "192.168.1.3", nat, plain });
  world.befriend(a, b);
  b.act((node) => node.ports.listen(PORT));
  return { world, a, b };
}

Deno.test("two agents on one network meet there, within a second, whoever dials", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { world, a, b } = neighbours({ seed });
    assert(typeof a.connect(b, PORT) === "number", `seed ${seed}`);
    const isLocal = (one: SimAgent, other: SimAgent) => pathOf(one, other)?.source === "local";
    assert(world.net.runUntil(() => isLocal(a, b) && isLocal(b, a), 1_000), `seed ${seed}`);
    assertEquals(pathOf(a, b)?.endpoint, { host: "192.168.1.3", port: 4000 }, `seed ${seed}`);
  }
});

Deno.test("a node that promises no more than the public protocol gets no candidates", () => {
  const { world, a, b } = neighbours({ seed: 1, plain: true });
  assert(typeof a.connect(b, PORT) === "number");
  world.net.run(5_000);
  assertEquals(pathOf(a, b)?.path, "relay");
  const peer = a.node.tunnels.peer(b.id);
  assertEquals(peer?.exchangesCandidates, false);
  assertEquals(b.node.tunnels.stats.drops(), {});
});

Deno.test("only those that are trusted hear of local addresses", () => {
  const world = new World({ seed: 3 });
  const nat = world.net.addNat("home", { ip: "198.51.100.1", ...NAT_CLASSES.portRestricted });
  const a = world.addAgent("a", { ip: "192.168.1.2", nat });
  const b = world.addAgent("b", { ip: "192.168.1.3", nat, isPublic: true });
  b.act((node) => node.ports.listen(PORT));
  assert(typeof a.connect(b, PORT) === "number");
  world.net.run(5_000);
  assertEquals(pathOf(a, b)?.path, "relay");
  world.befriend(a, b);
  assert(typeof a.connect(b, PORT) === "number");
  assert(world.net.runUntil(() => pathOf(a, b)?.source === "local", 2_000), "not told once trusted");
});

Deno.test("candidates that are lost are sent again, and new ones follow a change", () => {
  const { world, a, b } = neighbours({ seed: 4 });
  let lost = 0;
  const heal = world.net.forbid(({ to, flight }) => {
    const isFirst = to === "b" && flight.data.length > 100 && flight.data.length < 200 && lost < 3;
    if (isFirst) lost++;
    return isFirst;
  });
  assert(typeof a.connect(b, PORT) === "number");
  assert(world.net.runUntil(() => pathOf(a, b)?.source === "local", 8_000));
  heal();
  b.moveTo({ ip: "192.168.1.77", nat: b.options.nat ?? raise() });
  a.connect(b, PORT);
  const isThere = () => pathOf(a, b)?.endpoint?.host === "192.168.1.77";
  assert(world.net.runUntil(isThere, 20_000), "not found at its new address");
});

Deno.test("candidates of somebody else, forged or replayed, change nothing", () => {
  const { world, a, b } = neighbours({ seed: 5 });
  const nat = b.options.nat ?? raise();
  const evil = world.net.addHost("evil", { ip: "192.168.1.66", nat }).open(9);
  const frames: Uint8Array[] = [];
  world.net.forbid(({ to, flight }) => {
    if (to === "b") frames.push(flight.data);
    return false;
  });
  assert(typeof a.connect(b, PORT) === "number");
  assert(world.net.runUntil(() => pathOf(b, a)?.source === "local", 2_000));
  const paths = () => b.node.tunnels.peer(a.id)?.paths.candidates();
  const before = paths();
  const target = { host: "192.168.1.3", port: 4000 };
  for (const frame of frames) {
    const altered = frame.slice();
    const last = altered.length - 1;
    altered[last] = (altered[last] ?? 0) ^ 1;
    evil.send(target, frame);
    evil.send(target, altered);
  }
  world.net.run(3_000);
  assertEquals(paths(), before);
  assertEquals(pathOf(b, a)?.source, "local");
  assert(evil.received.length <= 1, "the stranger was answered");
});

Deno.test("a message of a trusted peer that makes no sense is counted and dropped", () => {
  const { world, a, b } = neighbours({ seed: 6 });
  assert(typeof a.connect(b, PORT) === "number");
  const before = b.node.tunnels.peer(a.id)?.paths.candidates();
  const bytes = encodeTraversal({ kind: "received", generation: 99 });
  for (const payload of [Uint8Array.of(9), new Uint8Array(0), Uint8Array.of(1, 2, 3), bytes]) {
    a.act((node, now) =>
      node.tunnels.send(b.id, {
        version: PACKET_VERSION,
        flags: 0,
        protocol: Protocol.CONTROL,
        source: a.address,
        sourcePort: PORT_TRAVERSAL,
        destination: b.address,
        destinationPort: PORT_TRAVERSAL,
        sequence: 0,
        acknowledgement: 0,
        window: 0,
        payload,
      }, now)
    );
  }
  world.net.run(100);
  const { traversal_type: type, traversal_short: short } = b.node.tunnels.stats.drops();
  assert((type ?? 0) >= 1 && (short ?? 0) >= 2);
  assert(before !== undefined);
});

function raise(): never {
  throw new Error("no NAT");
}
