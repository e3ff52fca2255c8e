/** The registry as a TCP server. */

import { formatEndpoint, ipFromBytes, ipToBytes, splitHostPort } from "../../lib/wire/endpoint.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { RegistryReply } from "../../lib/wire/registry.ts";
import { sourceOf } from "../../lib/registry/budgets.ts";
import { Directory } from "../../lib/registry/directory.ts";
import type { Policy } from "../../lib/registry/policy.ts";
import { refuse } from "../../lib/registry/refusal.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import type { Log } from "../../lib/io/log.ts";
import { pause } from "../../lib/io/pause.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import { Parking } from "./parking.ts";
import { SqliteStore } from "./store/sqlite.ts";
import { makeVerify } from "./verify.ts";

/** What a server puts up with. */
export interface ServerLimits {
  /** Connections in all, and from one source (an IPv4 address or an IPv6 /64). */
  readonly connections: number;
  readonly connectionsPerSource: number;
  /** Milliseconds for a whole frame to come in, idle time included. */
  readonly readDeadlineMs: number;
  /** Milliseconds for a client to take a reply. */
  readonly writeDeadlineMs: number;
  /** Bytes of unfinished messages in all; beyond that, whoever holds much of it is closed. */
  readonly heldBytes: number;
}

const DEFAULT_LIMITS: ServerLimits = {
  connections: 10_000,
  connectionsPerSource: 2_048,
  readDeadlineMs: 300_000,
  writeDeadlineMs: 30_000,
  heldBytes: 64 * 1024 * 1024,
};

/** Unfinished bytes that any connection may hold, however short memory is: real requests are smaller. */
const SMALL_MESSAGE_BYTES = 16 * 1024;
const MAINTAIN_EVERY_MS = 30_000;
const SWEEP_EVERY_MS = 1_000;

/** How to serve a registry. */
export interface RegistryServerOptions {
  /** `HOST:PORT` or `:PORT` (all addresses); port 0 lets the system choose. */
  readonly listen: string;
  /** Path of the database, created when missing. */
  readonly store: string;
  readonly log: Log;
  /** Ends the server in order. */
  readonly signal: AbortSignal;
  readonly policy?: Partial<Policy>;
  readonly limits?: Partial<ServerLimits>;
}

/** A registry that accepts clients. */
export interface RegistryServer {
  /** The IP address bound. */
  readonly address: string;
  readonly port: number;
  /** Resolves when the server has stopped and its store is closed. */
  readonly finished: Promise<void>;
}

/**
 * Starts a registry. Resolves when clients can connect.
 *
 * @throws PilotError `invalid_argument` for a malformed address, `already_exists` for a port or a store in use,
 * `corrupt_file` for a store that cannot be read
 */
export function serveRegistry(options: RegistryServerOptions): Promise<RegistryServer> {
  return new Promise((resolve) => resolve(start(options)));
}

function start(options: RegistryServerOptions): RegistryServer {
  const listener = listen(options.listen);
  let store: SqliteStore;
  try {
    store = SqliteStore.open(options.store);
  } catch (error) {
    listener.close();
    throw error;
  }
  const server = new Server(listener, store, options);
  const { hostname, port } = listener.addr;
  return { address: canonical(hostname), port, finished: server.run() };
}

class Server {
  readonly #listener: Deno.TcpListener;
  readonly #store: SqliteStore;
  readonly #options: RegistryServerOptions;
  readonly #limits: ServerLimits;
  readonly #clock = new SystemClock();
  readonly #directory: Directory;
  readonly #parking = new Parking();
  /** Each connection with the bytes it holds. */
  readonly #connections = new Map<Connection, number>();
  readonly #perSource = new Map<string, number>();
  readonly #host: ConnectionHost;
  #heldBytes = 0;

  constructor(listener: Deno.TcpListener, store: SqliteStore, options: RegistryServerOptions) {
    this.#listener = listener;
    this.#store = store;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#directory = new Directory({
      store,
      verify: makeVerify(),
      startedAt: this.#clock.unixMs(),
      ...(options.policy && { policy: options.policy }),
    });
    this.#host = {
      now: () => this.#clock.now(),
      answer: (json, from) =>
        this.#guard(from, () => this.#directory.answer(json, from, this.#clock.unixMs())),
      resume: (parked, from) =>
        this.#guard(from, () => this.#directory.handle(parked.request, from, this.#clock.unixMs())),
      wait: (parked, gone) => {
        const signal = AbortSignal.any([gone, options.signal]);
        const milliseconds = Math.max(0, parked.until - this.#clock.unixMs());
        return this.#parking.wait(parked.node, { milliseconds, signal });
      },
      hold: (connection, bytes) => this.#hold(connection, bytes),
      readDeadlineMs: this.#limits.readDeadlineMs,
      writeDeadlineMs: this.#limits.writeDeadlineMs,
    };
  }

  /** Accepts until the signal, then closes everything. */
  async run(): Promise<void> {
    const { signal, log } = this.#options;
    const maintenance = setInterval(() => this.#maintain(), MAINTAIN_EVERY_MS);
    const sweep = setInterval(() => this.#closeLate(), Math.min(SWEEP_EVERY_MS, this.#limits.readDeadlineMs));
    const stop = () => this.#listener.close();
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    const running = new Set<Promise<void>>();
    try {
      for (let failures = 0; !signal.aborted;) {
        try {
          const socket = await this.#listener.accept();
          failures = 0;
          const client = this.#serve(socket).catch((error) => log.debug("connection failed", { error }))
            .finally(() => running.delete(client));
          running.add(client);
        } catch (error) {
          if (signal.aborted) break;
          failures++;
          log.warn("cannot accept a connection", { error, failures });
          await pause(Math.min(2_000, 100 * failures), signal);
        }
      }
    } finally {
      clearInterval(maintenance);
      clearInterval(sweep);
      for (const connection of this.#connections.keys()) connection.close();
      await Promise.allSettled(running);
      this.#store.close();
      log.info("registry stopped", { ...this.#directory.stats });
    }
  }

  async #serve(socket: Deno.TcpConn): Promise<void> {
    socket.setNoDelay(true);
    const { hostname, port } = socket.remoteAddr;
    const from = { host: canonical(hostname), port };
    const source = sourceOf(from.host);
    const siblings = this.#perSource.get(source) ?? 0;
    if (this.#connections.size >= this.#limits.connections || siblings >= this.#limits.connectionsPerSource) {
      this.#options.log.debug("too many connections", { from: formatEndpoint(from) });
      socket.close();
      return;
    }
    const connection = new Connection(socket, from, this.#host);
    this.#connections.set(connection, 0);
    this.#perSource.set(source, siblings + 1);
    await connection.run();
    this.#connections.delete(connection);
    const left = (this.#perSource.get(source) ?? 1) - 1;
    if (left === 0) this.#perSource.delete(source);
    else this.#perSource.set(source, left);
  }

  /** A fault of ours, such as a full disk, is the answer to one request and the end of nothing. */
  #guard<Reply>(from: Endpoint, body: () => Reply): Reply | RegistryReply {
    const { log } = this.#options;
    try {
      const reply = body();
      this.#parking.wake(this.#directory.takeArrivals());
      if (log.enabled("debug")) logRefusal(log, from, reply);
      return reply;
    } catch (error) {
      log.error("a request failed inside the registry", { from: formatEndpoint(from), error });
      return refuse("internal", "the registry cannot do this now", { retryAfterMs: 5_000 });
    }
  }

  #hold(connection: Connection, bytes: number): boolean {
    const before = this.#connections.get(connection);
    if (before === undefined) return false;
    this.#connections.set(connection, bytes);
    this.#heldBytes += bytes - before;
    return bytes <= SMALL_MESSAGE_BYTES || this.#heldBytes <= this.#limits.heldBytes;
  }

  #closeLate(): void {
    const now = this.#clock.now();
    for (const connection of this.#connections.keys()) if (connection.deadline <= now) connection.close();
  }

  #maintain(): void {
    try {
      this.#directory.maintain(this.#clock.unixMs());
    } catch (error) {
      this.#options.log.error("maintenance of the registry failed", { error });
    }
  }
}

function logRefusal(log: Log, from: Endpoint, reply: unknown): void {
  if (typeof reply === "object" && reply !== null && "error" in reply) {
    log.debug("refused", { from: formatEndpoint(from), reason: reply.error });
  }
}

/** Listens on one address; without a host on all, IPv6 included where there is any. */
function listen(text: string): Deno.TcpListener {
  const parts = splitHostPort(text);
  if (parts === undefined) {
    throw new PilotError("invalid_argument", `cannot listen on "${text}"`, {
      hint: "give HOST:PORT, for example 127.0.0.1:9000 or :9000",
    });
  }
  const { host, port } = parts;
  if (host !== "") return bind(host, port);
  try {
    return bind("::", port);
  } catch (error) {
    if (error instanceof PilotError && error.code === "already_exists") throw error;
    return bind("0.0.0.0", port);
  }
}

function bind(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new PilotError("already_exists", `port ${port} is in use`, {
        hint: "stop the program that uses it, or choose another port with --listen",
        cause: error,
      });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new PilotError(
      "invalid_argument",
      `cannot listen on ${formatEndpoint({ host: hostname, port })}: ${reason}`,
      {
        hint: "listen on an address of this computer, or on :PORT for all of them",
        cause: error,
      },
    );
  }
}

/** An address as the system gives it in the one form used here: no zone, IPv4-mapped IPv6 as IPv4. */
function canonical(hostname: string): string {
  const bytes = ipToBytes(hostname.split("%")[0] ?? hostname);
  return bytes === undefined ? hostname : ipFromBytes(bytes);
}
