/** The agent's side of the local socket: programs of this user connect here. */

import { encodeIpcReply } from "../../../lib/wire/ipc.ts";
import type { Log } from "../../../lib/io/log.ts";
import type { AgentApi } from "../api.ts";
import { LocalClient } from "./client.ts";
import type { StreamTable } from "./client_streams.ts";
import { DEFAULT_LIMITS, type LocalLimits } from "./limits.ts";
import { bindSocket } from "./socket_file.ts";

/** How to serve the local socket. */
export interface LocalOptions {
  /** Where the socket lies. */
  readonly path: string;
  readonly log: Pick<Log, "debug" | "info" | "warn">;
  /** Ends the service. */
  readonly signal: AbortSignal;
  /** Other limits than those of a real agent, for tests. */
  readonly limits?: Partial<LocalLimits>;
}

/** A running service. */
export interface LocalService {
  /** Resolves once the socket is closed, its file deleted and every client gone. Never rejects. */
  readonly finished: Promise<void>;
}

/**
 * Serves `api` on a Unix socket of mode 0600 until the signal.
 *
 * @throws PilotError `already_exists` when an agent answers at the path or something else lies there,
 * `connection_failed` when no socket can be made there
 */
export async function serveLocal(api: AgentApi, options: LocalOptions): Promise<LocalService> {
  const bound = await bindSocket(options.path);
  const server = new LocalServer(api, options);
  const stop = () => {
    bound.close();
    server.stop();
  };
  if (options.signal.aborted) stop();
  else options.signal.addEventListener("abort", stop, { once: true });
  options.log.info("local socket open", { path: options.path });
  return { finished: server.accept(bound.listener).finally(stop) };
}

class LocalServer {
  readonly #api: AgentApi;
  readonly #options: LocalOptions;
  readonly #limits: LocalLimits;
  readonly #clients = new Set<LocalClient>();
  readonly #running = new Set<Promise<void>>();
  readonly #table: StreamTable = new Map();
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopped = false;

  constructor(api: AgentApi, options: LocalOptions) {
    this.#api = api;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
  }

  /** Serves clients until the listener is closed, then waits for them. */
  async accept(listener: Deno.UnixListener): Promise<void> {
    const unsubscribe = this.#api.onDatagram((datagram) => {
      if (datagram.data.length === 0 || this.#clients.size === 0) return;
      const message = encodeIpcReply({ kind: "recv_from", ...datagram });
      for (const client of this.#clients) client.deliver(message);
    });
    while (!this.#stopped) {
      try {
        this.#serve(await listener.accept());
      } catch (error) {
        if (this.#stopped || error instanceof Deno.errors.BadResource) break;
        // Typically too many open files: others may go on, and the next attempt waits for one to leave.
        this.#options.log.warn("cannot accept a local client", { error });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    unsubscribe();
    await Promise.all(this.#running);
  }

  /** Closes every client at once. */
  stop(): void {
    this.#stopped = true;
    for (const client of this.#clients) client.abandon();
  }

  #serve(conn: Deno.Conn): void {
    if (this.#stopped || this.#clients.size >= this.#limits.clients) {
      conn.close();
      this.#options.log.debug("local client refused", { clients: this.#clients.size });
      return;
    }
    const { log } = this.#options;
    const client = new LocalClient(conn, { api: this.#api, log, limits: this.#limits, table: this.#table });
    this.#clients.add(client);
    this.#timer ??= setInterval(() => this.#tick(), this.#limits.tickMs);
    const running = client.run().catch((error: unknown) => log.warn("local client failed", { error }))
      .finally(() => {
        this.#clients.delete(client);
        this.#running.delete(running);
        if (this.#clients.size > 0) return;
        clearInterval(this.#timer);
        this.#timer = undefined;
      });
    this.#running.add(running);
  }

  #tick(): void {
    const now = performance.now();
    for (const client of this.#clients) client.tick(now);
  }
}
