import { assert, assertEquals } from "../assert.ts";
import { Log } from "../../lib/io/log.ts";
import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";
import { serveBeacon } from "../../services/beacon/serve.ts";
import { KeyRegistry } from "../beacon/key_registry.ts";
import { until } from "../e2e/process.ts";
import { BlockableNode, person } from "./blockable_node.ts";

/**
 * Two nodes that trust each other, on UDP, with a beacon that also serves a relay over WebSocket. With `isBlocked` the
 * second one never has UDP.
 */
async function withPair(
  story: (a: BlockableNode, b: BlockableNode) => Promise<void>,
  { isBlocked = false } = {},
): Promise<void> {
  const registry = new KeyRegistry();
  const stop = new AbortController();
  const server = await serveBeacon({
    listen: ["127.0.0.1:0"],
    registry: registry.address,
    relay: { listen: "127.0.0.1:0" },
    log: Log.silent,
    signal: stop.signal,
  });
  const people = [person(1), person(2)] as const;
  for (const { node, identity } of people) registry.keys.set(node, identity.publicKey);
  const nodes = new Map<number, BlockableNode>();
  const answer = (request: RegistryRequest): RegistryReply | undefined => {
    const peer = request.type === "resolve" ? nodes.get(request.node_id) : undefined;
    if (request.type !== "resolve" || peer === undefined) return undefined;
    const relay_only = peer.transport.relayOnly;
    return { type: "resolve_ok", node_id: request.node_id, real_addr: peer.endpoint, relay_only };
  };
  const make = (who: typeof people[number], peer: typeof people[number]) => {
    const [beacon, relay] = [server.port, server.relayPort ?? 0];
    const node = new BlockableNode({ who, peer, beacon, relay, registry: answer });
    nodes.set(who.node, node);
    return node;
  };
  const [a, b] = [make(people[0], people[1]), make(people[1], people[0])];
  b.socket.isBlocked = isBlocked;
  try {
    await until("both know their beacon", () => a.node.beacon.isReachable && b.node.beacon.isReachable);
    await story(a, b);
  } finally {
    await Promise.all([a.close(), b.close()]);
    stop.abort();
    await server.finished;
    await registry.close();
  }
}

/** A stream from `a` to port 9000 of `b`: its number on both sides. */
async function stream(a: BlockableNode, b: BlockableNode): Promise<{ out: number; into: number }> {
  b.act((node) => node.ports.listen(9_000));
  const out = a.act((node, now) => node.connect({ network: 0, node: b.node.node }, 9_000, now));
  let into: number | undefined;
  await until("the stream is accepted", () => {
    for (const event of b.events) {
      if (event.type === "stream" && event.event.type === "accepted") into = event.event.id;
    }
    return into !== undefined;
  });
  return { out, into: into ?? 0 };
}

Deno.test("transport: a stream on a direct path lives on when UDP is blocked, and goes back when it is not", async () => {
  await withPair(async (a, b) => {
    const { out, into } = await stream(a, b);
    let sent = 0;
    const send = async () => {
      const chunk = new Uint8Array(20_000).fill(sent % 251);
      sent += a.act((node, now) => node.ports.write(out, chunk, now));
      await until("all of it has arrived", () => b.bytes(into).length === sent);
    };
    await send();
    await until("the path is direct", () => a.path(2) === "direct" && b.path(1) === "direct");
    await send();

    b.socket.isBlocked = true;
    await send();
    assertEquals([b.transport.state.name, b.path(1), b.changes], ["wss", "relay", 1]);
    assert(b.node.beacon.isReachable);
    await send();
    assertEquals(a.transport.state.name, "udp");

    b.socket.isBlocked = false;
    // The beacon is asked every half a minute; a network that has changed is asked at once.
    b.act((node, now) => node.beacon.announce(now));
    await until("b is back on UDP", () => b.transport.state.name === "udp");
    await send();
    await until("the path is direct again", () => a.path(2) === "direct" && b.path(1) === "direct");
    await send();
    assertEquals(b.changes, 2);
    const closed = [...a.events, ...b.events].some((event) =>
      event.type === "stream" && event.event.type === "closed"
    );
    assertEquals(closed, false);
  });
});

Deno.test("transport: where UDP is blocked from the start, the relay is tried before the beacon counts as silent", async () => {
  await withPair(async (a, b) => {
    await until("it takes the relay", () => b.transport.relayOnly);
    const isSilent = b.events.some((event) => event.type === "beacon" && !event.reachable);
    assertEquals([isSilent, b.transport.isUndecided, a.transport.relayOnly], [false, false, false]);
    const { out, into } = await stream(a, b);
    a.act((node, now) => node.ports.write(out, new Uint8Array(1_000), now));
    await until("it arrives", () => b.bytes(into).length === 1_000);
  }, { isBlocked: true });
});

Deno.test("transport: with both ends blocked a new stream opens through the relay", async () => {
  await withPair(async (a, b) => {
    a.socket.isBlocked = b.socket.isBlocked = true;
    a.act((node, now) => node.beacon.check(now));
    b.act((node, now) => node.beacon.check(now));
    await until("both take the relay", () => a.transport.relayOnly && b.transport.relayOnly);
    const { out, into } = await stream(a, b);
    a.act((node, now) => node.ports.write(out, new Uint8Array(100_000), now));
    await until("it arrives", () => b.bytes(into).length === 100_000);
    assertEquals([a.path(2), b.path(1)], ["relay", "relay"]);
  });
});
