/**
 * What breaks in the lives of networks, and how soon things work again. In each test exactly one side, or one direction,
 * is affected.
 */

import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import { assert, assertEquals } from "../assert.ts";
import { NAT_CLASSES, type NatClass, type SimNat } from "./net.ts";
import type { SimAgent, SimAgentOptions } from "./agent.ts";
import { World, type WorldOptions } from "./world.ts";

const PORT = 1000;
const SEEDS = [1, 2, 3];

/** A transfer that never ends by itself, from a to b, each behind a NAT of its own. */
class Transfer {
  readonly world: World;
  readonly a: SimAgent;
  readonly b: SimAgent;
  readonly nats: { readonly a: SimNat; readonly b: SimNat };
  readonly #id: number;
  readonly #inbound: number;
  readonly #chunk = new Uint8Array(1_024).fill(3);

  constructor(
    options: WorldOptions & {
      readonly kind?: NatClass;
      readonly a?: SimAgentOptions;
      readonly b?: SimAgentOptions;
    },
  ) {
    const { kind = "portRestricted" } = options;
    this.world = new World(options);
    const nat = (name: string, ip: string) => this.world.net.addNat(name, { ip, ...NAT_CLASSES[kind] });
    this.nats = { a: nat("nat-a", "198.51.100.1"), b: nat("nat-b", "198.51.100.2") };
    this.a = this.world.addAgent("agent-a", { ip: "10.0.0.2", nat: this.nats.a, ...options.a });
    this.b = this.world.addAgent("agent-b", { ip: "10.0.0.2", nat: this.nats.b, ...options.b });
    this.world.net.run(1_000);
    this.world.befriend(this.a, this.b);
    this.b.act((node) => node.ports.listen(PORT));
    const id = this.a.connect(this.b, PORT, 15_000);
    assert(typeof id === "number", `dial: ${id}`);
    this.#id = id;
    this.run(3_000);
    const [inbound] = this.b.accepted(PORT);
    assert(inbound !== undefined, "not accepted");
    this.#inbound = inbound;
  }

  get received(): number {
    return this.b.received(this.#inbound).length;
  }

  get isDirect(): boolean {
    const direct = (from: SimAgent, to: SimAgent) => from.node.tunnels.peer(to.id)?.paths.inUse !== undefined;
    return direct(this.a, this.b) && direct(this.b, this.a);
  }

  /** Sends some 20 kB/s. */
  run(ms: number): void {
    this.until(() => false, ms);
  }

  /** Goes on sending until `done` holds. Milliseconds that took, at most `maxMs`. */
  until(done: () => boolean, maxMs: number): number {
    const start = this.world.net.now;
    while (!done() && this.world.net.now - start < maxMs) {
      this.a.write(this.#id, this.#chunk);
      this.world.net.run(50);
    }
    return this.world.net.now - start;
  }

  /** Milliseconds from now until data arrives that was not in the air. */
  untilResumed(maxMs: number): number {
    const start = this.world.net.now;
    this.run(100);
    const { received } = this;
    this.until(() => this.received > received, maxMs);
    return this.world.net.now - start;
  }

  untilDirect(maxMs: number): number {
    return this.until(() => this.isDirect, maxMs);
  }
}

for (const side of ["a", "b"] as const) {
  Deno.test(`the NAT of ${side} restarts in the middle of a direct transfer`, () => {
    for (const seed of SEEDS) {
      for (const kind of ["portRestricted", "addressRestricted"] as const) {
        const transfer = new Transfer({ seed, kind });
        assert(transfer.isDirect, `seed ${seed}: not direct to begin with`);
        transfer.nats[side].reboot();
        const ms = transfer.untilResumed(20_000);
        assert(ms < 2_000, `seed ${seed}, ${kind}: ${ms} ms`);
        const direct = transfer.untilDirect(20_000);
        assert(direct < 10_000, `seed ${seed}, ${kind}: direct after ${direct} ms`);
      }
    }
  });

  Deno.test(`the NAT of ${side} restarts and gives other ports from then on`, () => {
    for (const seed of SEEDS) {
      const transfer = new Transfer({ seed, kind: "portRestricted" });
      const before = transfer[side].node.beacon.reflexive?.port;
      transfer.nats[side].reboot();
      // Somebody else takes the port that the agent had.
      const squatter = transfer.world.net.addHost("squatter", { ip: "10.0.0.77", nat: transfer.nats[side] });
      squatter.open(4000).send({ host: "203.0.113.99", port: 9 });
      const ms = transfer.untilResumed(20_000);
      assert(ms < 2_500, `seed ${seed}: ${ms} ms`);
      transfer.run(1_000);
      assert(transfer[side].node.beacon.reflexive?.port !== before, `seed ${seed}: the port is the same`);
      const direct = transfer.untilDirect(20_000);
      assert(direct < 10_000, `seed ${seed}: direct after ${direct} ms`);
    }
  });

  Deno.test(`the NAT of ${side} restarts in the middle of a relayed transfer`, () => {
    for (const seed of SEEDS) {
      const transfer = new Transfer({ seed, kind: "symmetricRandom" });
      assert(!transfer.isDirect);
      transfer.nats[side].reboot();
      const ms = transfer.untilResumed(30_000);
      assert(ms < 2_000, `seed ${seed}: ${ms} ms`);
    }
  });

  Deno.test(`${side} goes from one network to another in the middle of a transfer`, () => {
    for (const seed of SEEDS) {
      for (const notices of [true, false]) {
        const transfer = new Transfer({ seed });
        const { world } = transfer;
        const mobile = world.net.addNat("mobile", { ip: "198.51.100.9", ...NAT_CLASSES.portRestricted });
        transfer[side].host.moveTo({ ip: "100.64.0.9", nat: mobile });
        if (notices) transfer[side].act((node, now) => node.handleNetworkChange(now));
        const ms = transfer.untilResumed(30_000);
        assert(ms < 3_000, `seed ${seed}, ${notices ? "told" : "not told"}: ${ms} ms`);
        const direct = transfer.untilDirect(20_000);
        assert(direct < 10_000, `seed ${seed}: direct after ${direct} ms`);
      }
    }
  });

  Deno.test(`${side} sleeps for ten minutes in the middle of a transfer`, () => {
    for (const seed of SEEDS) {
      const transfer = new Transfer({ seed });
      const { world, a, b } = transfer;
      transfer[side].host.suspend();
      world.net.run(600_000);
      transfer[side].host.resume();
      const [from, to] = side === "a" ? [a, b] : [b, a];
      assert(from.events.some((event) => event.type === "recovering" && event.reason === "resumed"));
      to.act((node) => node.ports.listen(PORT + 1));
      const start = world.net.now;
      const id = from.connect(to, PORT + 1, 10_000);
      assert(typeof id === "number", `seed ${seed}: ${id}`);
      const ms = world.net.now - start;
      assert(ms < 1_000, `seed ${seed}: ${ms} ms until a new stream`);
    }
  });

  Deno.test(`datagrams of ${side} to the other are lost on the direct path only`, () => {
    for (const seed of SEEDS) {
      const transfer = new Transfer({ seed });
      const [from, to] = side === "a" ? ["agent-a", "agent-b"] : ["agent-b", "agent-a"];
      transfer.world.net.forbid((delivery) => delivery.from === from && delivery.to === to);
      const ms = transfer.untilResumed(20_000);
      assert(ms < 2_000, `seed ${seed}: ${ms} ms`);
    }
  });

  Deno.test(`${side} sends but receives nothing, for 40 seconds, while the registry answers`, () => {
    for (const seed of SEEDS) {
      const transfer = new Transfer({ seed, kind: "symmetricRandom" });
      const { world } = transfer;
      const deaf = transfer[side];
      const before = deaf.events.length;
      const heal = world.net.forbid(({ to }) => to === deaf.name);
      transfer.run(40_000);
      const recoveries = deaf.events.slice(before).filter(({ type }) => type === "recovering").length;
      assert(recoveries >= 1 && recoveries <= 6, `seed ${seed}: ${recoveries} recoveries`);
      heal();
      const ms = transfer.untilResumed(30_000);
      assert(ms < 6_000, `seed ${seed}: ${ms} ms after it hears again`);
    }
  });

  Deno.test(`hours without traffic, then a word from ${side}`, () => {
    for (const kind of ["portRestricted", "symmetricRandom"] as const) {
      const transfer = new Transfer({ seed: 5, kind });
      const { world, a, b } = transfer;
      world.net.run(2 * 3_600_000);
      const [from, to] = side === "a" ? [a, b] : [b, a];
      const heard = () =>
        to.events.some((event) => event.type === "datagram" && event.destinationPort === 5_000);
      const start = world.net.now;
      from.act((node, now) => node.sendDatagram(to.address, 5_000, { data: encodeUtf8("hello"), now }));
      assert(world.net.runUntil(heard, 10_000), `${kind}: not heard`);
      const ms = world.net.now - start;
      assert(ms < 1_000, `${kind}: ${ms} ms`);
    }
  });
}

Deno.test("a NAT that forgets after 30 s, five minutes of silence, then data: heard at once, direct again soon", () => {
  for (const seed of SEEDS) {
    const world = new World({ seed });
    const nat = (name: string, ip: string) =>
      world.net.addNat(name, { ip, ...NAT_CLASSES.portRestricted, idleMs: 30_000 });
    const a = world.addAgent("agent-a", { ip: "10.0.0.2", nat: nat("nat-a", "198.51.100.1") });
    const b = world.addAgent("agent-b", { ip: "10.0.0.2", nat: nat("nat-b", "198.51.100.2") });
    world.net.run(1_000);
    world.befriend(a, b);
    b.act((node) => node.ports.listen(PORT));
    const id = a.connect(b, PORT);
    assert(typeof id === "number");
    const direct = () => a.node.tunnels.peer(b.id)?.paths.inUse !== undefined;
    assert(world.net.runUntil(direct, 10_000), `seed ${seed}: never direct`);
    world.net.run(300_000);
    const [inbound = 0] = b.accepted(PORT);
    const start = world.net.now;
    a.write(id, encodeUtf8("still there?"));
    assert(world.net.runUntil(() => b.received(inbound).length > 0, 10_000), `seed ${seed}: not heard`);
    assert(world.net.now - start < 1_000, `seed ${seed}: ${world.net.now - start} ms`);
    assert(world.net.runUntil(direct, 10_000), `seed ${seed}: not direct again`);
    assert(world.net.now - start < 3_000, `seed ${seed}: direct after ${world.net.now - start} ms`);
  }
});

Deno.test("the path to one peer dies while others work: that one is relayed, the others stay as they are", () => {
  for (const seed of SEEDS) {
    const transfer = new Transfer({ seed });
    const { world, a, b } = transfer;
    const c = world.addAgent("agent-c");
    world.befriend(a, c);
    c.act((node) => node.ports.listen(PORT));
    assert(typeof a.connect(c, PORT) === "number");
    world.net.run(2_000);
    const pathTo = (peer: SimAgent) => a.node.tunnels.peer(peer.id)?.paths.inUse;
    const before = pathTo(c);
    assert(before !== undefined);
    const events = a.events.length;
    world.net.cut(a.host, b.host);
    const ms = transfer.untilResumed(20_000);
    assert(ms < 2_000, `seed ${seed}: ${ms} ms`);
    transfer.run(10_000);
    assertEquals(pathTo(c), before);
    assert(!a.events.slice(events).some(({ type }) => type === "recovering"), "one peer is not the network");
  }
});

Deno.test("a stranger's datagrams are no sign of life", () => {
  const transfer = new Transfer({ seed: 7 });
  const { world, a } = transfer;
  const before = a.events.length;
  world.net.forbid(({ to, from }) => to === a.name && from !== "stranger");
  const stranger = world.net.addHost("stranger", { ip: "203.0.113.66" }).open(5_000);
  for (let round = 0; round < 100; round++) {
    stranger.send(
      { host: "198.51.100.1", port: 4_000 },
      encodeUtf8("PILS not at all, but long enough to be looked at"),
    );
    transfer.run(100);
  }
  assert(a.events.slice(before).some((event) => event.type === "recovering" && event.reason === "silence"));
});

Deno.test("an agent that is alone on the network, in peace, does not recover from anything", () => {
  for (const beacon of [true, false]) {
    const world = new World({ seed: 8, beacon });
    const a = world.addAgent("agent-a");
    const b = world.addAgent("agent-b");
    world.befriend(a, b);
    world.net.run(3_600_000);
    assertEquals(a.events.filter(({ type }) => type === "recovering"), []);
  }
});
