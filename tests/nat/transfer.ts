/** A stream with much in it, hashed on both sides, in which something happens on the way. */

import { createHash } from "node:crypto";
import { pause } from "../../lib/io/pause.ts";
import type { ClientListener, ClientStream } from "../../mod.ts";
import type { LabAgent } from "./lab.ts";

const PORT = 4_000;
const CHUNK = 64 * 1024;
/** What keeps the stream busy while something is waited for: so many bytes, at this distance in milliseconds. */
const TRICKLE = 4 * 1024;
const TRICKLE_MS = 20;
/** Longest wait for anything of a transfer, milliseconds. */
const PATIENCE_MS = 60_000;

/** What is sent, and what happens meanwhile. */
export interface TransferPlan {
  /** Bytes, besides those that flow while `until` is waited for. */
  readonly size: number;
  /** Milliseconds over which they are spread; 0 is as fast as it goes. */
  readonly spreadMs: number;
  /** Happens after a quarter, while the stream goes on. */
  readonly event: () => Promise<void>;
  /** After half of it the stream only trickles until this holds. */
  readonly until?: () => Promise<boolean>;
}

/** What came of it. Times are milliseconds. */
export interface Transferred {
  readonly bytes: number;
  readonly tookMs: number;
  /** The longest time in which nothing arrived at the receiver. */
  readonly silenceMs: number;
}

/** Sends from one agent to another. @throws Error when not every byte arrives, in order and once */
export async function transfer(from: LabAgent, to: LabAgent, plan: TransferPlan): Promise<Transferred> {
  await using listener = await to.client.listen(PORT);
  const started = performance.now();
  const receiving = receive(listener);
  receiving.catch(() => {}); // it is awaited below, unless sending fails first
  const stream = await from.client.dial(String(to.node), PORT, { timeoutMs: PATIENCE_MS });
  const sent = await send(stream, plan);
  await stream.closeWrite();
  const answer = await text(stream);
  const tookMs = Math.round(performance.now() - started);
  await stream.close();
  const received = await receiving;
  if (received.bytes !== sent.bytes) throw new Error(`${received.bytes} of ${sent.bytes} bytes arrived`);
  if (received.sha256 !== sent.sha256) throw new Error("other bytes arrived than were sent");
  if (answer !== sent.sha256) throw new Error(`the sender was told the hash ${answer}`);
  return { bytes: sent.bytes, tookMs, silenceMs: Math.round(received.silenceMs) };
}

interface Hashed {
  readonly bytes: number;
  readonly sha256: string;
}

async function send(stream: ClientStream, plan: TransferPlan): Promise<Hashed> {
  const hash = createHash("sha256");
  let bytes = 0;
  const write = async (size: number) => {
    const piece = content(bytes, size);
    hash.update(piece);
    await stream.write(piece, { timeoutMs: PATIENCE_MS });
    bytes += size;
  };
  const started = performance.now();
  let event: Promise<void> | undefined;
  let extra = 0;
  let waited = plan.until === undefined;
  while (bytes - extra < plan.size) {
    await write(Math.min(CHUNK, plan.size - (bytes - extra)));
    const part = (bytes - extra) / plan.size;
    if (part >= 0.25 && event === undefined) {
      event = plan.event();
      event.catch(() => {}); // it is awaited below
    }
    if (part >= 0.5 && !waited) {
      waited = true;
      const before = bytes;
      await event;
      const deadline = performance.now() + PATIENCE_MS;
      while (!await plan.until?.()) {
        if (performance.now() > deadline) throw new Error("what the transfer waits for does not happen");
        await write(TRICKLE);
        await pause(TRICKLE_MS);
      }
      extra = bytes - before;
    }
    const early = started + part * plan.spreadMs - performance.now();
    if (early > 0) await pause(early);
  }
  await event;
  return { bytes, sha256: hash.digest("hex") };
}

async function receive(listener: ClientListener): Promise<Hashed & { readonly silenceMs: number }> {
  await using stream = await listener.accept({ timeoutMs: PATIENCE_MS });
  if (stream === null) throw new Error("the receiver's listener has ended");
  const hash = createHash("sha256");
  let bytes = 0;
  let silenceMs = 0;
  let last: number | undefined;
  for (;;) {
    const chunk = await stream.read({ timeoutMs: PATIENCE_MS });
    if (chunk === null) break;
    const now = performance.now();
    silenceMs = Math.max(silenceMs, now - (last ?? now));
    last = now;
    hash.update(chunk);
    bytes += chunk.length;
  }
  const sha256 = hash.digest("hex");
  await stream.write(new TextEncoder().encode(sha256));
  await stream.closeWrite();
  return { bytes, sha256, silenceMs };
}

async function text(stream: ClientStream): Promise<string> {
  const decoder = new TextDecoder();
  let read = "";
  for (;;) {
    const chunk = await stream.read({ timeoutMs: PATIENCE_MS });
    if (chunk === null) return read;
    read += decoder.decode(chunk, { stream: true });
  }
}

const POOL = pool(1024 * 1024 + CHUNK);

function pool(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

/** What is at a place of the stream: pieces of random bytes that begin elsewhere each time. */
function content(at: number, size: number): Uint8Array {
  const start = (at * 31 + at / CHUNK * 4_099) % (1024 * 1024);
  return POOL.subarray(Math.floor(start), Math.floor(start) + size);
}
