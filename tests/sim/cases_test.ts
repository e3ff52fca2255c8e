/** Single cases of reaching each other: places, events and abuse, each with its deadline. */

import { assert, assertEquals } from "../assert.ts";
import { Transfer, watchDirect } from "./cases.ts";
import { Duo, type Side } from "./duo.ts";
import { CLASSES } from "./matrix.ts";
import { type Hairpin, NAT_CLASSES, SimNet } from "./net.ts";

const SEEDS = [1, 2, 3, 4, 5];

/** Two homes behind one carrier's NAT. */
function behindOneCarrier(seed: number, hairpin: Hairpin): Duo {
  const net = new SimNet({ seed, trace: false });
  const carrier = net.addNat("carrier", { ip: "198.51.100.1", hairpin, ...NAT_CLASSES.portRestricted });
  const side = (index: number): Side => {
    const nat = net.addNat(`home-${index}`, {
      ip: `100.64.0.${index}`,
      nat: carrier,
      ...NAT_CLASSES.portRestricted,
    });
    return { attachment: { ip: `192.168.${index}.2`, nat }, knows: CLASSES.PR.knows };
  };
  return new Duo({ seed, net, a: side(1), b: side(2) });
}

for (const name of ["F", "PR", "Sq", "Sr"] as const) {
  Deno.test(`two agents on one network behind ${name} without hairpin: direct within a second`, () => {
    for (const seed of SEEDS) {
      const net = new SimNet({ seed, trace: false });
      const { nat: options, knows } = CLASSES[name];
      const nat = net.addNat("home", { ip: "198.51.100.1", ...options });
      const side = (ip: string): Side => ({ attachment: { ip, nat }, knows });
      const duo = new Duo({ seed, net, a: side("192.168.1.2"), b: side("192.168.1.3") });
      assert(new Transfer({ duo, seed, a: {}, b: {} }).untilDirect(1_000) <= 1_000, `seed ${seed}`);
      assertEquals(duo.a.describe().source, "local", `seed ${seed}`);
    }
  });
}

Deno.test("two homes behind one carrier: direct through its hairpin within 5 s, the relay without one", () => {
  for (const seed of SEEDS) {
    for (const hairpin of ["external", "internal"] as const) {
      const there = new Transfer({ duo: behindOneCarrier(seed, hairpin), seed, a: {}, b: {} });
      if (hairpin === "external") assert(there.untilDirect(5_000) <= 5_000, `seed ${seed}`);
      else assert(there.untilArrives(500) <= 500, `seed ${seed}`);
    }
    const without = new Transfer({ duo: behindOneCarrier(seed, "off"), seed, a: {}, b: {} });
    assertEquals(without.untilDirect(30_000), Infinity, `seed ${seed}`);
    assertEquals([without.duo.a.path, without.duo.b.path], ["relay", "relay"], `seed ${seed}`);
  }
});

Deno.test("a home behind a carrier is as good as the worse of the two", () => {
  for (const seed of SEEDS) {
    for (const outer of ["PR", "Sr"] as const) {
      const net = new SimNet({ seed, trace: false });
      const carrier = net.addNat("carrier", { ip: "198.51.100.1", ...CLASSES[outer].nat });
      const nat = net.addNat("home", { ip: "100.64.0.9", nat: carrier, ...NAT_CLASSES.portRestricted });
      const a: Side = { attachment: { ip: "192.168.9.2", nat }, knows: CLASSES[outer].knows };
      const transfer = new Transfer({ duo: new Duo({ seed, net, a, b: CLASSES.PR }), seed, a, b: {} });
      const limit = outer === "PR" ? 5_000 : 20_000;
      assert(transfer.untilDirect(limit) <= limit, `${outer}, seed ${seed}`);
    }
  }
});

Deno.test("a port that the router forwards makes any pair direct within 5 s", () => {
  for (const seed of SEEDS) {
    for (const [first, second] of [["PR", "Sr"], ["Sr", "Sr"], ["Sr", "Sq"]] as const) {
      const net = new SimNet({ seed, trace: false });
      const nat = net.addNat("home", { ip: "198.51.100.77", ...CLASSES[first].nat });
      const a: Side = {
        attachment: { ip: "192.168.7.2", nat },
        knows: CLASSES[first].knows,
        search: false,
      };
      const mapped = nat.forward(4_444, { host: "192.168.7.2", port: 4_000 });
      const duo = new Duo({ seed, net, a, b: CLASSES[second] });
      duo.a.act((node, now) => node.setMapped(mapped, now));
      const transfer = new Transfer({ duo, seed, a, b: {} });
      assert(transfer.untilDirect(5_000) <= 5_000, `${first} and ${second}, seed ${seed}`);
    }
  }
});

Deno.test("IPv6 on both sides behind stateful firewalls, IPv4 hopeless: direct on IPv6 within 3 s", () => {
  for (const seed of SEEDS) {
    const net = new SimNet({ seed, trace: false });
    const side = (index: number): Side => {
      const nat = net.addNat(`home-${index}`, { ip: `198.51.100.${index}`, ...CLASSES.Sr.nat });
      const ip = [`192.168.${index}.2`, `2001:db8::${index}`];
      return { attachment: { ip, nat }, firewall: "stateful", knows: CLASSES.Sr.knows };
    };
    const duo = new Duo({ seed, net, a: side(1), b: side(2) });
    assert(new Transfer({ duo, seed, a: {}, b: {} }).untilDirect(3_000) <= 3_000, `seed ${seed}`);
    assertEquals(duo.a.describe().endpoint?.host, "2001:db8::2", `seed ${seed}`);
  }
});

Deno.test("behind a NAT64 with IPv4 offered on top: direct to a public host within 5 s, to a home as well", () => {
  for (const seed of SEEDS) {
    for (const other of ["P", "PR"] as const) {
      for (const isDialler of [true, false]) {
        const net = new SimNet({ seed, trace: false });
        const nat = net.addNat("nat64", { ip: "198.51.100.64", nat64: true, ...NAT_CLASSES.portRestricted });
        const phone: Side = { attachment: { ip: "2001:db8:64::2", nat }, knows: CLASSES.PR.knows };
        const [a, b] = isDialler ? [phone, CLASSES[other]] : [CLASSES[other], phone];
        const transfer = new Transfer({ duo: new Duo({ seed, net, a, b }), seed, a, b });
        assert(transfer.untilDirect(5_000) <= 5_000, `${other}, seed ${seed}`);
      }
    }
  }
});

Deno.test("a carrier that gives each customer a block of ports: found within 20 s", () => {
  for (const seed of SEEDS) {
    const carrier: Side = { nat: { ...CLASSES.Sr.nat, ports: "block" }, knows: CLASSES.Sr.knows };
    for (const [a, b] of [[carrier, CLASSES.PR], [CLASSES.PR, carrier]] as const) {
      assert(new Transfer({ seed, a, b }).untilDirect(20_000) <= 20_000, `seed ${seed}`);
    }
  }
});

Deno.test("mappings that last 30 s, five minutes of silence, then data: there within 1 s, direct within 3 s", () => {
  for (const seed of SEEDS) {
    const nat = { ...NAT_CLASSES.portRestricted, idleMs: 30_000 };
    const side: Side = { nat, knows: CLASSES.PR.knows };
    const transfer = new Transfer({ seed, a: side, b: side });
    assert(transfer.untilDirect(2_000) <= 2_000, `seed ${seed}`);
    transfer.run(1_000);
    transfer.duo.net.run(300_000);
    assert(transfer.untilArrives(1_000) <= 1_000, `seed ${seed}: no data`);
    assert(transfer.untilDirect(3_000) <= 3_000, `seed ${seed}: not direct`);
  }
});

Deno.test("unanswered mappings last 15 s and the peer answers after 20 s: direct within 25 s", () => {
  for (const seed of SEEDS) {
    const nat = { ...NAT_CLASSES.portRestricted, unansweredMs: 15_000 };
    const side: Side = { nat, knows: CLASSES.PR.knows };
    const transfer = new Transfer({ seed, a: side, b: side });
    // Nothing of the peer gets out but what goes to the beacon.
    const heal = transfer.duo.net.forbid(({ from, to }) => from === "b" && to === "a");
    transfer.run(20_000);
    assert(!transfer.duo.isDirect);
    heal();
    assert(transfer.untilDirect(5_000) <= 5_000, `seed ${seed}`);
  }
});

Deno.test("a NAT restarts in the middle of a transfer: data within 2 s, direct within 10 s, the stream lives", () => {
  for (const seed of SEEDS) {
    for (const which of ["a", "b"] as const) {
      const transfer = new Transfer({ seed, a: CLASSES.PR, b: CLASSES.PR });
      assert(transfer.untilDirect(2_000) <= 2_000, `seed ${seed}`);
      transfer.run(35_000);
      transfer.duo[which].host.nat?.reboot();
      assert(transfer.untilArrives(2_000, 5_000) <= 2_000, `seed ${seed} ${which}: no data`);
      assert(transfer.untilDirect(10_000) <= 10_000, `seed ${seed} ${which}: not direct`);
      assert(!transfer.isClosed, `seed ${seed} ${which}: the stream has ended`);
    }
  }
});

Deno.test("from Wi-Fi to the mobile network in the middle of a transfer: data within 3 s, the stream lives", () => {
  for (const seed of SEEDS) {
    for (const which of ["a", "b"] as const) {
      const transfer = new Transfer({ seed, a: CLASSES.PR, b: CLASSES.PR });
      assert(transfer.untilDirect(2_000) <= 2_000, `seed ${seed}`);
      transfer.run(20_000);
      const nat = transfer.duo.net.addNat("mobile", { ip: "198.51.100.99", ...NAT_CLASSES.portRestricted });
      transfer.duo[which].moveTo({ ip: "10.20.30.40", nat });
      transfer.run(100);
      assert(transfer.untilArrives(3_000) <= 3_000, `seed ${seed} ${which}: no data`);
      assert(transfer.untilDirect(10_000) <= 10_000, `seed ${seed} ${which}: not direct`);
      assert(!transfer.isClosed, `seed ${seed} ${which}: the stream has ended`);
    }
  }
});

Deno.test("a direct path that has become one-way: the relay within 2 s, and at most one change in 30 s", () => {
  for (const seed of SEEDS) {
    for (const [from, to] of [["a", "b"], ["b", "a"]] as const) {
      const transfer = new Transfer({ seed, a: CLASSES.PR, b: CLASSES.PR });
      assert(transfer.untilDirect(2_000) <= 2_000, `seed ${seed}`);
      transfer.run(40_000);
      transfer.duo.net.cut(transfer.duo[from].host, transfer.duo[to].host, { oneWay: true });
      assert(transfer.untilArrives(2_000, 5_000) <= 2_000, `seed ${seed}: no data`);
      const { now } = transfer;
      transfer.run(120_000);
      assert(transfer.changesSince(now) <= 5, `seed ${seed}: ${JSON.stringify(transfer.diary)}`);
      assert(!transfer.isClosed, `seed ${seed}`);
    }
  }
});

for (const loss of [0.05, 0.12, 0.25]) {
  Deno.test(`${100 * loss} % of bursty loss on the direct path, a clean relay: no flapping`, () => {
    for (const seed of SEEDS) {
      const transfer = new Transfer({ seed, a: CLASSES.PR, b: CLASSES.PR });
      assert(transfer.untilDirect(2_000) <= 2_000, `seed ${seed}`);
      const random = transfer.duo.net.random.fork();
      let isLosing = false;
      transfer.duo.net.forbid(({ from, to }) => {
        if (from === "beacon" || to === "beacon") return false;
        isLosing = isLosing ? !random.chance(0.2) : random.chance((0.2 * loss) / (1 - loss));
        return isLosing;
      });
      const start = transfer.now;
      const before = transfer.duo.b.received;
      transfer.run(300_000);
      assert(
        transfer.changesSince(start) <= 300 / 30,
        `seed ${seed}: ${JSON.stringify(transfer.diary)}`,
      );
      assert(
        transfer.duo.b.received - before > 3_000_000,
        `seed ${seed}: ${transfer.duo.b.received - before}`,
      );
      assert(!transfer.isClosed, `seed ${seed}`);
    }
  });
}

Deno.test("a carrier that shows each destination another address: the relay, without endless punching", () => {
  for (const seed of SEEDS) {
    for (const search of [false, true]) {
      const pool = Array.from({ length: 7 }, (_, index) => `198.51.100.${200 + index}`);
      const a: Side = { nat: { ...CLASSES.Sr.nat, pool }, knows: CLASSES.Sr.knows, search };
      const transfer = new Transfer({ seed, a, b: CLASSES.PR, gapMs: 10_000 });
      const sent = watchDirect(transfer.duo);
      transfer.run(3_600_000);
      assertEquals([transfer.duo.a.path, transfer.duo.b.path], ["relay", "relay"], `seed ${seed}`);
      const later = sent.filter(({ at }) => at > transfer.now - 1_800_000).length;
      const where = `seed ${seed}: ${sent.length} in an hour, ${later} in its second half`;
      if (search) assert(sent.length < 10_000, where);
      else assert(sent.length < 2_000 && later < 500, where);
    }
  }
});
