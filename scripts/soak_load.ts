/** Mixed load on an agent, every byte of it checked. */

import { createHash } from "node:crypto";
import { AgentClient } from "../lib/client/agent.ts";
import type { ClientStream } from "../lib/client/stream.ts";
import { concatBytes, equalBytes } from "../lib/wire/bytes.ts";
import type { Endpoint } from "../lib/wire/endpoint.ts";
import { readExactly } from "./bench_wire.ts";
import { LossyProxy, type ProxyStats } from "./soak_proxy.ts";

/** Virtual ports of the services. */
const Port = { HASH: 2101, ECHO: 2102, GREET: 2103, DATAGRAM: 2104 } as const;
const DIGEST_BYTES = 32;
/** Streams of one storm, what some of them carry, what others are greeted with, and the pause after it in milliseconds. */
const STORM_STREAMS = 8;
const STORM_BYTES = 5_000;
const GREETING = 1;
const STORM_PAUSE_MS = 2_000;
const DATAGRAM_PAUSE_MS = 20;
/** Longest pause between requests, milliseconds. */
const REQUEST_PAUSE_MS = 20;
const MAX_ERRORS = 20;
const MAX_SAMPLES = 1_000;

/** What one side did. */
export interface LoadTotals {
  transfers: number;
  transferredBytes: number;
  requests: number;
  requestBytes: number;
  /** The latest round trips of requests, milliseconds. */
  requestMs: number[];
  opened: number;
  datagramsSent: number;
  datagramsReceived: number;
  errors: string[];
}

const totals: LoadTotals = {
  transfers: 0,
  transferredBytes: 0,
  requests: 0,
  requestBytes: 0,
  requestMs: [],
  opened: 0,
  datagramsSent: 0,
  datagramsReceived: 0,
  errors: [],
};
let proxy: LossyProxy | undefined;

/** Calls of a worker that takes part in a soak. */
export const soakMethods = {
  /** Puts a bad network in front of a beacon. */
  startProxy(params: { beacon: Endpoint; loss: number; late: number }): Promise<{ port: number }> {
    const { beacon, ...badness } = params;
    proxy = new LossyProxy({ beacon, badness });
    return Promise.resolve({ port: proxy.port });
  },

  /** What passed the bad network so far. */
  proxyStats(_: null): Promise<ProxyStats | undefined> {
    return Promise.resolve(proxy?.stats);
  },

  /** Offers the services behind an agent; the agent's node number. */
  async soakServe({ socket }: { socket: string }): Promise<{ node: number }> {
    const client = await AgentClient.connect({ socket });
    await serve(client, Port.HASH, hashAll);
    await serve(client, Port.ECHO, echo);
    await serve(client, Port.GREET, greet);
    void receiveDatagrams(client);
    return { node: (await client.info()).node_id };
  },

  /** Puts all kinds of load on the way to a peer, for so many milliseconds. */
  async soakLoad(params: { socket: string; peer: number; ms: number; maxBytes: number }): Promise<void> {
    const client = await AgentClient.connect({ socket: params.socket });
    const end = performance.now() + params.ms;
    const { peer, maxBytes } = params;
    await Promise.all([
      repeat(end, () => transfer(client, peer, Math.ceil(Math.random() * maxBytes))),
      repeat(end, () => converse(client, peer, end)),
      repeat(end, () => storm(client, peer)),
      repeat(end, () => sendDatagram(client, peer)),
    ]);
    client.close();
  },

  /** What was done so far. */
  soakTotals(_: null): Promise<LoadTotals> {
    return Promise.resolve(totals);
  },
};

async function repeat(end: number, step: () => Promise<void>): Promise<void> {
  while (performance.now() < end) {
    try {
      await step();
    } catch (error) {
      fail(error);
      await pause(1_000);
    }
  }
}

/** Random bytes one way, their digest back. */
async function transfer(client: AgentClient, peer: number, length: number): Promise<void> {
  await using stream = await dial(client, peer, Port.HASH);
  const hash = createHash("sha256");
  for (let sent = 0; sent < length;) {
    const piece = crypto.getRandomValues(new Uint8Array(Math.min(65_536, length - sent)));
    hash.update(piece);
    await stream.write(piece);
    sent += piece.length;
  }
  await stream.closeWrite();
  const digest = await readExactly(wire(stream), DIGEST_BYTES);
  if (!equalBytes(digest, hash.digest())) throw new Error(`a transfer of ${length} bytes arrived changed`);
  totals.transfers++;
  totals.transferredBytes += length;
}

/** Requests of all sizes on one stream for a while. */
async function converse(client: AgentClient, peer: number, end: number): Promise<void> {
  await using stream = await dial(client, peer, Port.ECHO);
  const until = Math.min(end, performance.now() + 30_000);
  while (performance.now() < until) {
    const request = crypto.getRandomValues(new Uint8Array(1 + Math.floor(Math.random() ** 3 * 20_000)));
    const start = performance.now();
    await stream.write(request);
    const answer = await readExactly(wire(stream), request.length);
    if (!equalBytes(answer, request)) throw new Error(`an answer of ${request.length} bytes is wrong`);
    totals.requestMs[totals.requests++ % MAX_SAMPLES] = performance.now() - start;
    totals.requestBytes += request.length;
    await pause(Math.random() * REQUEST_PAUSE_MS);
  }
}

/** Many streams at once, ended in different ways. */
async function storm(client: AgentClient, peer: number): Promise<void> {
  await Promise.all(Array.from({ length: STORM_STREAMS }, async (_, index) => {
    await using stream = await dial(client, peer, Port.GREET);
    if (index % 2 === 0) {
      const [greeting] = await readExactly(wire(stream), 1);
      if (greeting !== GREETING) throw new Error("a greeting arrived changed");
    }
    if (index % 4 === 1) await stream.write(withDigest(STORM_BYTES));
    totals.opened++;
  }));
  await pause(STORM_PAUSE_MS);
}

/** A datagram that carries its own digest. */
async function sendDatagram(client: AgentClient, peer: number): Promise<void> {
  const data = withDigest(1 + Math.floor(Math.random() * 900));
  await client.sendTo({ network: 0, node: peer }, Port.DATAGRAM, data);
  totals.datagramsSent++;
  await pause(DATAGRAM_PAUSE_MS);
}

/** Random bytes behind their digest. */
function withDigest(length: number): Uint8Array {
  const body = crypto.getRandomValues(new Uint8Array(length));
  return concatBytes(createHash("sha256").update(body).digest(), body);
}

function hasDigest(data: Uint8Array): boolean {
  const digest = createHash("sha256").update(data.subarray(DIGEST_BYTES)).digest();
  return equalBytes(data.subarray(0, DIGEST_BYTES), digest);
}

async function receiveDatagrams(client: AgentClient): Promise<void> {
  for await (const datagram of client.datagrams()) {
    if (!hasDigest(datagram.data)) fail(new Error("a datagram arrived changed"));
    totals.datagramsReceived++;
  }
}

async function serve(
  client: AgentClient,
  port: number,
  service: (stream: ClientStream) => Promise<void>,
): Promise<void> {
  const listener = await client.listen(port);
  void (async () => {
    for await (const stream of listener) {
      // The dialler notices whatever goes wrong here.
      void service(stream).catch(() => {}).finally(() => stream.close());
    }
  })();
}

async function hashAll(stream: ClientStream): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  await stream.write(hash.digest());
}

async function echo(stream: ClientStream): Promise<void> {
  for await (const chunk of stream) await stream.write(chunk);
}

async function greet(stream: ClientStream): Promise<void> {
  await stream.write(Uint8Array.of(GREETING));
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const all = concatBytes(...chunks);
  if (all.length > 0 && !hasDigest(all)) fail(new Error(`${all.length} bytes of a storm arrived changed`));
}

async function dial(client: AgentClient, peer: number, port: number): Promise<ClientStream> {
  return await client.dial({ network: 0, node: peer }, port);
}

function wire(stream: ClientStream): { read(): Promise<Uint8Array | null> } {
  return { read: () => stream.read({ timeoutMs: 60_000 }) };
}

function fail(error: unknown): void {
  if (totals.errors.length < MAX_ERRORS) {
    totals.errors.push(error instanceof Error ? error.message : String(error));
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
