/** Random operators on a lossy network: trust never appears without consent, and can always be had with it. */

import { assertEquals } from "../assert.ts";
import { type TrustNode, TrustWorld } from "./trust_world.ts";

/** mulberry32: small, seeded, good enough to choose steps. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function run(seed: number): string {
  const world = new TrustWorld();
  const random = randomOf(seed);
  const consent = new Set<string>();
  const trace: string[] = [];
  const pick = (): TrustNode => world.nodes[random(3)] ?? world.a;
  const check = (step: string): void => {
    for (const node of world.nodes) {
      for (const event of node.events.splice(0)) {
        const refused = event.type === "handshake.rejected" && event.via !== "local";
        if (refused || event.type === "handshake.expired" || event.type === "trust.revoked_by_peer") {
          consent.delete(`${node.id}>${event.peer}`);
        }
      }
      const { trusted, pending, outgoing, denied } = node.trust.snapshot();
      const all = [trusted, pending, outgoing, denied].flatMap((list) => list.map((entry) => entry.node));
      assertEquals(new Set(all).size, all.length, `seed ${seed}: ${step}: ${node.id} lists a node twice`);
      for (const entry of trusted) {
        const consented = consent.has(`${node.id}>${entry.node}`);
        assertEquals(
          consented,
          true,
          `seed ${seed}: ${step}: ${node.id} trusts ${entry.node} without consent`,
        );
        const key = entry.publicKey ?? world.node(entry.node)?.identity.publicKey;
        assertEquals(key, world.node(entry.node)?.identity.publicKey, `seed ${seed}: ${step}: wrong key`);
      }
    }
  };
  const revoke = (node: TrustNode, peer: TrustNode): void => {
    consent.delete(`${node.id}>${peer.id}`);
    node.trust.revoke(peer.id, world.now);
  };
  for (let i = 0; i < 120; i++) {
    const node = pick();
    const peer = pick();
    if (node === peer) continue;
    const choice = random(12);
    const step = `${i}: ${choice} ${node.id} ${peer.id}`;
    if (choice <= 2) {
      consent.add(`${node.id}>${peer.id}`);
      node.trust.request(peer.id, { justification: `${i}`, now: world.now });
    } else if (choice === 3) {
      if (node.trust.approve(peer.id, world.now)) consent.add(`${node.id}>${peer.id}`);
    } else if (choice === 4) node.trust.reject(peer.id, "", world.now);
    else if (choice === 5) revoke(node, peer);
    else if (choice === 6) node.restart();
    else if (choice === 7) world.connect(node, peer);
    else if (choice === 8) world.disconnect();
    else if (choice === 9) world.losesRelayed = random(2) === 0;
    else if (choice === 10) node.isPublic = !node.isPublic;
    else world.registryUp = random(3) !== 0;
    world.settle();
    if (random(3) === 0) world.poll();
    world.advance(random(2) === 0 ? 100 : random(90_000));
    check(step);
    trace.push(`${step} ${world.nodes.map((one) => one.takeActions().join(" ")).join(" | ")}`);
  }

  world.registryUp = true;
  world.losesRelayed = false;
  world.poll();
  for (const node of world.nodes) {
    for (const peer of world.nodes) {
      if (node === peer) continue;
      node.trust.request(peer.id, { justification: "", now: world.now });
    }
  }
  for (let minute = 0; minute < 10; minute++) {
    world.settle();
    world.poll();
    world.advance(60_000);
  }
  for (const node of world.nodes) {
    for (const peer of world.nodes) {
      if (node === peer) continue;
      assertEquals(node.trust.isTrusted(peer.id), true, `seed ${seed}: ${node.id} does not trust ${peer.id}`);
    }
  }
  return trace.join("\n");
}

Deno.test("random operators, losses, restarts: trust only with consent, and always when all want it", () => {
  for (let seed = 1; seed <= 12; seed++) run(seed);
});

Deno.test("a seed reproduces its run", () => {
  assertEquals(run(1), run(1));
});
