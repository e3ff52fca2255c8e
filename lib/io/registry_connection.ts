/** One connection to a registry, TCP or TLS: a frame out, a frame in. */

import { PilotError } from "../wire/error.ts";
import { encodeLengthPrefixed, FrameSplitter } from "../wire/framing.ts";
import {
  decodeJson,
  encodeJson,
  MAX_REGISTRY_MESSAGE,
  parseRegistryReply,
  type RegistryReply,
  type RegistryRequest,
} from "../wire/registry.ts";
import type { ProxySource } from "./proxy_source.ts";

/** How to reach a registry that is behind TLS: on port 443, perhaps, where nothing else passes. */
export interface RegistryTls {
  readonly proxies?: ProxySource | undefined;
  /** Authorities trusted beside those of the system, PEM. */
  readonly authorities?: string | undefined;
}

/** A connection for one request at a time. After any rejection it is of no more use and must be closed. */
export class RegistryConnection {
  /** Whether a byte of a reply to the current request has come in. */
  heardReply = false;
  readonly #socket: Deno.Conn;
  readonly #splitter = new FrameSplitter(MAX_REGISTRY_MESSAGE);
  readonly #buffer = new Uint8Array(16 * 1024);

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  /** Connects; rejects with the error of the system or a PilotError, or when `signal` aborts. */
  static async open(
    address: { readonly host: string; readonly port: number },
    signal: AbortSignal,
    tls?: RegistryTls,
  ): Promise<RegistryConnection> {
    if (tls !== undefined) {
      const { dial } = await import("./tunnel_dial.ts");
      return new RegistryConnection(await dial({ ...address, ...tls, tls: true, signal }));
    }
    const socket = await Deno.connect({ hostname: address.host, port: address.port, signal });
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    return new RegistryConnection(socket);
  }

  /** Sends a request and reads its reply. Closes the connection when `signal` aborts. */
  async request(request: RegistryRequest, signal: AbortSignal): Promise<RegistryReply> {
    this.heardReply = false;
    const body = encodeJson(request);
    if (body.length > MAX_REGISTRY_MESSAGE) {
      throw new PilotError("too_large", "the request is too large for a registry", {
        hint: `a request may have ${MAX_REGISTRY_MESSAGE} bytes`,
      });
    }
    signal.throwIfAborted();
    const close = () => this.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      const frame = encodeLengthPrefixed(body);
      for (let written = 0; written < frame.length;) {
        written += await this.#socket.write(frame.subarray(written));
      }
      return matching(request, await this.#readReply());
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  /** Ends the connection; harmless when it is over already. */
  close(): void {
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
  }

  async #readReply(): Promise<RegistryReply> {
    for (;;) {
      const length = await this.#socket.read(this.#buffer);
      if (length === null) throw new Error("the registry closed the connection");
      this.heardReply = true;
      const bodies = this.#splitter.push(this.#buffer.subarray(0, length));
      if (bodies === "too-long") throw strange();
      const [body, surplus] = bodies;
      if (body === undefined) continue;
      // A registry never speaks unasked, so more than one reply means that we are out of step.
      const reply = surplus === undefined && this.#splitter.pendingBytes === 0
        ? parseRegistryReply(decodeJson(body))
        : undefined;
      if (reply === undefined) throw strange();
      return reply;
    }
  }
}

function matching(request: RegistryRequest, reply: RegistryReply): RegistryReply {
  if (reply.type !== "error" && reply.type !== `${request.type}_ok`) throw strange();
  return reply;
}

function strange(): PilotError {
  return new PilotError("connection_failed", "the answer is not one of a Pilot registry", {
    hint: "check that the address is that of a registry, not of another service",
  });
}
