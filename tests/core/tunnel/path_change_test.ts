/** A running transfer when its path goes away and comes back. */

import { assert, assertEquals } from "../../assert.ts";
import type { SimAgent } from "../../sim/agent.ts";
import { World } from "../../sim/world.ts";

const PORT = 1000;

/** A transfer that never ends by itself, on a proven direct path. */
class Transfer {
  readonly world: World;
  readonly a: SimAgent;
  readonly b: SimAgent;
  readonly #id: number;
  readonly #inbound: number;
  readonly #chunk = new Uint8Array(16_384).fill(9);

  constructor(seed: number, delayMs: number) {
    this.world = new World({ seed, link: { delayMs, bandwidthKbps: 20_000 } });
    this.a = this.world.addAgent("agent-a");
    this.b = this.world.addAgent("agent-b");
    this.world.befriend(this.a, this.b);
    this.b.act((node) => node.ports.listen(PORT));
    const id = this.a.connect(this.b, PORT);
    assert(typeof id === "number", String(id));
    this.#id = id;
    this.world.net.run(1_000);
    this.#inbound = this.b.accepted(PORT)[0] ?? 0;
    this.run(1_000);
    assert(this.isDirect);
  }

  get received(): number {
    return this.b.received(this.#inbound).length;
  }

  get isDirect(): boolean {
    return this.a.node.tunnels.peer(this.b.id)?.paths.isDirect ?? false;
  }

  run(ms: number): void {
    for (const end = this.world.net.now + ms; this.world.net.now < end; this.world.net.run(10)) {
      while (this.a.write(this.#id, this.#chunk) === this.#chunk.length);
    }
  }

  /** Milliseconds until data arrives that was not in the air. */
  untilResumed(maxMs: number): number {
    this.run(100);
    const { received } = this;
    const start = this.world.net.now;
    while (this.received === received && this.world.net.now - start < maxMs) this.run(10);
    return this.world.net.now - start + 100;
  }
}

Deno.test("the direct path is cut under a running transfer: data flows again within 1.5 s", () => {
  for (const delayMs of [1, 5, 20]) {
    const transfer = new Transfer(1, delayMs);
    transfer.world.net.cut(transfer.a.host, transfer.b.host);
    const ms = transfer.untilResumed(10_000);
    assert(ms < 1_500, `${ms} ms with ${delayMs} ms per link`);
    const { received } = transfer;
    transfer.run(3_000);
    assert(
      transfer.received > received + 200_000,
      `${transfer.received - received} bytes in 3 s on the relay`,
    );
  }
});

Deno.test("one direction of the direct path is cut: data flows again within 1.5 s", () => {
  for (const [from, to] of [["agent-a", "agent-b"], ["agent-b", "agent-a"]]) {
    const transfer = new Transfer(2, 5);
    transfer.world.net.forbid((delivery) => delivery.from === from && delivery.to === to);
    const ms = transfer.untilResumed(10_000);
    assert(ms < 1_500, `${ms} ms, cut from ${from}`);
  }
});

Deno.test("a short interruption costs no more than itself and a second", () => {
  const transfer = new Transfer(3, 5);
  const heal = transfer.world.net.forbid(({ from, to }) =>
    (from === "agent-a" && to !== "nobody") || from === "agent-b"
  );
  transfer.run(300);
  heal();
  const ms = transfer.untilResumed(5_000);
  assert(ms < 1_000, `${ms} ms`);
});

Deno.test("the relayed transfer takes the direct path again when it heals", () => {
  const transfer = new Transfer(4, 5);
  const heal = transfer.world.net.cut(transfer.a.host, transfer.b.host);
  transfer.run(3_000);
  assertEquals(transfer.isDirect, false);
  heal();
  let relayed = 0;
  transfer.run(20_000);
  assert(transfer.isDirect);
  const stop = transfer.world.net.forbid(({ flight, to }) => {
    if (to === "beacon" && flight.data[0] === 5) relayed++;
    return false;
  });
  transfer.run(1_000);
  stop();
  assertEquals(relayed, 0, "frames on the relay beside a working direct path");
});
