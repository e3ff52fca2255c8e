/**
 * All streams and listeners of the node: who dials, who accepts, and which event is whose.
 */

import type { CloseReason } from "../../lib/core/stream/state.ts";
import type { PortsEvent } from "../../lib/core/stream/ports.ts";
import { pause } from "../../lib/io/pause.ts";
import type { Address } from "../../lib/wire/address.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { AgentListener, AgentStream } from "./api.ts";
import type { NodeAccess } from "./node_access.ts";
import { OpenStream } from "./open_stream.ts";

/** Inbound streams that may wait for their listener to take them; a further one is reset. */
const BACKLOG = 64;
/** How long the orderly end of all streams may take when the agent stops, milliseconds. */
const STOP_WAIT_MS = 1_000;

class Listener implements AgentListener {
  readonly port: number;
  readonly #release: () => void;
  readonly #waiting: AgentStream[] = [];
  #takers: ((stream: AgentStream | null) => void)[] = [];
  #isClosed = false;

  constructor(port: number, release: () => void) {
    this.port = port;
    this.#release = release;
  }

  accept(): Promise<AgentStream | null> {
    const stream = this.#waiting.shift();
    if (stream !== undefined) return Promise.resolve(stream);
    if (this.#isClosed) return Promise.resolve(null);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
    for (const stream of this.#waiting.splice(0)) stream.abort();
    for (const taker of this.#takers.splice(0)) taker(null);
  }

  offer(stream: AgentStream): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) taker(stream);
    else if (this.#isClosed || this.#waiting.length >= BACKLOG) stream.abort();
    else this.#waiting.push(stream);
  }
}

interface Dial {
  readonly settle: (outcome: AgentStream | PilotError) => void;
}

/** All streams and listeners of an agent. */
export class Streams {
  readonly #access: NodeAccess;
  readonly #streams = new Map<number, OpenStream>();
  readonly #listeners = new Map<number, Listener>();
  readonly #dials = new Map<number, Dial>();

  constructor(access: NodeAccess) {
    this.#access = access;
  }

  /** Number of streams that are open or being opened. */
  get count(): number {
    return this.#streams.size;
  }

  get(id: number): AgentStream | undefined {
    return this.#streams.get(id);
  }

  /** @throws PilotError as `AgentApi.dial` says */
  async dial(remote: Address, port: number, options: { readonly signal: AbortSignal }): Promise<AgentStream> {
    const { signal } = options;
    if (signal.aborted) throw aborted();
    const { promise, resolve } = Promise.withResolvers<AgentStream | PilotError>();
    // The number is only known after `connect`, but events may come within it.
    const id = this.#access.act((node, now) => {
      const id = node.connect(remote, port, now);
      this.#dials.set(id, { settle: resolve });
      return id;
    });
    const localPort = this.#access.node.ports.get(id)?.local_port ?? 0;
    this.#streams.set(id, new OpenStream(this.#access, { id, localPort, remote, remotePort: port }));
    const cancel = () => {
      resolve(aborted());
      this.#access.act((node, now) => node.ports.abort(id, now));
    };
    signal.addEventListener("abort", cancel);
    const outcome = await promise;
    signal.removeEventListener("abort", cancel);
    this.#dials.delete(id);
    if (!(outcome instanceof PilotError)) return outcome;
    this.#streams.delete(id);
    throw outcome;
  }

  /** @throws PilotError `already_exists` */
  listen(port: number): AgentListener {
    if (!this.#access.act((node) => node.ports.listen(port))) {
      throw new PilotError("already_exists", `port ${port} already bound`, {
        hint: "another program or a built-in service listens there",
      });
    }
    const listener = new Listener(port, () => {
      this.#listeners.delete(port);
      this.#access.act((node) => node.ports.unlisten(port));
    });
    this.#listeners.set(port, listener);
    return listener;
  }

  /** A dial came to nothing before its stream had an answer. */
  failDial(id: number, error: PilotError): void {
    this.#dials.get(id)?.settle(error);
  }

  handle(event: PortsEvent): void {
    if (event.type === "accepted") return this.#accept(event);
    const stream = this.#streams.get(event.id);
    stream?.handle(event);
    const dial = this.#dials.get(event.id);
    if (dial !== undefined && event.type === "connected" && stream !== undefined) dial.settle(stream);
    if (event.type !== "closed") return;
    dial?.settle(dialError(event.reason));
    this.#streams.delete(event.id);
  }

  /** Ends everything: listeners close, streams end in order within a bounded time, and else at once. */
  async close(): Promise<void> {
    for (const listener of [...this.#listeners.values()]) listener.close();
    for (const dial of [...this.#dials.values()]) dial.settle(aborted());
    const streams = [...this.#streams.values()];
    const patience = new AbortController();
    const ended = Promise.all(streams.map((stream) => stream.close())).then(() => patience.abort());
    await pause(STOP_WAIT_MS, patience.signal);
    for (const stream of streams) stream.abort();
    await ended;
  }

  #accept(event: Extract<PortsEvent, { type: "accepted" }>): void {
    const stream = new OpenStream(this.#access, {
      id: event.id,
      localPort: event.port,
      remote: event.remote,
      remotePort: event.remotePort,
    });
    const listener = this.#listeners.get(event.port);
    if (listener === undefined) return this.#access.act((node, now) => node.ports.abort(event.id, now));
    this.#streams.set(event.id, stream);
    this.#access.act((node) => node.ports.take(event.id));
    listener.offer(stream);
  }
}

function dialError(reason: CloseReason): PilotError {
  if (reason === "timeout" || reason === "unreachable" || reason === "idle") {
    return new PilotError("timeout", "dial timeout", {
      hint: "the peer is offline, out of reach, or does not trust this agent",
    });
  }
  return new PilotError("connection_failed", reason === "aborted" ? "dial cancelled" : "connection refused", {
    hint: "nothing listens on that port of the peer",
  });
}

function aborted(): PilotError {
  return new PilotError("connection_failed", "dial cancelled");
}
