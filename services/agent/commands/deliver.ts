/**
 * Delivering one message of any size and waiting for the peer's answer.
 *
 * The data-exchange service (port 1001) frames messages, so it knows exactly where one ends. Raw ports do not: there
 * the end of our sending side, or silence, ends the message.
 */

import type { AgentClient } from "../../../lib/client/agent.ts";
import type { ClientStream } from "../../../lib/client/stream.ts";
import { DataFrameReader, encodeDataFrame, frameOf, MAX_DATA_PAYLOAD } from "../../../lib/wire/apps.ts";
import { concatBytes } from "../../../lib/wire/bytes.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import { dialPeer, isRefused, type Peer } from "./peer.ts";
import { within } from "./waiting.ts";

/** Port of the data-exchange service. */
const DATA_EXCHANGE_PORT = 1001;
/** Port of raw messages, where older agents listen. */
const STDIO_PORT = 1000;
/** Silence after which an answer without framing counts as whole, in milliseconds. */
const QUIET_MS = 100;
/** Longest answer collected from a raw port, in bytes. */
const MAX_RESPONSE = 64 * 1024 * 1024;

/** One message to one peer. */
export interface Delivery {
  readonly peer: Peer;
  /** `undefined`: data exchange, or the raw port 1000 where that is refused. */
  readonly port: number | undefined;
  readonly message: Uint8Array;
  /** Bounds the connecting, and then the wait for the answer. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Called once connected, with the milliseconds that took. */
  readonly onConnected: (dialMs: number) => Promise<void>;
}

/** What came of a delivery. */
export interface Delivered {
  readonly port: number;
  /** `undefined` when the peer closed without an answer. */
  readonly response: Uint8Array | undefined;
}

/** @throws PilotError as `AgentClient.dial`; `timeout` when no answer comes; `too_large` for what no frame holds */
export async function deliver(client: AgentClient, delivery: Delivery): Promise<Delivered> {
  const begun = performance.now();
  const { stream, port } = await dial(client, delivery);
  await delivery.onConnected(performance.now() - begun);
  const response = port === DATA_EXCHANGE_PORT
    ? await exchangeFrame(stream, delivery)
    : await exchangeRaw(stream, delivery);
  await within(stream.close(), 1_000);
  return { port, response };
}

async function dial(
  client: AgentClient,
  delivery: Delivery,
): Promise<{ stream: ClientStream; port: number }> {
  const { peer, timeoutMs, signal } = delivery;
  const first = delivery.port ?? DATA_EXCHANGE_PORT;
  if (first === DATA_EXCHANGE_PORT && delivery.message.length > MAX_DATA_PAYLOAD) {
    throw new PilotError("too_large", `a message has at most ${MAX_DATA_PAYLOAD} bytes`, {
      hint: "a port of your own takes raw bytes of any number: pilot connect PEER PORT",
    });
  }
  const open = async (port: number) => ({
    stream: await dialPeer(client, peer, { port, timeoutMs, signal }),
    port,
  });
  try {
    return await open(first);
  } catch (error) {
    if (!isRefused(error) || delivery.port !== undefined) throw error;
  }
  return await open(STDIO_PORT);
}

async function exchangeFrame(stream: ClientStream, delivery: Delivery): Promise<Uint8Array | undefined> {
  const { message, signal } = delivery;
  await stream.write(encodeDataFrame(frameOf(message)), { signal });
  const reader = new DataFrameReader();
  for (;;) {
    const chunk = await within(stream.read({ signal }), delivery.timeoutMs);
    if (chunk === "late") throw noAnswer(delivery);
    if (chunk === null) return undefined;
    const frames = reader.push(chunk);
    if (frames === "too-long") {
      throw new PilotError("connection_failed", `${delivery.peer.name} answered in a way not understood`);
    }
    const [answer] = frames;
    if (answer !== undefined) return answer.payload;
  }
}

async function exchangeRaw(stream: ClientStream, delivery: Delivery): Promise<Uint8Array | undefined> {
  const { message, signal } = delivery;
  const chunks: Uint8Array[] = [];
  let received = 0;
  // Reading begins before writing ends: a peer that answers as it reads would else wait for us, and we for it.
  const reading = (async () => {
    for (let chunk = await stream.read({ signal }); chunk !== null; chunk = await stream.read({ signal })) {
      chunks.push(chunk);
      received += chunk.length;
      if (received > MAX_RESPONSE) return;
    }
  })();
  reading.catch(() => {}); // it is awaited below, after the writing
  await stream.write(message, { signal });
  await stream.closeWrite();
  const deadline = performance.now() + delivery.timeoutMs;
  for (let before = 0;; before = received) {
    if (await within(reading, QUIET_MS) !== "late") break;
    if (received > 0 && received === before) break;
    if (received === 0 && performance.now() > deadline) throw noAnswer(delivery);
  }
  return received === 0 ? undefined : concatBytes(...chunks);
}

function noAnswer(delivery: Delivery): PilotError {
  return new PilotError(
    "timeout",
    `no answer from ${delivery.peer.name} within ${delivery.timeoutMs / 1_000} s`,
    {
      hint: "raise --timeout, or see whether the peer reads that port",
    },
  );
}
