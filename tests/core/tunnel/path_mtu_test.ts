/** What paths carry: discovery between two nodes, datagrams up to it and no further, streams that survive its changes. */

import { DATAGRAM_OVERHEAD } from "../../../lib/core/tunnel/ceiling.ts";
import { BASE_DATAGRAM } from "../../../lib/core/tunnel/pmtu.ts";
import { BASE_PAYLOAD } from "../../../lib/core/tunnel/tunnels.ts";
import { encodeUtf8 } from "../../../lib/wire/bytes.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import type { SimAgent, SimAgentOptions } from "../../sim/agent.ts";
import { World } from "../../sim/world.ts";

const PORT = 1000;
const ETHERNET = 1_500;
const HEADERS = 28;

interface Pair {
  readonly world: World;
  readonly a: SimAgent;
  readonly b: SimAgent;
}

function makePair(seed: number, options: { mtu?: number } & SimAgentOptions = {}): Pair {
  const { mtu, ...agent } = options;
  const world = new World({ seed, link: { delayMs: 5, ...(mtu === undefined ? {} : { mtu }) } });
  const a = world.addAgent("agent-a", agent);
  const b = world.addAgent("agent-b", agent);
  world.befriend(a, b);
  for (const each of [a, b]) each.act((node) => node.ports.listen(PORT));
  return { world, a, b };
}

/** Opens a stream and lets the path settle. */
function connect({ world, a, b }: Pair): number {
  const id = a.connect(b, PORT);
  assert(typeof id === "number", String(id));
  world.net.run(3_000);
  return id;
}

function limit(from: SimAgent, to: SimAgent): number {
  return from.node.datagramLimit(to.id);
}

/** The largest datagram between hosts while `run` runs, bytes of UDP payload. */
function largest(world: World, run: () => void): number {
  let size = 0;
  const stop = world.net.forbid(({ flight }) => {
    size = Math.max(size, flight.data.length);
    return false;
  });
  run();
  stop();
  return size;
}

/** Sends `data` and lets time pass until all has arrived; false when it does not. */
function transfer({ world, a, b }: Pair, id: number, data: Uint8Array, maxMs: number): boolean {
  const inbound = b.accepted(PORT).at(-1) ?? 0;
  const wanted = b.received(inbound).length + data.length;
  let sent = 0;
  const end = world.net.now + maxMs;
  while (world.net.now < end && b.received(inbound).length < wanted) {
    if (sent < data.length) sent += a.write(id, data.subarray(sent));
    world.net.run(10);
  }
  return b.received(inbound).length === wanted;
}

Deno.test("two nodes on Ethernet find its size, both ways, and nothing larger leaves", () => {
  const pair = makePair(1, { mtu: ETHERNET });
  const size = largest(pair.world, () => connect(pair));
  assertEquals(limit(pair.a, pair.b), ETHERNET - HEADERS - DATAGRAM_OVERHEAD);
  assertEquals(limit(pair.b, pair.a), ETHERNET - HEADERS - DATAGRAM_OVERHEAD);
  assertEquals(size, ETHERNET - HEADERS);
});

Deno.test("on a path with a smaller size no datagram above it is believed", () => {
  for (const mtu of [1_280, 1_372, 1_420, 1_492]) {
    const pair = makePair(2, { mtu });
    connect(pair);
    pair.a.act((node, now) => node.sendDatagram(pair.b.address, 5_000, { data: encodeUtf8("x"), now }));
    pair.world.net.run(30_000);
    const found = limit(pair.a, pair.b) + DATAGRAM_OVERHEAD + HEADERS;
    assert(found <= mtu, `${found} on a path of ${mtu}`);
    assert(mtu - found <= 32, `${found} on a path of ${mtu}`);
  }
});

Deno.test("frames above Ethernet are only tried when the socket never fragments", () => {
  const careful = makePair(3);
  assert(largest(careful.world, () => connect(careful)) <= ETHERNET - HEADERS);
  const jumbo = makePair(4, { mtu: 9_000, neverFragments: true });
  connect(jumbo);
  jumbo.a.act((node, now) => node.sendDatagram(jumbo.b.address, 5_000, { data: encodeUtf8("x"), now }));
  jumbo.world.net.run(20_000);
  const found = limit(jumbo.a, jumbo.b) + DATAGRAM_OVERHEAD + HEADERS;
  assert(found >= 8_980 && found <= 9_000, `${found}`);
});

Deno.test("datagrams can be held to a fixed size", () => {
  const pair = makePair(5, { maxDatagram: 1_252, neverFragments: true });
  const size = largest(pair.world, () => {
    const id = connect(pair);
    assert(transfer(pair, id, new Uint8Array(200_000), 20_000));
  });
  assertEquals(limit(pair.a, pair.b), 1_252 - DATAGRAM_OVERHEAD);
  assert(size <= 1_252, `${size}`);
});

Deno.test("on the relay the base holds", () => {
  const pair = makePair(6);
  pair.world.net.cut(pair.a.host, pair.b.host);
  const size = largest(pair.world, () => {
    const id = connect(pair);
    assert(transfer(pair, id, new Uint8Array(100_000), 20_000));
  });
  assertEquals(limit(pair.a, pair.b), BASE_PAYLOAD);
  assert(size <= BASE_DATAGRAM + 9, `${size}`);
});

Deno.test("a transfer goes on when its direct path begins to swallow large datagrams", () => {
  const pair = makePair(7, { mtu: ETHERNET });
  const id = connect(pair);
  assert(transfer(pair, id, new Uint8Array(100_000).fill(1), 20_000));
  for (const each of [pair.a, pair.b]) each.host.link.set({ delayMs: 5, mtu: 1_300 });
  const start = pair.world.net.now;
  assert(transfer(pair, id, new Uint8Array(100_000).fill(2), 10_000), "the stream is stuck");
  const ms = pair.world.net.now - start;
  assert(ms < 3_000, `${ms} ms`);
  pair.world.net.run(20_000);
  assert(limit(pair.a, pair.b) + DATAGRAM_OVERHEAD + HEADERS <= 1_300);
});

Deno.test("a transfer in large segments goes on over the relay when its direct path is cut", () => {
  const pair = makePair(8, { mtu: 9_000, neverFragments: true });
  const { world, a, b } = pair;
  const id = connect(pair);
  const data = world.random.bytes(new Uint8Array(300_000));
  const inbound = b.accepted(PORT).at(-1) ?? 0;
  let sent = 0;
  const feed = (ms: number) => {
    for (const end = world.net.now + ms; world.net.now < end; world.net.run(5)) {
      if (sent < data.length) sent += a.write(id, data.subarray(sent));
    }
  };
  feed(30);
  const before = b.received(inbound).length;
  assert(before < data.length, "already over");
  world.net.cut(a.host, b.host);
  // What was in the air arrives.
  feed(15);
  const atCut = b.received(inbound).length;
  const size = largest(world, () => {
    const cutAt = world.net.now;
    while (b.received(inbound).length === atCut && world.net.now < cutAt + 5_000) feed(5);
    const ms = world.net.now - cutAt;
    assert(ms < 1_500, `data flows again after ${ms} ms`);
    feed(10_000);
  });
  assertEquals(b.received(inbound).length, data.length);
  assertEquals(b.received(inbound), data);
  assert(size <= 8_972, `${size}`);
});

Deno.test("a datagram above what the path carries is refused with both numbers, one at the limit arrives whole", () => {
  const pair = makePair(9, { mtu: ETHERNET });
  const { world, a, b } = pair;
  const send = (size: number) =>
    a.act((node, now) => node.sendDatagram(b.address, 5_000, { data: new Uint8Array(size).fill(7), now }));
  assertEquals(limit(a, b), BASE_PAYLOAD, "not known yet: the base");
  assertThrows(() => send(BASE_PAYLOAD + 1), RangeError, "1153 bytes is above the 1152");
  connect(pair);
  const most = limit(a, b);
  send(most);
  world.net.run(100);
  assertThrows(() => send(most + 1), RangeError, `above the ${most}`);
  const sizes = b.events.flatMap((event) => event.type === "datagram" ? [event.data.length] : []);
  assertEquals(sizes, [most]);
});
