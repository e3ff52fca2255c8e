/** Streams of the node as objects: two nodes on loopback. */

import { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import { nobleAead } from "../../lib/crypto/aead.ts";
import { generateIdentity, type Identity } from "../../lib/crypto/identity.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { UdpDriver } from "../../lib/io/driver.ts";
import { systemRandom } from "../../lib/io/random.ts";
import type { AgentListener, AgentStream } from "../../services/agent/api.ts";
import { Streams } from "../../services/agent/streams.ts";
import { assert, assertEquals } from "../assert.ts";
import { delay, until } from "./raw_client.ts";

/** A node that trusts one peer from the start, and its streams. */
class Side {
  readonly streams: Streams;
  readonly driver: UdpDriver<NodeEvent>;
  readonly #node: Node;
  readonly #clock = new SystemClock();
  /** Steps of streams on the node so far. */
  steps = 0;

  constructor(node: number, identity: Identity, peer: { node: number; publicKey: Uint8Array }) {
    const trusted = { ...peer, approvedAt: 0, mutual: true, network: 0 };
    this.#node = new Node({
      identity,
      node,
      aead: nobleAead,
      random: systemRandom,
      unixTime: () => this.#clock.unixMs(),
      trust: { trusted: [trusted], pending: [], outgoing: [], denied: [] },
    });
    this.driver = UdpDriver.bind(this.#node, {
      host: "127.0.0.1",
      clock: this.#clock,
      onEvent: (event) => {
        if (event.type === "stream") this.streams.handle(event.event);
        if (event.type !== "registry") return;
        queueMicrotask(() => this.act((node, now) => node.handleRegistryReply(event.tag, undefined, now)));
      },
    });
    this.streams = new Streams({
      node: this.#node,
      act: <Result>(step: (node: Node, now: number) => Result): Result => {
        this.steps++;
        return this.act(step);
      },
    });
  }

  act<Result>(step: (node: Node, now: number) => Result): Result {
    const now = this.#clock.now();
    const result = this.#node.act(now, () => step(this.#node, now));
    this.driver.wake();
    return result;
  }

  /** Bytes of streams that have arrived in order. */
  get received(): number {
    return this.#node.ports.list().reduce((sum, { bytes_recv }) => sum + bytes_recv, 0);
  }

  /** Learns where the peer is, as from a registry. */
  meet(peer: number, side: Side): void {
    this.act((node, now) => {
      node.tunnels.open(peer, now);
      node.tunnels.addEndpoint(peer, side.driver.endpoint, { source: "registry", now });
    });
  }

  async stop(): Promise<void> {
    this.driver.close();
    await this.driver.finished;
  }
}

/** Runs `body` with both ends of one stream. */
async function withStream(body: (open: Open) => Promise<void>): Promise<void> {
  const [a, b] = [generateIdentity(systemRandom), generateIdentity(systemRandom)];
  const near = new Side(1, a, { node: 2, publicKey: b.publicKey });
  const far = new Side(2, b, { node: 1, publicKey: a.publicKey });
  try {
    near.meet(2, far);
    far.meet(1, near);
    const listener = far.streams.listen(7);
    const signal = new AbortController().signal;
    const from = await near.streams.dial({ network: 0, node: 2 }, 7, { signal });
    await body({ from, to: await accepted(listener), far });
  } finally {
    await near.stop();
    await far.stop();
  }
}

/** Both ends of a stream, and the node of the second. */
interface Open {
  readonly from: AgentStream;
  readonly to: AgentStream;
  readonly far: Side;
}

async function accepted(listener: AgentListener): Promise<AgentStream> {
  const stream = await listener.accept();
  assert(stream !== null);
  return stream;
}

Deno.test("readBatch takes what is there, in order, up to the asked size and the rest of a segment", async () => {
  await withStream(async ({ from, to, far }) => {
    const data = Uint8Array.from({ length: 100_000 }, (_, i) => i ^ (i >> 8));
    await from.write(data);
    await until(() => far.received === data.length, "all has arrived");
    const first = await to.readBatch(30_000);
    assert(first !== null);
    const size = first.reduce((sum, piece) => sum + piece.length, 0);
    assert(size >= 30_000 && size < 100_000, `${size} bytes`);
    const steps = far.steps;
    const rest = await to.readBatch(1e6);
    assertEquals(far.steps, steps + 1, "one step for many segments");
    assertEquals(Uint8Array.from([...first, ...rest ?? []].flatMap((piece) => [...piece])), data);
  });
});

Deno.test("a read after everything was taken waits without asking the node, and misses nothing", async () => {
  await withStream(async ({ from, to, far }) => {
    for (let round = 1; round <= 20; round++) {
      const steps = far.steps;
      const reading = to.readBatch(1e6);
      if (round > 1) assertEquals(far.steps, steps);
      await from.write(Uint8Array.of(round));
      if (round % 2 === 0) await delay(2);
      assertEquals(await reading, [Uint8Array.of(round)]);
    }
    const end = to.readBatch(1e6);
    const closing = [from.close(), to.close()];
    assertEquals(await end, null);
    assertEquals(await to.read(), null);
    await Promise.all(closing);
  });
});

Deno.test("writes of several callers do not mix; one that is too long for the buffer waits for the peer", async () => {
  await withStream(async ({ from, to }) => {
    const sizes = [3_000_000, 5, 70_000];
    const writes = sizes.map((size, i) => from.write(new Uint8Array(size).fill(i + 1)));
    const received = [0, 0, 0];
    let highest = 1;
    for (let left = 3_070_005; left > 0;) {
      for (const piece of await to.readBatch(65_536) ?? []) {
        left -= piece.length;
        for (const mark of piece) {
          if (mark < highest) throw new Error("not in the order of the calls");
          highest = mark;
          received[mark - 1] = (received[mark - 1] ?? 0) + 1;
        }
      }
    }
    await Promise.all(writes);
    assertEquals(received, sizes);
  });
});
