import { assert, assertEquals } from "../../assert.ts";
import { Protocol } from "../../../lib/wire/packet.ts";
import { OWN_PROFILE } from "../../../lib/core/stream/profile.ts";
import { type PortLimits, Ports, type PortsEvent } from "../../../lib/core/stream/ports.ts";
import { Random } from "./pair.ts";

const [A, B] = [{ network: 0, node: 1 }, { network: 0, node: 2 }];

/** Two nodes on a wire without delay. Returns the payload sizes that left A. */
class Nodes {
  now = 5_000;
  readonly a: Ports;
  readonly b: Ports;
  readonly sizes: number[] = [];
  readonly accepted: number[] = [];
  isCut = false;

  constructor(limits: Partial<PortLimits> = {}) {
    this.a = new Ports({ random: new Random(1).source, limits });
    this.b = new Ports({ random: new Random(2).source, limits });
    this.b.listen(80);
  }

  exchange(): void {
    for (let isBusy = true; isBusy;) {
      isBusy = this.#move(this.a, this.b) || this.#move(this.b, this.a);
    }
  }

  wait(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let at = this.#nextAt(); at <= end; at = this.#nextAt()) {
      this.now = Math.max(this.now, at);
      this.a.handleTimeout(this.now);
      this.b.handleTimeout(this.now);
      this.exchange();
    }
    this.now = end;
  }

  #nextAt(): number {
    return Math.min(this.a.pollTimeout() ?? Infinity, this.b.pollTimeout() ?? Infinity);
  }

  #move(from: Ports, to: Ports): boolean {
    let any = false;
    const source = from === this.a ? A : B;
    for (let out = from.pollTransmit(this.now); out !== undefined; out = from.pollTransmit(this.now)) {
      any = true;
      const { remote: destination, remotePort: destinationPort, localPort: sourcePort, segment } = out;
      if (from === this.a && segment.payload.length > 0) this.sizes.push(segment.payload.length);
      if (this.isCut) continue;
      const names = { source, sourcePort, destination, destinationPort };
      to.handlePacket({ version: 1, protocol: Protocol.STREAM, ...names, ...segment }, this.now, {
        admitted: true,
      });
      for (let event = to.pollEvent(); event !== undefined; event = to.pollEvent()) this.#note(to, event);
    }
    for (let event = from.pollEvent(); event !== undefined; event = from.pollEvent()) this.#note(from, event);
    return any;
  }

  #note(ports: Ports, event: PortsEvent): void {
    if (ports === this.b && event.type === "accepted") {
      this.accepted.push(event.id);
      ports.take(event.id);
    }
    if (event.type === "readable") { while (ports.read(event.id, this.now) !== undefined); }
  }
}

Deno.test("ports: 10,000 streams of one peer open, speak and close, and nothing of them stays", () => {
  const nodes = new Nodes({
    perSource: { perSecond: 1e6, burst: 1e6 },
    allSources: { perSecond: 1e6, burst: 1e6 },
  });
  const ids: number[] = [];
  for (let i = 0; i < 10_000; i++) {
    ids.push(nodes.a.connect(B, 80, nodes.now));
    if (i % 100 === 0) nodes.exchange();
  }
  nodes.exchange();
  assertEquals([nodes.accepted.length, nodes.a.list().length], [10_000, 10_000]);
  const data = new Uint8Array(100);
  for (const id of ids.slice(0, 1_000)) {
    nodes.a.write(id, data, nodes.now);
    nodes.exchange();
  }
  assertEquals(nodes.sizes.length, 1_000);
  for (const id of ids) nodes.a.close(id, nodes.now);
  for (const id of nodes.accepted) nodes.b.close(id, nodes.now);
  nodes.exchange();
  nodes.wait(120_000);
  assertEquals([nodes.a.list().length, nodes.b.list().length], [0, 0]);
  assertEquals([nodes.a.pollTimeout(), nodes.b.pollTimeout()], [undefined, undefined]);
});

Deno.test("ports: what a path carries bounds new segments of its peer, also of streams that exist", () => {
  const nodes = new Nodes();
  nodes.a.setProfile(2, OWN_PROFILE);
  nodes.b.setProfile(1, OWN_PROFILE);
  const id = nodes.a.connect(B, 80, nodes.now);
  nodes.exchange();
  const largest = () => {
    nodes.sizes.length = 0;
    nodes.a.write(id, new Uint8Array(100_000), nodes.now);
    nodes.exchange();
    nodes.wait(100);
    return Math.max(...nodes.sizes);
  };
  assertEquals(largest(), 1_152);
  nodes.a.setSegmentLimit(2, 8_900);
  assertEquals(largest(), 8_900);
  nodes.a.setSegmentLimit(2, 60_000);
  assertEquals(largest(), OWN_PROFILE.segmentSize);
  nodes.a.setSegmentLimit(2, 1_300);
  assertEquals(largest(), 1_300);
  nodes.a.setSegmentLimit(3, 8_000);
  assertEquals(largest(), 1_300);
});

Deno.test("ports: when the path has come back, what waits is sent at once", () => {
  const nodes = new Nodes();
  const id = nodes.a.connect(B, 80, nodes.now);
  nodes.exchange();
  nodes.isCut = true;
  nodes.a.write(id, new Uint8Array(5_000), nodes.now);
  nodes.wait(20_000);
  nodes.isCut = false;
  nodes.sizes.length = 0;
  nodes.a.handlePathChange(2, nodes.now);
  nodes.a.handlePathChange(9, nodes.now);
  nodes.exchange();
  assert(nodes.sizes.length > 0);
  assertEquals(nodes.a.get(id)?.unacked, 0);
});
