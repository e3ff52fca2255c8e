import { assert, assertEquals, assertNotEquals } from "../assert.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { NAT_CLASSES, type NatOptions, SimNet, type SimProbe } from "./net.ts";
import type { Dependence } from "./nat_table.ts";

const DEPENDENCES: Dependence[] = ["endpoint-independent", "address-dependent", "address-and-port-dependent"];

/** A host behind a NAT, and a server with two addresses and two ports each, as RFC 5780 wants them. */
function world(options: Partial<NatOptions>, seed = 1) {
  const net = new SimNet({ seed });
  const nat = net.addNat("nat", { ip: "198.51.100.1", ...options });
  const inside = net.addHost("inside", { ip: "192.168.1.2", nat });
  const first = net.addHost("first", { ip: "203.0.113.1" });
  const second = net.addHost("second", { ip: "203.0.113.2" });
  return {
    net,
    nat,
    inside,
    client: inside.open(4000),
    a1: first.open(1),
    a2: first.open(2),
    b1: second.open(1),
    b2: second.open(2),
  };
}

/** Sends and gives the source the other side saw. */
function seenBy(net: SimNet, from: SimProbe, to: SimProbe, at: Endpoint = to.endpoint): Endpoint | undefined {
  to.take();
  from.send(at);
  net.run(100);
  return to.take()[0]?.from;
}

Deno.test("nat: mapping tables of the three behaviours (RFC 4787 section 4.1)", () => {
  const expected = {
    "endpoint-independent": [true, true],
    "address-dependent": [true, false],
    "address-and-port-dependent": [false, false],
  };
  for (const mapping of DEPENDENCES) {
    for (const ports of ["preserve", "sequential", "random"] as const) {
      const { net, client, a1, a2, b1 } = world({ mapping, ports });
      const base = seenBy(net, client, a1);
      assertEquals(base?.host, "198.51.100.1");
      const samePort = [
        seenBy(net, client, a2)?.port === base?.port,
        seenBy(net, client, b1)?.port === base?.port,
      ];
      assertEquals(samePort, expected[mapping], `${mapping} ${ports}`);
      assertEquals(seenBy(net, client, a1), base, "an existing mapping is used again");
    }
  }
});

Deno.test("nat: filtering verdicts of the three behaviours (RFC 4787 section 5)", () => {
  // Who may send in, after the inside has written to a1 only: a1, a2 (same address), b1 (same port), b2.
  const expected = {
    "endpoint-independent": [true, true, true, true],
    "address-dependent": [true, true, false, false],
    "address-and-port-dependent": [true, false, false, false],
  };
  for (const mapping of DEPENDENCES) {
    for (const filtering of DEPENDENCES) {
      const { net, client, a1, a2, b1, b2 } = world({ mapping, filtering });
      const outside = seenBy(net, client, a1);
      assert(outside !== undefined);
      const verdicts = [a1, a2, b1, b2].map((server) => seenBy(net, server, client, outside) !== undefined);
      assertEquals(verdicts, expected[filtering], `${mapping}, ${filtering}`);
    }
  }
});

Deno.test("nat: port assignment (RFC 4787 section 4.2)", () => {
  const sources = (ports: "preserve" | "sequential" | "random", seed: number) => {
    const { net, inside, client, a1 } = world({ mapping: "address-and-port-dependent", ports }, seed);
    const others = [inside.open(4001), inside.open(7777)];
    return [client, ...others].map((probe) => seenBy(net, probe, a1)?.port ?? 0);
  };
  assertEquals(sources("preserve", 1), [4000, 4001, 7777]);
  assertEquals(sources("sequential", 1), [40_000, 40_001, 40_002]);
  assertEquals(sources("random", 1), sources("random", 1));
  assertNotEquals(sources("random", 1), sources("random", 2));
  assert(sources("random", 3).every((port) => port >= 1024));
});

Deno.test("nat: two inside hosts with the same port get different outside ports", () => {
  const { net, nat, client, a1 } = world({ ports: "preserve" });
  const neighbour = net.addHost("neighbour", { ip: "192.168.1.3", nat }).open(4000);
  assertEquals(seenBy(net, client, a1)?.port, 4000);
  assertEquals(seenBy(net, neighbour, a1)?.port, 4001);
  // Each answer finds its own host.
  assertEquals(seenBy(net, a1, neighbour, { host: nat.ip, port: 4001 }), a1.endpoint);
  assertEquals(seenBy(net, a1, client, { host: nat.ip, port: 4000 }), a1.endpoint);
});

Deno.test("nat: an idle mapping is forgotten and the next one has another port", () => {
  const { net, client, a1 } = world({ idleMs: 30_000, ports: "sequential" });
  const before = seenBy(net, client, a1);
  assert(before !== undefined);
  net.run(29_000);
  assertEquals(seenBy(net, client, a1), before, "kept alive within its time");
  assertEquals(seenBy(net, a1, client, before), a1.endpoint);
  net.run(30_000);
  assertEquals(seenBy(net, a1, client, before), undefined, "gone from the outside");
  const after = seenBy(net, client, a1);
  assert(after !== undefined && after.port !== before.port);
});

Deno.test("nat: inbound traffic refreshes only where the NAT says so (RFC 4787 section 4.3)", () => {
  for (const inboundRefresh of [false, true]) {
    const { net, client, a1 } = world({ idleMs: 30_000, inboundRefresh });
    const outside = seenBy(net, client, a1);
    assert(outside !== undefined);
    for (let i = 0; i < 4; i++) {
      net.run(20_000);
      a1.send(outside);
    }
    net.run(100);
    assertEquals(seenBy(net, a1, client, outside) !== undefined, inboundRefresh);
  }
});

Deno.test("nat: a mapping nobody answered goes earlier", () => {
  const { net, client, a1, b1 } = world({ idleMs: 120_000, unansweredMs: 15_000, ports: "random" });
  const first = seenBy(net, client, a1);
  net.run(16_000);
  const second = seenBy(net, client, a1);
  assertNotEquals(first?.port, second?.port);
  assert(second !== undefined);
  assertEquals(seenBy(net, a1, client, second), a1.endpoint);
  net.run(100_000);
  assertEquals(seenBy(net, client, b1), second);
});

Deno.test("nat: hairpinning off, with the outside source, with the inside source (RFC 4787 section 6)", () => {
  for (const hairpin of ["off", "external", "internal"] as const) {
    const { net, nat, client, a1 } = world({ ...NAT_CLASSES.fullCone, hairpin });
    const neighbour = net.addHost("neighbour", { ip: "192.168.1.3", nat }).open(5000);
    const outside = seenBy(net, neighbour, a1);
    assert(outside !== undefined);
    const source = seenBy(net, client, neighbour, outside);
    const expected = {
      off: undefined,
      external: { host: nat.ip, port: 4000 },
      internal: { host: "192.168.1.2", port: 4000 },
    };
    assertEquals(source, expected[hairpin], hairpin);
    assertEquals(seenBy(net, client, neighbour), client.endpoint, "the inside is one segment");
  }
});

Deno.test("nat: hairpinned datagrams are filtered like others", () => {
  const { net, nat, client, a1 } = world({ ...NAT_CLASSES.portRestricted, hairpin: "external" });
  const neighbour = net.addHost("neighbour", { ip: "192.168.1.3", nat }).open(5000);
  const [mine, theirs] = [seenBy(net, client, a1), seenBy(net, neighbour, a1)];
  assert(mine !== undefined && theirs !== undefined);
  assertEquals(seenBy(net, client, neighbour, theirs), undefined);
  assertEquals(seenBy(net, neighbour, client, mine), theirs, "both have written: open");
  assertEquals(seenBy(net, client, neighbour, theirs), mine);
});

Deno.test("nat: carrier NAT around home NATs", () => {
  for (const hairpin of ["off", "external"] as const) {
    const net = new SimNet({ seed: 1 });
    const carrier = net.addNat("carrier", { ip: "198.51.100.9", ...NAT_CLASSES.fullCone, hairpin });
    const homes = [1, 2].map((i) => {
      const nat = net.addNat(`home${i}`, {
        ip: `100.64.0.${i}`,
        nat: carrier,
        ...NAT_CLASSES.portRestricted,
      });
      return net.addHost(`host${i}`, { ip: "192.168.1.2", nat });
    });
    const server = net.addHost("server", { ip: "203.0.113.1" }).open(9001);
    const [a, b] = homes.map((host) => host.open(4000));
    assert(a !== undefined && b !== undefined);
    const [seenA, seenB] = [seenBy(net, a, server), seenBy(net, b, server)];
    assert(seenA !== undefined && seenB !== undefined);
    assertEquals([seenA.host, seenB.host], ["198.51.100.9", "198.51.100.9"]);
    assertNotEquals(seenA.port, seenB.port);
    assertEquals(homes.map((host) => host.publicIp), ["198.51.100.9", "198.51.100.9"]);
    assertEquals(seenBy(net, server, a, seenA), server.endpoint, "the answer crosses both");
    // Punch: each opens its home NAT towards the other's carrier endpoint.
    a.send(seenB);
    b.send(seenA);
    net.run(100);
    assertEquals(seenBy(net, a, b, seenB), hairpin === "off" ? undefined : seenA, hairpin);
  }
});

Deno.test("nat: punching works between the classes where theory says so", () => {
  const classes = Object.keys(NAT_CLASSES) as (keyof typeof NAT_CLASSES)[];
  /** Both send to the other's endpoint as a server saw it, twice, then each answers what it heard. */
  const punches = (left: keyof typeof NAT_CLASSES, right: keyof typeof NAT_CLASSES): boolean => {
    const net = new SimNet({ seed: 5, trace: false });
    const server = net.addHost("server", { ip: "203.0.113.1" }).open(9001);
    const [a, b] = ([left, right] as const).map((name, i) => {
      const nat = net.addNat(`nat${i}`, { ip: `198.51.100.${i + 1}`, ...NAT_CLASSES[name] });
      return net.addHost(`host${i}`, { ip: "192.168.1.2", nat }).open(4000);
    });
    assert(a !== undefined && b !== undefined);
    const [seenA, seenB] = [seenBy(net, a, server), seenBy(net, b, server)];
    assert(seenA !== undefined && seenB !== undefined);
    for (let i = 0; i < 2; i++) {
      a.send(seenB);
      b.send(seenA);
      net.run(50);
    }
    for (const { from } of a.take()) a.send(from, Uint8Array.of(1));
    for (const { from } of b.take()) b.send(from, Uint8Array.of(1));
    net.run(50);
    return [a, b].some((probe) => probe.take().some(({ data }) => data[0] === 1));
  };
  const symmetric = (name: string) => name.startsWith("symmetric");
  for (const left of classes) {
    for (const right of classes) {
      // One side must be reachable from a mapping it has never seen: no port filter there, or no such mapping.
      const open = (name: string) => name === "fullCone" || name === "addressRestricted";
      const expected = (!symmetric(left) && !symmetric(right)) || (open(left) && symmetric(right)) ||
        (open(right) && symmetric(left));
      assertEquals(punches(left, right), expected, `${left} x ${right}`);
    }
  }
});

Deno.test("nat: a reboot changes mappings, blocking stops all", () => {
  const { net, nat, client, a1 } = world({ ports: "sequential" });
  const before = seenBy(net, client, a1);
  assert(before !== undefined);
  nat.reboot();
  assertEquals(seenBy(net, a1, client, before), undefined);
  const after = seenBy(net, client, a1);
  assertNotEquals(after?.port, before.port);
  nat.udpBlocked = true;
  assertEquals(seenBy(net, client, a1), undefined);
  assert(net.trace.at(-1)?.includes("udp blocked at nat"));
});

Deno.test("nat: arbitrary pooling shows destinations different addresses, the same one always", () => {
  const pool = ["198.51.100.2", "198.51.100.3", "198.51.100.4"];
  const { net, client, a1, a2, b1, b2 } = world({ pool, filtering: "endpoint-independent" });
  const shown = [a1, a2, b1, b2].map((server) => seenBy(net, client, server)?.host);
  assert(new Set(shown).size > 1, "all see one address");
  assertEquals([a1, a2, b1, b2].map((server) => seenBy(net, client, server)?.host), shown);
  for (const host of ["198.51.100.1", ...pool]) {
    a1.send({ host, port: 4000 });
    net.run(100);
    assertEquals(client.take().length, 1, host);
  }
});

Deno.test("nat: a block assignment stays inside the block of the inside address", () => {
  const { net, client, a1, a2, b1, b2 } = world({ mapping: "address-and-port-dependent", ports: "block" });
  const ports = [a1, a2, b1, b2].map((server) => seenBy(net, client, server)?.port ?? 0);
  assertEquals(new Set(ports).size, 4);
  assert(Math.max(...ports) - Math.min(...ports) < 1_008, ports.join());
});

Deno.test("nat: a forwarded port is open for everybody and is what the inside shows", () => {
  const { net, nat, client, a1, b1 } = world({ mapping: "address-and-port-dependent", ports: "random" });
  const outside = nat.forward(5555, { host: "192.168.1.2", port: 4000 });
  a1.send(outside);
  net.run(100);
  assertEquals(client.take()[0]?.from, a1.endpoint);
  assertEquals(seenBy(net, client, b1), outside);
});

Deno.test("nat: NAT64 shows IPv4 servers to an IPv6 host as IPv4 ones (464XLAT), and it as IPv4 to them", () => {
  const net = new SimNet({ seed: 1 });
  const nat = net.addNat("nat64", { ip: "198.51.100.64", nat64: true });
  const phone = net.addHost("phone", { ip: "2001:db8:64::2", nat }).open(4000);
  const server = net.addHost("server", { ip: "203.0.113.1" }).open(1);
  assertEquals(seenBy(net, phone, server), { host: "198.51.100.64", port: 4000 });
  server.send({ host: "198.51.100.64", port: 4000 });
  net.run(100);
  assertEquals(phone.take()[0]?.from, server.endpoint);
});
