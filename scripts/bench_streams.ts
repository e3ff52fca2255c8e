/** What a worker does with streams: the same over an embedded node and over an agent. */

import { generateIdentity } from "../lib/crypto/identity.ts";
import { systemRandom } from "../lib/io/random.ts";
import { decodeBase64, encodeBase64, equalBytes } from "../lib/wire/bytes.ts";
import { AgentTransport } from "./bench_client.ts";
import { EmbeddedNode } from "./bench_embedded.ts";
import {
  checkReceipt,
  Checksum,
  encodeReceipt,
  expectedReceipt,
  payload,
  type Receipt,
  RECEIPT_BYTES,
} from "./bench_payload.ts";
import { PING_BYTES } from "./bench_raw.ts";
import { readExactly, type Transport, type Wire } from "./bench_wire.ts";

/** Virtual ports of the measured services. */
const Port = { SINK: 2001, ECHO: 2002, GREET: 2003 } as const;

/** Streams that are opened or asked at the same time when there are many. */
const LANES = 16;

const identity = generateIdentity(systemRandom);
const held: Wire[] = [];
const greetings = { begun: 0, ended: 0 };
let transport: Transport | undefined;

/** Calls of a worker about streams. */
export const streamMethods = {
  /** The identity that `openEmbedded` will use. */
  identity(_: null): Promise<{ publicKey: string }> {
    return Promise.resolve({ publicKey: encodeBase64(identity.publicKey) });
  },

  /** Starts a node in this process that trusts one peer. */
  openEmbedded(
    params: { node: number; peer: number; peerKey: string; maxDatagram?: number },
  ): Promise<{ port: number }> {
    const { maxDatagram } = params;
    const peer = { node: params.peer, publicKey: decodeBase64(params.peerKey) ?? new Uint8Array(0) };
    const node = new EmbeddedNode({ identity, node: params.node, peer, maxDatagram });
    transport = node;
    return Promise.resolve({ port: node.port });
  },

  /** Tells the node in this process where its peer is. */
  introduce(params: { peer: number; port: number }): Promise<void> {
    if (!(transport instanceof EmbeddedNode)) throw new Error("no node here");
    transport.introduce(params.peer, { host: "127.0.0.1", port: params.port });
    return Promise.resolve();
  },

  /** Connects to an agent instead; its node number. */
  async openAgent({ socket }: { socket: string }): Promise<{ node: number }> {
    const agent = await AgentTransport.open(socket);
    transport = agent;
    return { node: await agent.node() };
  },

  /** Offers all services that the other methods need. */
  async serve(_: null): Promise<void> {
    await opened().listen(Port.SINK, sink);
    await opened().listen(Port.ECHO, echo);
    await opened().listen(Port.GREET, greet);
  },

  /** Sends `bytes` on each of `streams` at once; milliseconds from the first write to the last good receipt. */
  async transfer(
    { peer, bytes, streams = 1 }: { peer: number; bytes: number; streams?: number },
  ): Promise<{ ms: number }> {
    const expected = expectedReceipt(bytes);
    const wires: Wire[] = [];
    for (let index = 0; index < streams; index++) wires.push(await opened().dial(peer, Port.SINK));
    const start = performance.now();
    await Promise.all(wires.map((wire) => deliver(wire, expected)));
    return { ms: performance.now() - start };
  },

  /** Round trips of one small message after the other on one warm stream, microseconds each. */
  async ping({ peer, count }: { peer: number; count: number }): Promise<number[]> {
    const wire = await opened().dial(peer, Port.ECHO);
    const data = new Uint8Array(PING_BYTES);
    const samples: number[] = [];
    for (let index = 0; index < count; index++) {
      data[0] = index;
      const start = performance.now();
      await wire.write(data);
      const back = await readExactly(wire, PING_BYTES);
      samples.push((performance.now() - start) * 1000);
      if (back[0] !== data[0]) throw new Error("another message came back");
    }
    await wire.close();
    return samples;
  },

  /** From dialling to the peer's first byte, milliseconds for each of `count` streams, `atOnce` at a time. */
  async dial(
    { peer, count, atOnce = 1 }: { peer: number; count: number; atOnce?: number },
  ): Promise<{ samples: number[]; ms: number }> {
    const samples: number[] = [];
    const start = performance.now();
    let left = count;
    const lane = async () => {
      while (left-- > 0) {
        const before = performance.now();
        const wire = await opened().dial(peer, Port.GREET);
        await readExactly(wire, 1);
        samples.push(performance.now() - before);
        await wire.close();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    return { samples, ms: performance.now() - start };
  },

  /** Opens streams, some at a time, and leaves them idle. */
  async hold({ peer, count }: { peer: number; count: number }): Promise<{ ms: number }> {
    const start = performance.now();
    await inLanes(count, async () => {
      const wire = await opened().dial(peer, Port.GREET);
      await readExactly(wire, 1);
      held.push(wire);
    });
    return { ms: performance.now() - start };
  },

  /** Sends something else on each of the idle streams and waits for it to come back. */
  async check(_: null): Promise<void> {
    await inLanes(held.length, async (index) => {
      const wire = held[index];
      if (wire === undefined) return;
      const data = Uint8Array.of(index >>> 8, index, 0xa5);
      await wire.write(data);
      const back = await readExactly(wire, data.length);
      if (!equalBytes(back, data)) throw new Error(`stream ${index} gave another answer`);
    });
  },

  /** Closes the idle streams. */
  async release(_: null): Promise<void> {
    await Promise.all(held.splice(0).map((wire) => wire.close()));
  },

  /** Streams that were greeted here, and how many of them ended in order. */
  greeted(_: null): Promise<{ begun: number; ended: number }> {
    return Promise.resolve({ ...greetings });
  },
};

function opened(): Transport {
  if (transport === undefined) throw new Error("nothing is open");
  return transport;
}

async function deliver(wire: Wire, expected: Receipt): Promise<void> {
  for (const piece of payload(expected.bytes)) await wire.write(piece);
  await wire.closeWrite();
  checkReceipt(await readExactly(wire, RECEIPT_BYTES), expected);
  await wire.close();
}

/** Takes everything in and answers with what arrived. */
async function sink(wire: Wire): Promise<void> {
  const checksum = new Checksum();
  await wire.readAll((chunk) => checksum.add(chunk));
  await wire.write(encodeReceipt(checksum.receipt()));
  await wire.close();
}

async function echo(wire: Wire): Promise<void> {
  for (let chunk = await wire.read(); chunk !== null; chunk = await wire.read()) await wire.write(chunk);
  await wire.close();
}

/** One byte at once, then sends back what comes. */
async function greet(wire: Wire): Promise<void> {
  greetings.begun++;
  await wire.write(Uint8Array.of(1));
  await echo(wire);
  greetings.ended++;
}

/** Does something `count` times, some at a time. */
async function inLanes(count: number, step: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: LANES }, async () => {
    while (next < count) await step(next++);
  }));
}
