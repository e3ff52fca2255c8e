/** The beacons of a node, with datagrams by hand. */

import { Beacons } from "../../lib/core/beacons.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { decodeBeacon, encodePunchTrailer } from "../../lib/wire/beacon.ts";
import { decodeFrame } from "../../lib/wire/tunnel.ts";
import { assert, assertEquals } from "../assert.ts";

const X: Endpoint = { host: "203.0.113.1", port: 9001 };
const Y: Endpoint = { host: "203.0.113.2", port: 9001 };
const SEEN: Endpoint = { host: "198.51.100.1", port: 4000 };
const NONE = new Uint8Array(0);

/** Beacons that are asked and answer as told. */
class Bench {
  readonly beacons = new Beacons({ self: () => 7, mayPunch: () => true });
  now = 0;

  constructor(...endpoints: readonly Endpoint[]) {
    this.beacons.setBeacons(endpoints, 0);
  }

  /** What leaves until `at`, as `host kind`. */
  until(at: number): string[] {
    const sent: string[] = [];
    for (let due = this.beacons.pollTimeout(); due !== undefined && due <= at;) {
      this.now = Math.max(this.now, due);
      this.beacons.handleTimeout(this.now);
      for (let out = this.beacons.pollTransmit(); out !== undefined; out = this.beacons.pollTransmit()) {
        const message = decodeBeacon(out.data);
        const frame = decodeFrame(out.data);
        const kind = typeof message === "string"
          ? typeof frame === "string" ? frame : frame.kind
          : message.kind;
        sent.push(`${out.to.host} ${kind}`);
      }
      due = this.beacons.pollTimeout();
    }
    this.now = at;
    return sent;
  }

  answer(beacon: Endpoint, seen: Endpoint = SEEN): void {
    this.beacons.handleMessage(beacon, { kind: "discover_reply", endpoint: seen, trailer: NONE }, this.now);
  }

  command(beacon: Endpoint, endpoint: Endpoint, node = 9): void {
    const trailer = encodePunchTrailer(node);
    this.beacons.handleMessage(beacon, { kind: "punch_command", endpoint, trailer }, this.now);
  }

  /** Both answer after these times, milliseconds. */
  round(x: number, y: number): void {
    this.beacons.announce(this.now);
    const start = this.now;
    this.until(start);
    for (
      const [ms, beacon] of [[x, X], [y, Y]].toSorted(([a], [b]) => Number(a) - Number(b)) as [
        number,
        Endpoint,
      ][]
    ) {
      this.until(start + ms);
      this.answer(beacon);
    }
  }

  events(): string[] {
    const found: string[] = [];
    for (let event = this.beacons.pollEvent(); event !== undefined; event = this.beacons.pollEvent()) {
      found.push(event.type === "beacon" ? `beacon ${event.reachable}` : event.type);
    }
    return found;
  }
}

Deno.test("beacons: all are told where we are, the nearest is used, and only a clearly nearer one replaces it", () => {
  const bench = new Bench(X, Y);
  bench.round(50, 80);
  assertEquals(bench.beacons.beacon, X);
  for (let n = 0; n < 4; n++) bench.round(50, 40);
  assertEquals(bench.beacons.beacon, X);
  for (let n = 0; n < 4; n++) bench.round(50, 20);
  assertEquals(bench.beacons.beacon, Y);
  assertEquals(bench.beacons.usable.map(({ endpoint }) => endpoint), [Y, X]);
});

Deno.test("beacons: one that falls silent is doubted at once and left soon; the last one is kept", () => {
  const bench = new Bench(X, Y);
  bench.round(10, 20);
  bench.events();
  bench.until(bench.now + 5_000);
  bench.beacons.check(bench.now);
  const start = bench.now;
  bench.until(start);
  bench.until(start + 20);
  bench.answer(Y);
  bench.until(start + 250);
  assertEquals(bench.beacons.usable.map(({ isDoubtful }) => isDoubtful), [true, false]);
  bench.until(start + 2_000);
  assertEquals(bench.beacons.usable, [{ endpoint: Y, isDoubtful: false }]);
  assert(!bench.events().includes("beacon false"), "one of two still answers");
  bench.until(start + 60_000);
  assertEquals(bench.events().filter((event) => event.startsWith("beacon")), ["beacon false"]);
  assertEquals(bench.beacons.usable.length, 2, "with none that answers all are worth a try");
});

Deno.test("beacons: a check asks every beacon, once at a time and at most once per second", () => {
  const bench = new Bench(X, Y);
  bench.round(10, 10);
  bench.until(5_000);
  let asked = 0;
  for (let n = 0; n < 100; n++) {
    bench.beacons.check(bench.now);
    asked += bench.until(bench.now + 10).length;
    bench.answer(X);
    bench.answer(Y);
  }
  assertEquals(asked, 2);
});

Deno.test("beacons: beacons that are given again keep what is known of them, at most four are used", () => {
  const bench = new Bench(X);
  bench.until(0);
  bench.answer(X);
  const many = [5, 6, 7, 8].map((n) => ({ host: `203.0.113.${n}`, port: 9001 }));
  bench.beacons.setBeacons([X, X, ...many], bench.now);
  assertEquals(bench.beacons.endpoints, [X, ...many.slice(0, 3)]);
  assertEquals([bench.beacons.reflexive, bench.beacons.isReachable], [SEEN, true]);
  bench.beacons.setBeacons([], bench.now);
  assertEquals([bench.beacons.beacon, bench.beacons.pollTimeout()], [undefined, undefined]);
});

Deno.test("beacons: punch commands are obeyed at a bounded rate, whichever beacon they come from", () => {
  const bench = new Bench(X, Y);
  bench.round(10, 10);
  const target = (n: number) => ({ host: `192.0.2.${n}`, port: 5_000 });
  let punches = 0;
  const count = (sent: readonly string[]) =>
    void (punches += sent.filter((line) => line.endsWith(" punch")).length);
  for (let n = 0; n < 200; n++) bench.command(n % 2 === 0 ? X : Y, target(n));
  count(bench.until(bench.now + 1_000));
  assertEquals(punches, 20 * 4, "twenty commands, four datagrams each");
  punches = 0;
  bench.until(bench.now + 60_000);
  for (let n = 0; n < 100; n++) {
    bench.command(n % 2 === 0 ? X : Y, { host: "192.0.2.1", port: 6_000 + n });
  }
  count(bench.until(bench.now + 1_000));
  assertEquals(punches, 3 * 4, "three for one address");
});

Deno.test("beacons: what strangers send does nothing", () => {
  const bench = new Bench(X);
  bench.until(0);
  bench.answer(Y);
  bench.command(Y, { host: "192.0.2.1", port: 5_000 });
  assertEquals([bench.beacons.reflexive, bench.beacons.isBeacon(Y)], [undefined, false]);
  assert(bench.until(100).every((line) => !line.endsWith(" punch")));
});

Deno.test("beacons: with a carrier one relay is used, nobody is punched, and an answer on UDP is news", () => {
  const bench = new Bench(X, Y);
  bench.round(30, 10);
  bench.events();
  bench.beacons.setCarrier("up", bench.now);
  assertEquals(bench.beacons.usable, [{ endpoint: X, isDoubtful: false }]);
  bench.beacons.punch(9, bench.now);
  bench.beacons.check(bench.now);
  assertEquals(bench.until(bench.now + 1_000), []);
  bench.beacons.setCarrier("down", bench.now);
  assertEquals(bench.beacons.isReachable, false);
  bench.until(bench.now + 100);
  bench.answer(X);
  assert(bench.events().includes("beacon true"));
});
