/**
 * Talks to a registry: one request at a time on one TCP connection, which is made when needed and remade when lost.
 */

import { type Identity, signBase64 } from "../crypto/identity.ts";
import { PilotError } from "../wire/error.ts";
import { registryChallenge, type RegistryReply, type RegistryRequest } from "../wire/registry.ts";
import type { Log } from "./log.ts";
import { pause } from "./pause.ts";
import { RegistryConnection, type RegistryTls } from "./registry_connection.ts";

const DEFAULT_TIMEOUT_MS = 8_000;
/** Milliseconds without a new attempt after one, two, ... failed ones in a row; the last one repeats. */
const BACKOFF_MS: readonly number[] = [500, 1_000, 2_000, 4_000, 8_000];

/**
 * Requests that have another outcome when they are carried out twice. They are not sent again when the connection
 * breaks, because nobody can know whether the registry got them.
 */
const ONCE_ONLY: ReadonlySet<RegistryRequest["type"]> = new Set(
  ["rotate_key", "update_polo_score", "request_handshake", "respond_handshake", "revoke_trust"] as const,
);

/** How to make a `RegistryClient`. */
export interface RegistryClientOptions {
  /** Where the registry is; `host` may be a name. */
  readonly address: { readonly host: string; readonly port: number };
  /** The registry is behind TLS; absent: in the clear, as the public protocol has it. */
  readonly tls?: RegistryTls | undefined;
  /** Signs the requests that need it. */
  readonly identity?: Identity | undefined;
  readonly log?: Log | undefined;
}

/** How to make one request. */
export interface RegistryRequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for all of it, connecting included; 8,000 by default. A long poll needs its `wait_ms` on top. */
  readonly timeoutMs?: number | undefined;
}

/**
 * A client of one registry. Requests are answered in the order they were made; use a client of its own for long polls,
 * because a waiting one holds up those behind it.
 *
 * @example
 * ```ts ignore
 * const client = new RegistryClient({ address: { host: "127.0.0.1", port: 9000 } });
 * const reply = await client.request({ type: "lookup", node_id: 1000 });
 * client.close();
 * ```
 */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #closed = new AbortController();
  #connection: RegistryConnection | undefined;
  #turn: Promise<void> = Promise.resolve();
  #failures = 0;
  #lastFailure = "";
  /** Monotonic milliseconds before which no new connection is tried. */
  #notBefore = 0;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
  }

  /** Whether there is a connection now, which says nothing about the next request. */
  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /**
   * Sends a request, signed when it needs to be and an identity was given. Refusals come back as values.
   *
   * @throws PilotError `connection_failed` or `timeout`; or the reason of `signal` when that aborts
   */
  async request(request: RegistryRequest, options: RegistryRequestOptions = {}): Promise<RegistryReply> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const deadline = performance.now() + timeoutMs;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(this.#timedOut(timeoutMs)), timeoutMs);
    const signal = AbortSignal.any([
      over.signal,
      this.#closed.signal,
      ...(options.signal ? [options.signal] : []),
    ]);
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = before.then(() => promise);
    try {
      await until(before, signal);
      return await this.#exchange(this.#sign(request), { signal, deadline });
    } finally {
      clearTimeout(timer);
      resolve();
    }
  }

  /**
   * Hangs up, because the network that the connection was made on may be gone. The next request connects anew, without
   * waiting; one under way is repeated there if it may be.
   */
  disconnect(): void {
    this.#drop();
    this.#notBefore = 0;
    this.#failures = 0;
  }

  /** Closes the connection. Requests under way and later ones reject with `connection_failed`. */
  close(): void {
    this.#closed.abort(new PilotError("connection_failed", "the registry client is closed"));
    this.#drop();
  }

  /** One try on the connection that is there, which may be dead without our knowing, or one on a new connection. */
  async #exchange(
    request: RegistryRequest,
    limits: { signal: AbortSignal; deadline: number },
  ): Promise<RegistryReply> {
    const old = this.#connection;
    if (old !== undefined) {
      try {
        return await this.#tell(old, request, limits.signal);
      } catch (error) {
        if (ONCE_ONLY.has(request.type) || old.heardReply || limits.signal.aborted) throw error;
      }
    }
    const connection = await this.#connect(limits);
    return await this.#tell(connection, request, limits.signal);
  }

  async #tell(
    connection: RegistryConnection,
    request: RegistryRequest,
    signal: AbortSignal,
  ): Promise<RegistryReply> {
    try {
      return await connection.request(request, signal);
    } catch (error) {
      // Replies carry no number: one that came late would be taken for the answer to the next request.
      this.#drop();
      signal.throwIfAborted();
      throw this.#failed(error);
    }
  }

  async #connect(limits: { signal: AbortSignal; deadline: number }): Promise<RegistryConnection> {
    const { signal, deadline } = limits;
    const wait = this.#notBefore - performance.now();
    if (wait > deadline - performance.now()) throw this.#failed(this.#lastFailure);
    if (wait > 0) await pause(wait, signal);
    signal.throwIfAborted();
    try {
      this.#connection = await RegistryConnection.open(this.#options.address, signal, this.#options.tls);
      this.#failures = 0;
      this.#options.log?.debug("connected to the registry", { address: this.#address });
      return this.#connection;
    } catch (error) {
      // The caller giving up says nothing about the registry, running out of time does.
      if (!signal.aborted || performance.now() >= deadline) this.#noteFailure(error);
      signal.throwIfAborted();
      throw this.#failed(error);
    }
  }

  #noteFailure(error: unknown): void {
    this.#lastFailure = reasonOf(error);
    this.#notBefore = performance.now() + (BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)] ?? 0);
    this.#failures++;
    this.#options.log?.debug("cannot connect to the registry", { address: this.#address, error });
  }

  #sign(request: RegistryRequest): RegistryRequest {
    const { identity } = this.#options;
    const text = registryChallenge(request);
    if (identity === undefined || text === undefined) return request;
    return Object.assign({}, request, { signature: signBase64(identity, text) });
  }

  #drop(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  #failed(error: unknown): PilotError {
    if (error instanceof PilotError) return error;
    return new PilotError(
      "connection_failed",
      `no connection to the registry at ${this.#address}: ${reasonOf(error)}`,
      {
        hint: "check that the registry is running and that its address is right",
        cause: error,
      },
    );
  }

  #timedOut(timeoutMs: number): PilotError {
    return new PilotError(
      "timeout",
      `the registry at ${this.#address} did not answer within ${timeoutMs / 1000} s`,
      {
        hint: "check the network, then try again",
      },
    );
  }

  get #address(): string {
    const { host, port } = this.#options.address;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The value of `promise`, or the reason of `signal` if that comes first. */
function until<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: result, resolve, reject } = Promise.withResolvers<T>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  return result;
}
