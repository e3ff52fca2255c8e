import { assert, assertEquals } from "../assert.ts";
import { Beacon } from "../../lib/beacon/beacon.ts";
import { decodeBeacon, encodeBeacon } from "../../lib/wire/beacon.ts";
import { toHex } from "../../lib/wire/bytes.ts";
import { encodePunch } from "../../lib/wire/tunnel.ts";
import { NAT_CLASSES, type NatClass, SimNet, type SimProbe } from "../sim/net.ts";

const BEACON = { host: "203.0.113.1", port: 9001 };

function beaconAt(net: SimNet, options: { name: string; ip: string; id?: number; peers?: string[] }) {
  const beacon = new Beacon({
    random: net.random.fork().bytes,
    id: options.id ?? 0,
    peers: (options.peers ?? []).map((host) => ({ host, port: 9001 })),
  });
  const host = net.addHost(options.name, { ip: options.ip });
  return { beacon, host, socket: host.attach(beacon, 9001) };
}

function natted(net: SimNet, name: string, ip: string, natClass: NatClass): SimProbe {
  const nat = net.addNat(`nat-${name}`, { ip, ...NAT_CLASSES[natClass] });
  return net.addHost(name, { ip: "192.168.1.2", nat }).open(4000);
}

function register(net: SimNet, node: number, probe: SimProbe, beacon = BEACON): void {
  probe.send(beacon, encodeBeacon({ kind: "discover", node }));
  net.run(50);
  const reply = decodeBeacon(probe.take()[0]?.data ?? new Uint8Array(0));
  assert(typeof reply !== "string" && reply.kind === "discover_reply", `node ${node} got no answer`);
}

/** What a reference node does with a command: three punches to the address it names. */
function obey(probe: SimProbe): void {
  for (const { data } of probe.take()) {
    const message = decodeBeacon(data);
    if (typeof message === "string" || message.kind !== "punch_command") continue;
    for (let i = 0; i < 3; i++) probe.send(message.endpoint, encodePunch());
  }
}

Deno.test("world: a punch through the beacon opens the paths that it can open", () => {
  const cases: [NatClass, NatClass, boolean][] = [
    ["fullCone", "fullCone", true],
    ["portRestricted", "portRestricted", true],
    ["addressRestricted", "portRestricted", true],
    ["portRestricted", "symmetricRandom", false],
    ["symmetricRandom", "symmetricRandom", false],
  ];
  for (const [left, right, opens] of cases) {
    const net = new SimNet({ seed: 4 });
    beaconAt(net, { name: "beacon", ip: BEACON.host });
    const a = natted(net, "a", "198.51.100.1", left);
    const b = natted(net, "b", "198.51.100.2", right);
    register(net, 1, a);
    register(net, 2, b);
    for (let round = 0; round < 2; round++) {
      a.send(BEACON, encodeBeacon({ kind: "punch_request", requester: 1, target: 2 }));
      net.run(50);
      obey(a);
      obey(b);
      net.run(50);
    }
    const heard = [a, b].map((probe) => probe.take().some(({ data }) => toHex(data) === "50494c50"));
    assertEquals(heard, [opens, opens], `${left} x ${right}\n${net.trace.join("\n")}`);
    const frame = Uint8Array.of(0x50, 0x49, 0x4c, 0x53);
    a.send(BEACON, encodeBeacon({ kind: "relay", sender: 1, destination: 2, frame }));
    net.run(50);
    assertEquals(toHex(b.last?.data ?? frame), "060000000150494c53", "the relay works in any case");
  }
});

Deno.test("world: two meshed beacons relay between their nodes, and over when a node moves", () => {
  const net = new SimNet({ seed: 9 });
  const east = beaconAt(net, { name: "east", ip: "203.0.113.1", id: 1, peers: ["203.0.113.2"] });
  const west = beaconAt(net, { name: "west", ip: "203.0.113.2", id: 2, peers: ["203.0.113.1"] });
  const a = natted(net, "a", "198.51.100.1", "portRestricted");
  const b = natted(net, "b", "198.51.100.2", "symmetricRandom");
  const keep = (probe: SimProbe, node: number, beacon: typeof east) =>
    probe.send(beacon.socket.endpoint, encodeBeacon({ kind: "discover", node }));
  const across = (): boolean => {
    b.take();
    a.send(
      east.socket.endpoint,
      encodeBeacon({ kind: "relay", sender: 1, destination: 2, frame: Uint8Array.of(7) }),
    );
    net.run(60);
    return b.take().some(({ data }) => toHex(data) === "060000000107");
  };
  keep(a, 1, east);
  keep(b, 2, west);
  net.run(15_000);
  assert(across(), net.trace.join("\n"));
  assertEquals([east.beacon.stats.forwarded, west.beacon.stats.relayed], [1, 1]);
  // b moves to the other beacon: at once, and while the first still lists it.
  keep(b, 2, east);
  net.run(100);
  assert(across());
  for (let i = 0; i < 8; i++) {
    keep(a, 1, east);
    keep(b, 2, east);
    net.run(30_000);
    assert(across(), `after ${i} intervals`);
  }
  assertEquals(west.beacon.stats.nodes, 0);
  // And a beacon that dies takes only its own nodes with it.
  west.host.unplug();
  assert(across());
});

Deno.test("world: five hundred nodes behind one carrier keep their entries", () => {
  const net = new SimNet({ seed: 3, trace: false });
  const { beacon, socket } = beaconAt(net, { name: "beacon", ip: BEACON.host });
  const carrier = net.addNat("carrier", { ip: "198.51.100.1", ...NAT_CLASSES.portRestricted });
  const random = net.random.fork();
  for (let node = 1; node <= 500; node++) {
    const probe = net.addHost(`n${node}`, { ip: `100.64.${node >> 8}.${node & 255}`, nat: carrier }).open(
      4000,
    );
    const discover = () => {
      probe.send(socket.endpoint, encodeBeacon({ kind: "discover", node }));
      net.schedule(30_000, discover);
    };
    net.schedule(random.float() * 30_000, discover);
  }
  net.run(200_000);
  assertEquals([beacon.stats.nodes, beacon.stats.discoversLimited], [500, 0]);
});
