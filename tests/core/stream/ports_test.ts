import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { OWN_PROFILE } from "../../../lib/core/stream/profile.ts";
import { Flag, type Packet, Protocol } from "../../../lib/wire/packet.ts";
import {
  type PortLimits,
  Ports,
  type PortsEvent,
  type PortsTransmit,
} from "../../../lib/core/stream/ports.ts";
import { concat, Random, sameBytes } from "./pair.ts";

const A = { network: 0, node: 1 };
const B = { network: 0, node: 2 };
const { SYN, ACK, FIN, RST } = Flag;
const text = (value: string) => new TextEncoder().encode(value);

/** Two nodes on a perfect wire without delay. */
class World {
  now = 5_000;
  readonly a: Ports;
  readonly b: Ports;
  readonly events = new Map<Ports, PortsEvent[]>();
  admitted = true;
  isCut = false;

  constructor(limits: Partial<PortLimits> = {}) {
    this.a = new Ports({ random: new Random(1).source });
    this.b = new Ports({ random: new Random(2).source, limits });
    this.events.set(this.a, []).set(this.b, []);
  }

  run(milliseconds = 0): void {
    const end = this.now + milliseconds;
    for (;;) {
      this.exchange();
      const at = Math.min(this.a.pollTimeout() ?? Infinity, this.b.pollTimeout() ?? Infinity);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      this.a.handleTimeout(this.now);
      this.b.handleTimeout(this.now);
    }
    this.now = end;
  }

  exchange(): void {
    for (let isBusy = true; isBusy;) {
      isBusy = false;
      for (const [from, to, source] of [[this.a, this.b, A], [this.b, this.a, B]] as const) {
        for (let out = from.pollTransmit(this.now); out; out = from.pollTransmit(this.now)) {
          isBusy = true;
          if (!this.isCut) to.handlePacket(packet(out, source), this.now, { admitted: this.admitted });
        }
        for (let event = from.pollEvent(); event; event = from.pollEvent()) {
          this.events.get(from)?.push(event);
        }
      }
    }
  }

  story(ports: Ports): string[] {
    return (this.events.get(ports) ?? []).map((event) => event.type === "closed" ? event.reason : event.type);
  }

  accepted(ports: Ports): number[] {
    return (this.events.get(ports) ?? []).filter(({ type }) => type === "accepted").map(({ id }) => id);
  }
}

function packet(out: PortsTransmit, source: typeof A): Packet {
  return {
    version: 1,
    protocol: Protocol.STREAM,
    source,
    sourcePort: out.localPort,
    destination: out.remote,
    destinationPort: out.remotePort,
    ...out.segment,
  };
}

/** A packet of node A made by hand. */
function forged(parts: Partial<Packet>): Packet {
  const segment = { flags: SYN, sequence: 0, acknowledgement: 0, window: 512, payload: new Uint8Array(0) };
  return { ...packet({ remote: B, remotePort: 80, localPort: 50_000, segment }, A), ...parts };
}

Deno.test("ports: connect, exchange, close, and nothing remains", () => {
  const world = new World();
  assert(world.b.listen(80) && !world.b.listen(80) && world.b.isListening(80));
  const id = world.a.connect(B, 80, world.now);
  assertEquals(id, 1);
  world.run();
  assertEquals([world.story(world.a), world.story(world.b)], [["connected"], ["accepted"]]);
  const [other = 0] = world.accepted(world.b);
  assertEquals(world.a.write(id, text("hello"), world.now), 5);
  world.run();
  assertEquals(world.b.read(other, world.now), text("hello"));
  world.a.shutdown(id, world.now);
  world.b.shutdown(other, world.now);
  world.run();
  assertEquals(world.story(world.a), ["connected", "finished", "done"]);
  assertEquals(world.story(world.b), ["accepted", "readable", "finished", "done"]);
  assertEquals(world.a.get(id)?.state, "TIME_WAIT");
  world.run(15_000);
  assertEquals([world.a.list(), world.b.list(), world.a.pollTimeout(), world.b.pollTimeout()], [
    [],
    [],
    undefined,
    undefined,
  ]);
  assertEquals(world.a.write(id, text("x"), world.now), 0);
  assertEquals(world.a.read(id, world.now), undefined);
});

Deno.test("ports: the list has the 24 public fields", () => {
  const world = new World();
  world.b.listen(80);
  world.a.connect(B, 80, world.now);
  world.run();
  const [entry] = world.a.list();
  assertEquals(
    Object.keys(entry ?? {}).sort().join(" "),
    "bytes_recv bytes_sent cong_win dup_acks fast_retx id in_flight in_recovery local_port ooo_buf peer_recv_win " +
      "recv_win remote_addr remote_port retransmits rttvar_ms sack_recv sack_sent segs_recv segs_sent srtt_ms " +
      "ssthresh state unacked",
  );
  assertEquals([entry?.state, entry?.remote_addr, entry?.recv_win], [
    "ESTABLISHED",
    "0:0000.0000.0002",
    2_097_152,
  ]);
});

Deno.test("ports: nobody listens - refused; not admitted - silence until the dial times out", () => {
  const world = new World();
  world.a.connect(B, 80, world.now);
  world.run();
  assertEquals(world.story(world.a), ["refused"]);
  world.admitted = false;
  world.a.connect(B, 80, world.now);
  world.run(40_000);
  assertEquals([world.story(world.a), world.b.list()], [["refused", "timeout"], []]);
});

Deno.test("ports: a connection is shown to the application only after the third packet, and dropped without", () => {
  const world = new World();
  world.b.listen(80);
  world.b.handlePacket(forged({}), world.now, { admitted: true });
  const answer = world.b.pollTransmit(world.now);
  assertEquals([answer?.segment.flags, world.b.pollEvent()], [SYN | ACK, undefined]);
  world.b.handlePacket(forged({}), world.now, { admitted: true });
  assertEquals(world.b.pollTransmit(world.now), answer);
  const [embryo] = world.b.list();
  assertEquals([embryo?.state, world.b.write(embryo?.id ?? 0, text("x"), world.now)], ["SYN_RECV", 0]);
  world.isCut = true;
  world.run(10_000);
  assertEquals([world.story(world.b), world.b.list()], [[], []]);
});

Deno.test("ports: the peer restarted - a SYN with another number replaces the connection, one with the same does not", () => {
  const world = new World();
  world.b.listen(80);
  const third = { flags: ACK, sequence: 101, acknowledgement: 0 };
  const shake = (sequence: number) => {
    world.b.handlePacket(forged({ sequence }), world.now, { admitted: true });
    const synAck = world.b.pollTransmit(world.now)?.segment;
    const acknowledgement = ((synAck?.sequence ?? 0) + 1) >>> 0;
    world.b.handlePacket(forged({ ...third, sequence: sequence + 1, acknowledgement }), world.now, {
      admitted: true,
    });
    world.isCut = true;
    world.run();
  };
  shake(100);
  world.b.handlePacket(forged({ sequence: 100 }), world.now, { admitted: true });
  assertEquals(world.b.pollTransmit(world.now)?.segment.flags, SYN | ACK);
  assertEquals(world.story(world.b), ["accepted"]);
  shake(900);
  assertEquals(world.story(world.b), ["accepted", "reset", "accepted"]);
  assertEquals(world.b.list().length, 1);
});

Deno.test("ports: packets of unknown connections - RST for data and SYN+ACK, never for RST, FIN or an empty ACK", () => {
  const world = new World();
  const answerTo = (parts: Partial<Packet>) => {
    world.b.handlePacket(forged(parts), world.now, { admitted: true });
    return world.b.pollTransmit(world.now)?.segment;
  };
  const reset = answerTo({ flags: ACK, sequence: 7, acknowledgement: 70, payload: text("x") });
  assertEquals([reset?.flags, reset?.sequence], [RST, 70]);
  assertEquals(answerTo({ flags: SYN | ACK, sequence: 7, acknowledgement: 70 })?.flags, RST);
  for (const flags of [0, ACK, FIN, FIN | ACK, RST, RST | ACK, RST | SYN]) {
    assertEquals(answerTo({ flags, acknowledgement: 70 }), undefined, `flags ${flags}`);
  }
  for (let i = 0; i < 1_000; i++) {
    world.b.handlePacket(forged({ flags: ACK, payload: text("x") }), world.now, { admitted: true });
  }
  let count = 0;
  while (world.b.pollTransmit(world.now) !== undefined) count++;
  assert(count <= 100);
});

Deno.test("ports: one side forgets everything - data of the other brings a reset", () => {
  const world = new World();
  world.b.listen(80);
  const id = world.a.connect(B, 80, world.now);
  world.run();
  const reborn = new Ports({ random: new Random(3).source });
  world.a.write(id, text("anybody there?"), world.now);
  const out = world.a.pollTransmit(world.now);
  assert(out !== undefined);
  reborn.handlePacket(packet(out, A), world.now, { admitted: true });
  const answer = reborn.pollTransmit(world.now);
  assert(answer !== undefined);
  world.a.handlePacket(packet(answer, B), world.now, { admitted: true });
  world.isCut = true;
  world.run();
  assertEquals(world.story(world.a), ["connected", "reset"]);
});

Deno.test("ports: new connections per source are limited first, so one source cannot block the others", () => {
  const world = new World({
    perSource: { perSecond: 10, burst: 64 },
    allSources: { perSecond: 1, burst: 100 },
    backlog: 1_000,
  });
  world.b.listen(80);
  const knock = (node: number, port: number) => {
    world.b.handlePacket(forged({ source: { network: 0, node }, sourcePort: port, sequence: 5 }), world.now, {
      admitted: true,
    });
    const isAnswered = world.b.pollTransmit(world.now) !== undefined;
    return isAnswered;
  };
  let taken = 0;
  for (let port = 0; port < 500; port++) if (knock(1, port)) taken++;
  assertEquals(taken, 64);
  assert(knock(9, 1));
  world.now += 1_000;
  taken = 0;
  for (let port = 1_000; port < 1_500; port++) if (knock(1, port)) taken++;
  assertEquals(taken, 10);
});

Deno.test("ports: limits of handshakes, backlog, connections per port and in all", () => {
  const embryonic = new World({ embryonic: 3 });
  embryonic.b.listen(80);
  for (let port = 0; port < 10; port++) {
    embryonic.b.handlePacket(forged({ sourcePort: port }), embryonic.now, { admitted: true });
  }
  assertEquals(embryonic.b.list().length, 3);

  const backlog = new World({ backlog: 2 });
  backlog.b.listen(80);
  const dial = (world: World) => {
    world.a.connect(B, 80, world.now);
    world.run();
  };
  for (let i = 0; i < 4; i++) dial(backlog);
  assertEquals(backlog.accepted(backlog.b).length, 2);
  // The repeated SYNs get through once the application takes what waits.
  for (const id of backlog.accepted(backlog.b)) backlog.b.take(id);
  backlog.run(1_000);
  assertEquals(backlog.accepted(backlog.b).length, 4);

  // SYNs of a node like ours are shown at once, and wait in the same line; these nobody sent, as the answers tell.
  const early = new World({ backlog: 2 });
  early.b.listen(80);
  early.b.setProfile(1, OWN_PROFILE);
  for (let port = 0; port < 10; port++) {
    early.b.handlePacket(forged({ sourcePort: port }), early.now, { admitted: true });
  }
  assertEquals(early.b.list().length, 2);
  early.exchange();
  assertEquals(early.story(early.b), ["accepted", "accepted", "reset", "reset"]);

  for (const limits of [{ perPort: 2 }, { total: 2 }]) {
    const world = new World(limits);
    world.b.listen(80);
    for (let i = 0; i < 3; i++) dial(world);
    assertEquals(world.story(world.a), ["connected", "connected", "refused"]);
  }
});

Deno.test("ports: revocation resets all connections of a node and no others", () => {
  const world = new World();
  world.b.listen(80);
  world.a.listen(81);
  world.a.connect(B, 80, world.now);
  world.run();
  world.b.connect(A, 81, world.now);
  world.b.connect({ network: 0, node: 77 }, 81, world.now);
  world.run();
  world.b.resetPeer(1, world.now);
  world.run();
  assertEquals(world.story(world.a), ["connected", "accepted", "reset", "reset"]);
  assertEquals(world.b.list().map(({ remote_addr }) => remote_addr), ["0:0000.0000.004D"]);
});

Deno.test("ports: ephemeral ports are spread, unique, never listening ones, and come back", () => {
  const ports = new Ports({ random: new Random(4).source, limits: { total: 20_000, lingering: 0 } });
  const reserved = 50_000;
  ports.listen(reserved);
  const seen = new Set<number>();
  for (let i = 0; i < 16_383; i++) seen.add(ports.get(ports.connect(B, 80, 0))?.local_port ?? -1);
  assertEquals(seen.size, 16_383);
  assert(!seen.has(reserved) && Math.min(...seen) >= 49_152);
  assertThrows(() => ports.connect(B, 80, 0), Error, "too many connections");
  ports.abort(1, 0);
  while (ports.pollTransmit(0) !== undefined);
  assert(ports.connect(B, 80, 0) > 0);
});

Deno.test("ports: a listener that goes away takes no more connections, existing ones go on", () => {
  const world = new World();
  world.b.listen(80);
  world.a.connect(B, 80, world.now);
  world.run();
  world.b.unlisten(80);
  world.a.connect(B, 80, world.now);
  world.run();
  assertEquals(world.story(world.a), ["connected", "refused"]);
  assertEquals(world.b.list().length, 1);
});

Deno.test("ports: connections take turns", () => {
  const world = new World();
  world.b.listen(80);
  const ids = [1, 2, 3].map(() => world.a.connect(B, 80, world.now));
  world.run();
  for (const id of ids) world.a.write(id, new Uint8Array(5 * 1152), world.now);
  const order: number[] = [];
  for (let out = world.a.pollTransmit(world.now); out; out = world.a.pollTransmit(world.now)) {
    order.push(out.localPort);
  }
  assertEquals(new Set(order.slice(0, 3)).size, 3);
  assertEquals(order.length, 15);
});

Deno.test("ports: a long transfer with delayed acknowledgements and pauses of the reader", () => {
  const world = new World({ receiveSegments: 16 });
  world.b.listen(80);
  const id = world.a.connect(B, 80, world.now);
  world.run();
  const [other = 0] = world.accepted(world.b);
  const data = new Random(8).bytes(400_000);
  const received: Uint8Array[] = [];
  let offset = 0;
  for (
    let turn = 0;
    turn < 5_000 && received.reduce((sum, { length }) => sum + length, 0) < data.length;
    turn++
  ) {
    offset += world.a.write(id, data.subarray(offset, offset + 3_001), world.now);
    world.run(7);
    for (let i = 0; i < 4; i++) {
      const chunk = world.b.read(other, world.now);
      if (chunk !== undefined) received.push(chunk.slice());
    }
  }
  assert(sameBytes(concat(received), data));
});

Deno.test("ports: a protocol that needs its message in one segment says so", () => {
  const world = new World();
  world.b.listen(80);
  const id = world.a.connect(B, 80, world.now, { segmentSize: 4_096 });
  world.run();
  world.a.write(id, new Uint8Array(4_000), world.now);
  assertEquals(world.a.pollTransmit(world.now)?.segment.payload.length, 4_000);
});

Deno.test("ports: source ports may be anything, also 0", () => {
  const world = new World();
  world.b.listen(80);
  world.b.handlePacket(forged({ sourcePort: 0 }), world.now, { admitted: true });
  assertEquals(world.b.pollTransmit(world.now)?.remotePort, 0);
});
