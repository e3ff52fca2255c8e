/**
 * Echo, port 7: every received piece is written back unchanged. Used for liveness, latency and throughput.
 *
 * One piece is special: `TRCE` and 8 bytes (when the peer sent it, in nanoseconds) is answered with the same 12
 * bytes and 8 more: when it arrived here, in Unix nanoseconds, big-endian.
 */

import { concatBytes } from "../../../lib/wire/bytes.ts";
import type { AgentApi, AgentStream } from "../api.ts";
import { startService } from "./service.ts";
import { within } from "./timed_reader.ts";

/** The port of the echo service. */
export const ECHO_PORT = 7;

/** Bytes read but not yet written back; then reading waits, and the peer's window closes. */
const MAX_QUEUED = 256 * 1024;
/** A stream without a byte in either direction ends, in milliseconds. */
const IDLE_MS = 120_000;
const TRACE_MAGIC = [0x54, 0x52, 0x43, 0x45];
const TRACE_LENGTH = 12;

/** Settings that tests shorten. */
export interface EchoOptions {
  readonly idleMs?: number;
  /** The time in Unix nanoseconds. */
  readonly unixNs?: () => bigint;
}

/** Starts the echo service; the returned function stops it. @throws PilotError as `AgentApi.listen` */
export function serveEcho(api: Pick<AgentApi, "listen">, options: EchoOptions = {}): () => void {
  const idleMs = options.idleMs ?? IDLE_MS;
  const unixNs = options.unixNs ?? systemUnixNs;
  return startService(api, { port: ECHO_PORT, serve: (stream) => echo(stream, { idleMs, unixNs }) });
}

async function echo(stream: AgentStream, options: Required<EchoOptions>): Promise<void> {
  // Two echo services must not be made to talk to each other for ever.
  if (stream.remotePort === ECHO_PORT) return stream.abort();
  const queue = new PieceQueue();
  const readAll = async (): Promise<void> => {
    try {
      for (;;) {
        await queue.room();
        const piece = await stream.read();
        if (piece === null) return;
        queue.push(traceAnswer(piece, options.unixNs) ?? piece);
      }
    } finally {
      queue.end();
    }
  };
  const writeAll = async (): Promise<void> => {
    for (;;) {
      const piece = await within(queue.shift(), options.idleMs);
      if (piece === undefined) return;
      if (piece === "timeout" || (await within(stream.write(piece), options.idleMs)) === "timeout") {
        return stream.abort();
      }
    }
  };
  const reading = readAll();
  try {
    await Promise.all([reading, writeAll()]);
  } catch (error) {
    stream.abort();
    queue.end();
    await reading.catch(() => {});
    throw error;
  }
}

/** Pieces on their way from the reader to the writer. */
class PieceQueue {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    this.#notify();
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Resolves when another piece may be read. */
  async room(): Promise<void> {
    while (this.#bytes >= MAX_QUEUED && !this.#ended) await this.#changed.promise;
  }

  /** The next piece, `undefined` after the last. */
  async shift(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0 && !this.#ended) await this.#changed.promise;
    const piece = this.#pieces.shift();
    this.#bytes -= piece?.length ?? 0;
    this.#notify();
    return piece;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function traceAnswer(piece: Uint8Array, unixNs: () => bigint): Uint8Array | undefined {
  if (piece.length !== TRACE_LENGTH || TRACE_MAGIC.some((byte, at) => piece[at] !== byte)) return undefined;
  const received = new Uint8Array(8);
  new DataView(received.buffer).setBigUint64(0, unixNs());
  return concatBytes(piece, received);
}

// Microseconds are all that floating point milliseconds of this size carry.
function systemUnixNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
