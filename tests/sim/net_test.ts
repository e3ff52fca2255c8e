import {
  assert,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "../assert.ts";
import type { Machine, Transmit } from "../../lib/core/machine.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { type LinkOptions, NAT_CLASSES, SimNet } from "./net.ts";

function pair(link: LinkOptions, seed = 1) {
  const net = new SimNet({ seed, link: {} });
  const a = net.addHost("a", { ip: "203.0.113.1", link });
  const b = net.addHost("b", { ip: "203.0.113.2" });
  return { net, a, b, from: a.open(1), to: b.open(2) };
}

/** Sends `count` numbered datagrams one millisecond apart; the numbers that arrived, in order. */
function deliver(link: LinkOptions, count: number, seed = 1): number[] {
  const { net, from, to } = pair(link, seed);
  for (let i = 0; i < count; i++) {
    from.send(to.endpoint, Uint8Array.of(i >> 8, i & 0xff));
    net.run(1);
  }
  net.run(10_000);
  return to.received.map(({ data }) => ((data[0] ?? 0) << 8) | (data[1] ?? 0));
}

Deno.test("net: delay, jitter and order", () => {
  const { net, from, to } = pair({ delayMs: 30 });
  from.send(to.endpoint, Uint8Array.of(1));
  net.run(29.9);
  assertEquals(to.received.length, 0);
  net.run(0.1);
  assertEquals(to.received[0]?.at, 30);
  const order = deliver({ delayMs: 30, jitterMs: 50 }, 500);
  assertEquals(order, Array.from({ length: 500 }, (_, i) => i));
});

Deno.test("net: loss, in runs or not, matches its rate", () => {
  for (const [loss, lossBurst] of [[0.05, 1], [0.25, 1], [0.12, 5], [0.25, 8]] as const) {
    const arrived = deliver({ loss, lossBurst }, 20_000);
    const lost = 1 - arrived.length / 20_000;
    assert(Math.abs(lost - loss) < 0.02, `loss ${loss} burst ${lossBurst}: measured ${lost}`);
    let runs = 0;
    for (let i = 1; i < arrived.length; i++) {
      if (((arrived[i] ?? 0) - (arrived[i - 1] ?? 0)) > 1) runs++;
    }
    const mean = (20_000 - arrived.length) / runs;
    const expected = lossBurst === 1 ? 1 / (1 - loss) : lossBurst;
    assert(Math.abs(mean - expected) < 0.15 * expected, `burst ${lossBurst}: measured ${mean}`);
  }
});

Deno.test("net: duplicates and reordering", () => {
  const doubled = deliver({ duplicate: 0.2 }, 2000);
  assert(doubled.length > 2300 && doubled.length < 2500, `${doubled.length}`);
  const shuffled = deliver({ reorder: 0.1, reorderMs: 10 }, 2000);
  assertEquals([...shuffled].sort((a, b) => a - b), Array.from({ length: 2000 }, (_, i) => i));
  assert(shuffled.some((number, i) => number < (shuffled[i - 1] ?? 0)));
});

Deno.test("net: bandwidth delays, a full queue drops", () => {
  // 972 + 28 bytes at 800 kbit/s are 10 ms each.
  const { net, from, to } = pair({ bandwidthKbps: 800, queueBytes: 5000, delayMs: 3 });
  for (let i = 0; i < 10; i++) from.send(to.endpoint, new Uint8Array(972));
  net.run(1000);
  assertEquals(to.received.map((heard) => Math.round(heard.at)), [13, 23, 33, 43, 53]);
  assertEquals(net.trace.filter((line) => line.includes("queue full on a up")).length, 5);
});

Deno.test("net: routes, closed ports, loopback and families", () => {
  const { net, a, from, to } = pair({});
  from.send({ host: "203.0.113.99", port: 1 });
  from.send({ host: to.endpoint.host, port: 77 });
  from.send({ host: "2001:db8::1", port: 1 });
  from.send({ host: "127.0.0.1", port: 1 }, Uint8Array.of(9));
  net.run(10);
  assertEquals(from.take().map(({ from, data }) => [from.host, from.port, data[0]]), [["127.0.0.1", 1, 9]]);
  const fates = net.trace.map((line) => /DROPPED ([^|]*) /.exec(line)?.[1]).filter((fate) =>
    fate !== undefined
  );
  assertEquals(fates.sort(), ["closed port at b", "no route", "no route"]);
  const six = net.addHost("six", { ip: ["203.0.113.6", "2001:db8::6"] }).open(6);
  const alsoSix = net.addHost("seven", { ip: "2001:db8::7" }).open(7);
  alsoSix.send({ host: "2001:db8::6", port: 6 });
  net.run(10);
  assertEquals(six.last?.from, { host: "2001:db8::7", port: 7 });
  assertThrows(() => a.open(1), RangeError, "taken");
  assertThrows(() => net.addHost("twin", { ip: "203.0.113.1" }), RangeError, "taken");
});

Deno.test("net: unplug, suspend, cut, move and firewalls", () => {
  const { net, a, b, from, to } = pair({});
  const attempt = () => {
    from.send(to.endpoint);
    net.run(10);
    return to.take().length;
  };
  assertEquals(attempt(), 1);
  b.unplug();
  assertEquals([attempt(), b.online], [0, false]);
  b.plug();
  a.unplug();
  assertEquals(attempt(), 0);
  a.plug();
  b.suspend();
  assertEquals(attempt(), 0);
  b.resume();
  assertEquals(attempt(), 1);
  const heal = net.cut(a, b, { oneWay: true });
  assertEquals(attempt(), 0);
  to.send(from.endpoint);
  net.run(10);
  assertEquals(from.take().length, 1);
  heal();
  assertEquals(attempt(), 1);
  b.firewall = "blocked";
  assertEquals(attempt(), 0);
  b.firewall = "stateful";
  assertEquals(attempt(), 0);
  to.send(from.endpoint);
  assertEquals(attempt(), 1);
  net.run(120_000);
  assertEquals(attempt(), 0);
  b.firewall = "open";
  a.moveTo({ ip: "198.51.100.77" });
  from.send(to.endpoint);
  net.run(10);
  assertEquals(to.last?.from.host, "198.51.100.77");
});

/** Asks to be woken every 100 ms and answers each datagram. */
class Ticker implements Machine<string> {
  readonly ticks: number[] = [];
  readonly #out: Transmit[] = [];
  readonly #events: string[] = [];
  #due = 100;

  handleDatagram(from: Endpoint, data: Uint8Array): void {
    this.#out.push({ to: from, data: data.slice() });
    this.#events.push("datagram");
  }

  handleTimeout(now: number): void {
    if (now < this.#due) return;
    this.ticks.push(now);
    this.#due = now + 100;
  }

  pollTransmit(): Transmit | undefined {
    return this.#out.shift();
  }

  pollTimeout(): number {
    return this.#due;
  }

  pollEvent(): string | undefined {
    return this.#events.shift();
  }
}

Deno.test("net: machines get datagrams, timers and sleep on virtual time", () => {
  const { net, b, from } = pair({ delayMs: 1 });
  const machine = new Ticker();
  const socket = b.attach(machine, 0);
  assertEquals(socket.endpoint, { host: "203.0.113.2", port: 49152 });
  net.run(350);
  assertEquals(machine.ticks, [100, 200, 300]);
  from.send(socket.endpoint, Uint8Array.of(5));
  net.run(50);
  assertEquals([from.last?.data[0], socket.events], [5, ["datagram"]]);
  b.suspend();
  net.run(10_000);
  assertEquals(machine.ticks, [100, 200, 300, 400]);
  b.resume();
  assertEquals(machine.ticks.at(-1), 10_400);
  socket.close();
  net.run(1000);
  assertEquals(machine.ticks.at(-1), 10_400);
});

Deno.test("net: a machine that is never quiet is reported, not endured", () => {
  const { b } = pair({});
  const machine = new Ticker();
  machine.pollTransmit = () => ({ to: { host: "203.0.113.1", port: 1 }, data: new Uint8Array(1) });
  assertThrows(() => b.attach(machine, 9), Error, "never quiet");
});

/** Three hosts behind different NATs chat at random over bad links. */
function busyWorld(seed: number): SimNet {
  const net = new SimNet({
    seed,
    link: { delayMs: 10, jitterMs: 20, loss: 0.05, duplicate: 0.02, reorder: 0.05 },
  });
  const server = net.addHost("server", { ip: "203.0.113.1" }).open(9001);
  const homes = [NAT_CLASSES.fullCone, NAT_CLASSES.portRestricted, NAT_CLASSES.symmetricRandom];
  const random = net.random.fork();
  for (const [i, home] of homes.entries()) {
    const nat = net.addNat(`nat${i}`, { ip: `198.51.100.${i}`, ...home });
    const probe = net.addHost(`host${i}`, { ip: "10.0.0.2", nat }).open(4000);
    for (let turn = 0; turn < 40; turn++) {
      net.schedule(random.float() * 2000, () => {
        probe.send(server.endpoint, random.bytes(new Uint8Array(random.int(40) + 1)));
        const heard = server.take()[0];
        if (heard !== undefined) server.send(heard.from, heard.data);
      });
    }
  }
  net.run(5000);
  return net;
}

Deno.test("net: a seed reproduces its trace, another seed gives another", () => {
  const first = busyWorld(1);
  const again = busyWorld(1);
  const other = busyWorld(2);
  assertGreater(first.trace.length, 150);
  assertEquals(first.trace, again.trace);
  assertEquals(first.traceHash, again.traceHash);
  assertNotEquals(first.traceHash, other.traceHash);
  assertStringIncludes(first.trace.join("\n"), "DROPPED lost on");
});

Deno.test("net: the hash sees the bytes, and traces can be switched off", () => {
  const hash = (byte: number, trace: boolean) => {
    const net = new SimNet({ seed: 1, trace });
    const a = net.addHost("a", { ip: "203.0.113.1" }).open(1);
    a.send({ host: "203.0.113.1", port: 1 }, new Uint8Array(100).fill(1).fill(byte, 99));
    net.run(100);
    return { hash: net.traceHash, lines: net.trace.length };
  };
  assertNotEquals(hash(1, true).hash, hash(2, true).hash);
  assertEquals([hash(1, true).lines, hash(1, false).lines], [1, 0]);
});

Deno.test("net: thousands of datagrams at once arrive, each with its line in the trace", () => {
  const { net, from, to } = pair({ delayMs: 10 });
  for (let i = 0; i < 5000; i++) from.send(to.endpoint, new Uint8Array(100));
  net.run(100);
  assertEquals(to.received.length, 5000);
  assertEquals(net.trace.length, 5000);
});

Deno.test("a machine may send from further sockets, given to it or opened by sending", () => {
  const net = new SimNet({ seed: 3 });
  const server = net.addHost("server", { ip: ["203.0.113.1", "203.0.113.2"] });
  const heard: { from: Endpoint; via: number }[] = [];
  const out: { to: Endpoint; data: Uint8Array; via: number }[] = [];
  const done: number[] = [];
  const machine = {
    handleDatagram: (from: Endpoint, _data: Uint8Array, _now: number, via = 0) =>
      void heard.push({ from, via }),
    handleTimeout: () => {},
    pollTransmit: () => out.shift(),
    pollTimeout: () => undefined,
    pollEvent: () => undefined,
    pollClose: () => done.shift(),
  };
  const socket = server.attach(machine, 9001, { places: [{ host: "203.0.113.2", port: 9001 }] });
  const probe = net.addHost("a", { ip: "192.0.2.1" }).open(4000);
  probe.send({ host: "203.0.113.1", port: 9001 });
  probe.send({ host: "203.0.113.2", port: 9001 });
  net.run(100);
  assertEquals(heard.map(({ via }) => via), [0, 1]);
  for (const via of [0, 1, 5]) out.push({ to: probe.endpoint, data: Uint8Array.of(via), via });
  socket.touch();
  net.run(100);
  const [main, second, opened] = probe.take();
  assertEquals(main?.from, { host: "203.0.113.1", port: 9001 });
  assertEquals(second?.from, { host: "203.0.113.2", port: 9001 });
  probe.send(opened?.from ?? probe.endpoint);
  net.run(100);
  assertEquals(heard.at(-1)?.via, 5);
  done.push(5);
  socket.touch();
  probe.send(opened?.from ?? probe.endpoint);
  net.run(100);
  assertEquals([heard.length, socket.extraSockets], [3, 1]);
});
