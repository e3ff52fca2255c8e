/** One client: frames in, replies out, strictly in turn. */

import { encodeLengthPrefixed, FrameSplitter } from "../../lib/wire/framing.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { decodeJson, encodeJson, MAX_REGISTRY_MESSAGE, type RegistryReply } from "../../lib/wire/registry.ts";
import type { Parked } from "../../lib/registry/directory.ts";

const READ_BUFFER_BYTES = 4096;

/** What a connection needs of the server that accepted it. Times are monotonic milliseconds. */
export interface ConnectionHost {
  readonly now: () => number;
  /** The reply to a JSON message, which may be to wait. Never throws. */
  readonly answer: (json: unknown, from: Endpoint) => RegistryReply | Parked;
  /** The reply to a request that waited long enough. Never throws. */
  readonly resume: (parked: Parked, from: Endpoint) => RegistryReply;
  /** Resolves when a parked request should be resumed. */
  readonly wait: (parked: Parked, signal: AbortSignal) => Promise<void>;
  /** Tells how many bytes of unfinished messages are held; false when that is more than the server can afford. */
  readonly hold: (connection: Connection, bytes: number) => boolean;
  readonly readDeadlineMs: number;
  readonly writeDeadlineMs: number;
}

/** A TCP connection of a client. */
export class Connection {
  /** When the connection is to be closed for doing nothing, monotonic milliseconds. */
  deadline: number;
  readonly #socket: Deno.TcpConn;
  readonly #from: Endpoint;
  readonly #host: ConnectionHost;
  readonly #splitter = new FrameSplitter(MAX_REGISTRY_MESSAGE);
  readonly #buffer = new Uint8Array(READ_BUFFER_BYTES);
  #reading: Promise<number | null> | undefined;

  constructor(socket: Deno.TcpConn, from: Endpoint, host: ConnectionHost) {
    this.#socket = socket;
    this.#from = from;
    this.#host = host;
    this.deadline = host.now() + host.readDeadlineMs;
  }

  /** Serves the client until it leaves, breaks the framing or runs out of time. Never rejects; closes the socket. */
  async run(): Promise<void> {
    try {
      while (await this.#serveChunk());
    } catch {
      // The client has gone, or was closed for its deadline: both are normal ends.
    } finally {
      this.#host.hold(this, 0);
      this.close();
    }
  }

  /** Ends the connection now. */
  close(): void {
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
  }

  /** Serves what the next chunk of bytes completes; false at the end. */
  async #serveChunk(): Promise<boolean> {
    const length = await this.#read();
    if (length === null) return false;
    const bodies = this.#splitter.push(this.#buffer.subarray(0, length));
    if (bodies === "too-long") return false;
    for (const body of bodies) {
      const json = decodeJson(body);
      // A message that is no JSON object gets no reply; a bare null counts as an empty object.
      if (json === undefined || typeof json !== "object" || Array.isArray(json)) return false;
      const reply = this.#host.answer(json, this.#from);
      if (reply.type !== "parked") await this.#write(reply);
      else if (!await this.#serveParked(reply)) return false;
    }
    if (bodies.length > 0) this.deadline = this.#host.now() + this.#host.readDeadlineMs;
    return !this.#splitter.failed && this.#host.hold(this, this.#splitter.pendingBytes);
  }

  /** Waits, but notices when the client leaves, because what it polls would be lost. False when it has left. */
  async #serveParked(parked: Parked): Promise<boolean> {
    const gone = new AbortController();
    this.deadline = Infinity;
    this.#reading ??= this.#socket.read(this.#buffer);
    this.#reading.then((length) => length === null && gone.abort(), () => gone.abort());
    await this.#host.wait(parked, gone.signal);
    if (gone.signal.aborted) return false;
    await this.#write(this.#host.resume(parked, this.#from));
    return true;
  }

  #read(): Promise<number | null> {
    const reading = this.#reading ?? this.#socket.read(this.#buffer);
    this.#reading = undefined;
    return reading;
  }

  async #write(reply: RegistryReply): Promise<void> {
    this.deadline = this.#host.now() + this.#host.writeDeadlineMs;
    const frame = encodeLengthPrefixed(encodeJson(reply));
    for (let written = 0; written < frame.length;) {
      written += await this.#socket.write(frame.subarray(written));
    }
  }
}
