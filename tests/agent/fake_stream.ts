/** Loopback streams and an agent that offers only what the built-in services use. */

import type { AgentInfo, AgentListener, AgentStream, TrustedPeer } from "../../services/agent/api.ts";
import type { CloseReason } from "../../lib/core/stream/state.ts";
import type { Address } from "../../lib/wire/address.ts";

/** One direction: pieces stay as they were written; a full pipe makes the writer wait. */
class Pipe {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #failed = false;
  #changed = Promise.withResolvers<void>();
  /** Bytes that fit before writes wait. */
  capacity = Infinity;

  get bytes(): number {
    return this.#bytes;
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#ended || this.#failed) throw new Error("stream closed");
    this.#pieces.push(data.slice());
    this.#bytes += data.length;
    this.#notify();
    while (this.#bytes > this.capacity && !this.#failed) await this.#changed.promise;
    if (this.#failed) throw new Error("stream reset");
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#failed) throw new Error("stream reset");
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#bytes -= piece.length;
        this.#notify();
        return piece;
      }
      if (this.#ended) return null;
      await this.#changed.promise;
    }
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  fail(): void {
    this.#failed = true;
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** One end of a loopback stream. */
export class FakeStream implements AgentStream {
  readonly id = 1;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
  readonly closed: Promise<CloseReason>;
  readonly #input: Pipe;
  readonly #output: Pipe;
  readonly #over: PromiseWithResolvers<CloseReason>;

  constructor(
    pipes: { input: Pipe; output: Pipe; over: PromiseWithResolvers<CloseReason> },
    ends: { localPort: number; remote: Address; remotePort: number },
  ) {
    this.#input = pipes.input;
    this.#output = pipes.output;
    this.#over = pipes.over;
    this.closed = pipes.over.promise;
    this.localPort = ends.localPort;
    this.remote = ends.remote;
    this.remotePort = ends.remotePort;
  }

  read(): Promise<Uint8Array | null> {
    return this.#input.read();
  }

  async readBatch(): Promise<readonly Uint8Array[] | null> {
    const piece = await this.read();
    return piece === null ? null : [piece];
  }

  giveBack(): void {}

  write(data: Uint8Array): Promise<void> {
    return this.#output.write(data);
  }

  close(): Promise<void> {
    this.#output.end();
    this.#over.resolve("done");
    return Promise.resolve();
  }

  /** Ends this direction only: what the other side sees when a FIN arrives. */
  end(): void {
    this.#output.end();
  }

  abort(): void {
    this.#input.fail();
    this.#output.fail();
    this.#over.resolve("aborted");
  }

  /** Bytes waiting to be read here. */
  get waiting(): number {
    return this.#input.bytes;
  }

  /** Limits how much may wait to be read here. */
  set capacity(bytes: number) {
    this.#input.capacity = bytes;
  }

  /** All bytes until the other side ends. */
  async readToEnd(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let piece = await this.read(); piece !== null; piece = await this.read()) parts.push(piece);
    return new Uint8Array(await new Blob(parts.map((part) => part.slice())).arrayBuffer());
  }

  /** Exactly so many bytes, as text. */
  async readText(length: number): Promise<string> {
    let text = "";
    while (text.length < length) {
      const piece = await this.read();
      if (piece === null) break;
      text += new TextDecoder().decode(piece);
    }
    return text;
  }
}

/** An agent in which other nodes open streams at will. */
export class FakeServices {
  readonly #listeners = new Map<number, (stream: AgentStream | null) => void>();
  trusted: TrustedPeer[] = [];
  authenticated: number[] = [];

  /** Opens a stream from another node to a service and returns the other node's end. */
  open(port: number, options: { node?: number; remotePort?: number } = {}): FakeStream {
    const [request, answer] = [new Pipe(), new Pipe()];
    const over = Promise.withResolvers<CloseReason>();
    const remote = { network: 0, node: options.node ?? 2 };
    const remotePort = options.remotePort ?? 49152;
    const server = new FakeStream({ input: request, output: answer, over }, {
      localPort: port,
      remote,
      remotePort,
    });
    const deliver = this.#listeners.get(port);
    if (deliver === undefined) throw new Error(`nothing listens on port ${port}`);
    deliver(server);
    return new FakeStream({ input: answer, output: request, over }, {
      localPort: remotePort,
      remote: { network: 0, node: 1 },
      remotePort: port,
    });
  }

  isListening(port: number): boolean {
    return this.#listeners.has(port);
  }

  listen(port: number): AgentListener {
    const queue: (AgentStream | null)[] = [];
    let wake = Promise.withResolvers<void>();
    const deliver = (stream: AgentStream | null) => {
      queue.push(stream);
      wake.resolve();
      wake = Promise.withResolvers<void>();
    };
    this.#listeners.set(port, deliver);
    const accept = async (): Promise<AgentStream | null> => {
      while (queue.length === 0) await wake.promise;
      return queue.shift() ?? null;
    };
    const close = () => {
      this.#listeners.delete(port);
      deliver(null);
    };
    return { port, accept, close };
  }

  trustedPeers(): Promise<readonly TrustedPeer[]> {
    return Promise.resolve(this.trusted);
  }

  readonly info = (): Pick<AgentInfo, "peer_list"> => ({
    peer_list: this.authenticated.map((node) => ({
      node_id: node,
      hostname: "",
      endpoint: "127.0.0.1:1",
      encrypted: true,
      authenticated: true,
      path: "direct",
      rtt_ms: null,
      dialect: "current",
    })),
  });
}
