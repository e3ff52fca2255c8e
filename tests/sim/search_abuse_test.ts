/** Searching ports within limits: only where both agree, at a bounded rate, and no further than is right. */

import { assert, assertEquals } from "../assert.ts";
import { type Sighting, Transfer, watchDirect } from "./cases.ts";
import { Duo, type Side } from "./duo.ts";
import { CLASSES } from "./matrix.ts";

const SEEDS = [1, 2, 3];
const MINUTE = 60_000;

/** Behind addresses that change with the destination: what the beacon sees tells others nothing. */
const POOLED: Side = {
  nat: { ...CLASSES.Sr.nat, pool: Array.from({ length: 15 }, (_, index) => `198.51.100.${200 + index}`) },
  knows: CLASSES.Sr.knows,
};

/** Distinct endpoints that were sent to: a search shows by their number. */
function targets(sightings: readonly Sighting[], from: string): number {
  return new Set(sightings.filter((each) => each.from === from).map(({ to }) => `${to.host} ${to.port}`))
    .size;
}

/** The most that left within any second. */
function peak(sightings: readonly Sighting[]): number {
  let most = 0;
  for (let start = 0, end = 0; end < sightings.length; end++) {
    while ((sightings[end]?.at ?? 0) - (sightings[start]?.at ?? 0) > 1_000) start++;
    most = Math.max(most, end - start + 1);
  }
  return most;
}

Deno.test("a search that cannot succeed: at most 2,048 probes and 100 a second, then none for ten minutes", () => {
  for (const seed of SEEDS) {
    for (const [a, b, sprayer] of [[CLASSES.PR, POOLED, "a"], [POOLED, CLASSES.PR, "b"]] as const) {
      const transfer = new Transfer({ seed, a, b, gapMs: 5_000 });
      const sightings = watchDirect(transfer.duo);
      transfer.run(10 * MINUTE);
      const first = targets(sightings, sprayer);
      assert(first > 1_000 && first <= 2_048 + 16, `seed ${seed}: ${first} targets`);
      const probes = sightings.filter(({ from }) => from === sprayer);
      // Ordinary probes come on top.
      assert(peak(probes) <= 100 + 10 + 60, `seed ${seed}: ${peak(probes)} in a second`);
      assertEquals(
        transfer.duo.a.socket.extraSockets + transfer.duo.b.socket.extraSockets,
        0,
        `seed ${seed}`,
      );
      transfer.run(20 * MINUTE);
      const second = targets(sightings, sprayer);
      assert(second <= 2 * 2_048 + 16, `seed ${seed}: ${second} targets in half an hour`);
      transfer.run(25 * MINUTE);
      assert(targets(sightings, sprayer) <= 3 * 2_048 + 16, `seed ${seed}`);
    }
  }
});

Deno.test("no search with a peer that does not want one, whoever leads", () => {
  for (const seed of SEEDS) {
    for (
      const [a, b] of [
        [{ ...CLASSES.PR, search: false }, CLASSES.Sr],
        [CLASSES.PR, { ...CLASSES.Sr, search: false }],
        [{ ...CLASSES.Sr, search: false }, CLASSES.PR],
        [CLASSES.Sr, { ...CLASSES.PR, search: false }],
      ] as const
    ) {
      const transfer = new Transfer({ seed, a, b, gapMs: 2_000 });
      const sightings = watchDirect(transfer.duo);
      transfer.run(2 * MINUTE);
      for (const from of ["a", "b"]) {
        assert(targets(sightings, from) <= 8, `seed ${seed}: ${targets(sightings, from)} targets of ${from}`);
      }
      for (const { socket } of [transfer.duo.a, transfer.duo.b]) assertEquals(socket.extraSockets, 0);
    }
  }
});

Deno.test("no search towards an address at which the beacon has not seen the peer", () => {
  for (const seed of SEEDS) {
    const duo = new Duo({ seed, a: CLASSES.PR, b: CLASSES.Sr });
    // A trusted peer that names somebody else's address as its own.
    duo.b.act((node, now) => {
      node.tunnels.updateOwn({ reflexive: { host: "203.0.113.250", port: 9 } }, now);
    });
    const sightings = watchDirect(duo);
    const transfer = new Transfer({ duo, seed, a: {}, b: {}, gapMs: 2_000 });
    transfer.run(MINUTE);
    const victim = sightings.filter(({ to }) => to.host === "203.0.113.250");
    assert(victim.length < 150, `seed ${seed}: ${victim.length} datagrams to the victim`);
    assert(victim.every(({ to }) => to.port === 9), `seed ${seed}: its ports are searched`);
  }
});

Deno.test("once a path is found nothing more is sent, and only its own socket stays", () => {
  for (const seed of SEEDS) {
    const transfer = new Transfer({ seed, a: CLASSES.PR, b: CLASSES.Sr });
    assert(transfer.untilDirect(20_000) <= 20_000, `seed ${seed}`);
    transfer.run(1_000);
    const sightings = watchDirect(transfer.duo);
    transfer.run(MINUTE);
    assert(targets(sightings, "a") <= 3, `seed ${seed}: ${targets(sightings, "a")} targets`);
    assertEquals(transfer.duo.a.socket.extraSockets, 0, `seed ${seed}`);
    assertEquals(transfer.duo.b.socket.extraSockets, 1, `seed ${seed}`);
    assertEquals(transfer.duo.b.describe().source, "searched", `seed ${seed}`);
  }
});

Deno.test("when the path that was found dies, its socket is closed and data go on through the relay", () => {
  for (const seed of SEEDS) {
    const transfer = new Transfer({ seed, a: CLASSES.PR, b: { ...CLASSES.Sr, search: true } });
    assert(transfer.untilDirect(20_000) <= 20_000, `seed ${seed}`);
    transfer.duo.net.cut(transfer.duo.a.host, transfer.duo.b.host);
    assert(transfer.untilArrives(2_000, 5_000) <= 2_000, `seed ${seed}: no data`);
    transfer.run(3 * MINUTE);
    assertEquals(transfer.duo.b.socket.extraSockets, 0, `seed ${seed}`);
    assert(!transfer.isClosed, `seed ${seed}`);
  }
});

Deno.test("everything both have sent, repeated and altered by somebody else during a search, changes nothing", () => {
  for (const seed of SEEDS) {
    const duo = new Duo({ seed, a: CLASSES.PR, b: CLASSES.Sr });
    const evil = duo.net.addHost("evil", { ip: "203.0.113.66" }).open(9_001);
    const frames: Uint8Array[] = [];
    duo.net.forbid(({ to, flight }) => {
      if ((to === "a" || to === "b") && flight.origin !== "evil" && frames.length < 400) {
        frames.push(flight.data);
      }
      return false;
    });
    const transfer = new Transfer({ duo, seed, a: {}, b: {} });
    const open = [{ host: "198.51.100.10", port: 4_000 }, { host: "198.51.100.11", port: 4_000 }];
    for (let round = 0; round < 40; round++) {
      for (const frame of frames.slice(-20)) {
        const altered = frame.slice();
        const index = (round * 7) % altered.length;
        altered[index] = (altered[index] ?? 0) ^ 0x40;
        for (const to of open) {
          evil.send(to, frame);
          evil.send(to, altered);
        }
      }
      transfer.run(100);
    }
    assert(transfer.untilDirect(20_000) <= 20_000, `seed ${seed}: not direct`);
    const { endpoint } = duo.a.describe();
    assertEquals(endpoint?.host, "198.51.100.11", `seed ${seed}`);
    assert(transfer.untilArrives(1_000) <= 1_000, `seed ${seed}`);
    assert(!transfer.isClosed, `seed ${seed}`);
  }
});

Deno.test("a trusted peer that names ever new endpoints makes us send to few of them", () => {
  const duo = new Duo({ seed: 1, a: CLASSES.PR, b: CLASSES.PR });
  const transfer = new Transfer({ duo, seed: 1, a: {}, b: {} });
  assert(transfer.untilDirect(2_000) <= 2_000);
  const sightings = watchDirect(duo);
  for (let second = 0; second < 20; second++) {
    for (let round = 0; round < 50; round++) {
      const local = Array.from({ length: 8 }, (_, index) => ({
        host: `203.0.${113 + second}.${round + 1}`,
        port: 1_000 + index,
      }));
      duo.b.act((node, now) => node.setLocal(local, now));
    }
    transfer.run(1_000);
  }
  const victims = sightings.filter(({ from, to }) => from === "a" && to.host.startsWith("203.0."));
  assert(victims.length > 0 && victims.length < 700, `${victims.length} datagrams in 20 s`);
  assert(transfer.untilArrives(1_000) <= 1_000);
  assert(duo.isDirect, "no longer direct");
});
