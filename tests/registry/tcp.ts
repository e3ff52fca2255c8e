/** A registry on a socket and raw clients, for the tests of this folder. */

import { Log } from "../../lib/io/log.ts";
import type { Policy } from "../../lib/registry/policy.ts";
import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import { encodeLengthPrefixed, FrameSplitter } from "../../lib/wire/framing.ts";
import { decodeJson } from "../../lib/wire/registry.ts";
import { serveRegistry, type ServerLimits } from "../../services/registry/serve.ts";

/** How to serve. */
export interface ServeOptions {
  readonly policy?: Partial<Policy>;
  readonly limits?: Partial<ServerLimits>;
  readonly listen?: string;
  readonly store?: string;
}

/** Runs `body` against a registry on a free port of this computer and stops it afterwards. */
export async function withServer(
  options: ServeOptions,
  body: (server: { port: number; store: string; stop(): Promise<void> }) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const store = options.store ?? `${directory}/registry.db`;
  const control = new AbortController();
  const server = await serveRegistry({
    listen: options.listen ?? "127.0.0.1:0",
    store,
    log: Log.silent,
    signal: control.signal,
    ...(options.policy && { policy: options.policy }),
    ...(options.limits && { limits: options.limits }),
  });
  const stop = () => {
    control.abort();
    return server.finished;
  };
  try {
    await body({ port: server.port, store, stop });
  } finally {
    await stop();
    await Deno.remove(directory, { recursive: true });
  }
}

/** A client that sends what it is told, right or wrong. */
export class RawClient {
  readonly socket: Deno.TcpConn;
  readonly #splitter = new FrameSplitter(1 << 20);
  readonly #bodies: Uint8Array[] = [];

  private constructor(socket: Deno.TcpConn) {
    this.socket = socket;
  }

  static async connect(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      written += await this.socket.write(bytes.subarray(written));
    }
  }

  /** The next reply, `undefined` when the server closed the connection. */
  async receive(): Promise<unknown> {
    const buffer = new Uint8Array(16 * 1024);
    while (this.#bodies.length === 0) {
      const length = await this.socket.read(buffer).catch(() => null);
      if (length === null) return undefined;
      const bodies = this.#splitter.push(buffer.subarray(0, length));
      if (bodies === "too-long") throw new Error("too long");
      this.#bodies.push(...bodies);
    }
    return decodeJson(this.#bodies.shift() ?? new Uint8Array());
  }

  async ask(request: unknown): Promise<unknown> {
    await this.send(frame(request));
    return await this.receive();
  }

  close(): void {
    try {
      this.socket.close();
    } catch {
      // Closed already.
    }
  }
}

/** A request as it goes over the wire; a text is taken for the body as it is. */
export function frame(request: unknown): Uint8Array {
  return encodeLengthPrefixed(encodeUtf8(typeof request === "string" ? request : JSON.stringify(request)));
}

/** A member of a reply. */
export function member(reply: unknown, name: string): unknown {
  return typeof reply === "object" && reply !== null ? Reflect.get(reply, name) : undefined;
}
