/** The agent on this machine, as a program sees it. */

import { type Address, formatAddress, parseAddress } from "../wire/address.ts";
import { PilotError } from "../wire/error.ts";
import { Command, type IpcReply, type IpcRequest } from "../wire/ipc.ts";
import { Channel } from "./channel.ts";
import { type ClientDatagram, DatagramHub } from "./datagrams.ts";
import { Dialler } from "./dial.ts";
import { type ClientDoctor, readDoctor } from "./doctor.ts";
import { isUnsupported, tooOld } from "./errors.ts";
import { ClientEvents } from "./events.ts";
import { Fields } from "./fields.ts";
import { type ClientInfo, readInfo } from "./info.ts";
import { ClientListener } from "./listener.ts";
import { type ClientPaths, readPaths } from "./paths.ts";
import { peerLiteral, type ResolvedHostname, type ResolvedPeer } from "./resolve.ts";
import { socketPath } from "../io/local_socket.ts";
import { MemoryTrimmer } from "../io/memory_trim.ts";
import { pause } from "../io/pause.ts";
import type { ClientStream } from "./stream.ts";
import { type ClientTrace, readTrace } from "./trace.ts";
import {
  type ClientPendingRequest,
  type ClientTrustAnswer,
  type ClientTrustedPeer,
  type ClientTrustOutcome,
  readAnswer,
  readOutcome,
  readPending,
  readTrusted,
} from "./trust.ts";
import { limited, type WaitOptions } from "../io/waiting.ts";

export { DEFAULT_SOCKET_PATH } from "../io/local_socket.ts";

/** Milliseconds for calls that may ask the registry. */
const CALL_MS = 30_000;

/** Milliseconds for calls that may have to reach a peer: longer than any agent tries. */
const REACH_MS = 60_000;

/** Longest wait for trust that one request may ask for, in milliseconds. */
const MAX_TRUST_WAIT = 30_000;

/** How to reach the agent. */
export interface ConnectOptions extends WaitOptions {
  /** Path of its socket; by default `PILOT_SOCKET`, then `/tmp/pilot.sock`. */
  readonly socket?: string | undefined;
}

/**
 * A connection to the agent of this machine. Short calls share one socket; every stream that is dialled, every
 * listener and every call that may take long has its own, so none waits for another. All methods throw
 * `PilotError`s; calls give up after a time of their own unless told otherwise.
 *
 * @example
 * ```ts ignore
 * import { AgentClient } from "@pilot/pilot";
 *
 * await using agent = await AgentClient.connect();
 * await using stream = await agent.dial("alpha", 7);
 * await stream.write(new TextEncoder().encode("hello"));
 * console.log(await stream.read({ timeoutMs: 5000 }));
 * ```
 */
export class AgentClient implements AsyncDisposable {
  readonly #path: string;
  readonly #control: Channel;
  readonly #datagrams: DatagramHub;
  readonly #memory = new MemoryTrimmer({ unref: true });
  readonly #dialler: Dialler;
  #confirms = true;

  private constructor(path: string, control: Channel, datagrams: DatagramHub) {
    this.#path = path;
    this.#dialler = new Dialler(path, this.#memory);
    this.#control = control;
    this.#datagrams = datagrams;
  }

  /**
   * Connects to the agent.
   *
   * @throws PilotError `not_running` when there is none
   */
  static async connect(options: ConnectOptions = {}): Promise<AgentClient> {
    const path = socketPath(options.socket);
    const hub = new DatagramHub();
    const control = await Channel.open(path, {
      ...options,
      datagrams: true,
      events: {
        datagram: (datagram) => hub.publish(datagram),
        lost: (error) => hub.end(error.code === "invalid_state" ? undefined : error),
      },
    });
    return new AgentClient(path, control, hub);
  }

  /** The agent's state. */
  async info(options: WaitOptions = {}): Promise<ClientInfo> {
    return readInfo(await this.#json({ kind: "info" }, Command.INFO_OK, options));
  }

  /** Whether the agent works, from its own knowledge only. Older agents report their state instead. */
  async health(options: WaitOptions = {}): Promise<{ readonly status: string; readonly node_id: number }> {
    try {
      const health = await this.#json({ kind: "health" }, Command.HEALTH_OK, options);
      return { status: health.text("status") || "ok", node_id: health.number("node_id") };
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      return { status: "ok", node_id: (await this.info(options)).node_id };
    }
  }

  /** Finds a node by hostname. @throws PilotError `not_found` */
  async resolveHostname(hostname: string, options: WaitOptions = {}): Promise<ResolvedHostname> {
    const reply = await this.#json(
      { kind: "resolve_hostname", hostname },
      Command.RESOLVE_HOSTNAME_OK,
      options,
    );
    return {
      node_id: reply.number("node_id"),
      address: reply.text("address"),
      hostname: reply.text("hostname") || hostname,
      public: reply.flag("public"),
    };
  }

  /**
   * Finds a node by address (`0:0000.0000.002A`), node number (`42`) or hostname; only the last asks the registry.
   *
   * @throws PilotError `not_found`, `invalid_argument`
   */
  async resolvePeer(text: string, options: WaitOptions = {}): Promise<ResolvedPeer> {
    const literal = peerLiteral(text);
    if (literal !== undefined) return { address: literal, node: literal.node, name: formatAddress(literal) };
    if (text === "") throw new PilotError("invalid_argument", "no peer given");
    const found = await this.resolveHostname(text, options);
    const address = parseAddress(found.address) ?? { network: 0, node: found.node_id };
    return { address, node: address.node, name: found.hostname };
  }

  /** Asks a node for trust. */
  async handshake(node: number, justification = "", options: WaitOptions = {}): Promise<ClientTrustOutcome> {
    return readOutcome(await this.#slow({ kind: "handshake_send", node, justification }, options));
  }

  /** Grants the request of a node. */
  async approve(node: number, options: WaitOptions = {}): Promise<ClientTrustAnswer> {
    return readAnswer(await this.#slow({ kind: "handshake_approve", node }, options));
  }

  /** Refuses the request of a node. */
  async reject(node: number, reason = "", options: WaitOptions = {}): Promise<ClientTrustAnswer> {
    return readAnswer(await this.#slow({ kind: "handshake_reject", node, reason }, options));
  }

  /** Takes trust back. @throws PilotError `not_found` when the node was not trusted */
  async revoke(node: number, options: WaitOptions = {}): Promise<void> {
    await this.#slow({ kind: "handshake_revoke", node }, options);
  }

  /** Requests that wait for `approve` or `reject`. */
  async pending(options: WaitOptions = {}): Promise<ClientPendingRequest[]> {
    return readPending(await this.#json({ kind: "handshake_pending" }, Command.HANDSHAKE_OK, options));
  }

  /** Trusted peers. */
  async trusted(options: WaitOptions = {}): Promise<ClientTrustedPeer[]> {
    return readTrusted(await this.#json({ kind: "handshake_trusted" }, Command.HANDSHAKE_OK, options));
  }

  /** Waits until a node is trusted, at most `milliseconds`. Resolves with whether it is. */
  async waitForTrust(
    node: number,
    milliseconds: number,
    options: { signal?: AbortSignal } = {},
  ): Promise<boolean> {
    const end = performance.now() + milliseconds;
    for (;;) {
      const left = Math.max(0, Math.min(MAX_TRUST_WAIT, Math.ceil(end - performance.now())));
      if (await this.#trustWithin(node, left, options)) return true;
      if (performance.now() >= end) return false;
    }
  }

  /**
   * Opens a stream to a port of a peer, given by address, number or hostname. An abort or time limit also ends the
   * attempt inside the agent.
   *
   * @throws PilotError `connection_failed` (nothing listens there), `timeout`, `not_found`, `not_trusted`
   */
  async dial(peer: Address | string, port: number, options: WaitOptions = {}): Promise<ClientStream> {
    return await limited("dial", { timeoutMs: REACH_MS, ...options }, async (signal) => {
      const address = typeof peer === "string" ? (await this.resolvePeer(peer, { signal })).address : peer;
      return await this.#dialler.dial({ address, port }, { signal });
    });
  }

  /** Accepts streams on a port. @throws PilotError `already_exists` when it is taken */
  async listen(port: number, options: WaitOptions = {}): Promise<ClientListener> {
    return await ClientListener.open(this.#path, port, {
      timeoutMs: CALL_MS,
      ...options,
      memory: this.#memory,
    });
  }

  /**
   * Sends one unreliable message, and resolves when the agent has handed it to the network, if it can tell.
   *
   * @throws PilotError `too_large`, `not_found`, `not_trusted`
   */
  async sendTo(
    peer: Address | string,
    port: number,
    data: Uint8Array,
    options: WaitOptions = {},
  ): Promise<void> {
    const address = typeof peer === "string" ? (await this.resolvePeer(peer, options)).address : peer;
    if (this.#confirms) {
      try {
        await this.#call({ kind: "sendto_confirm", address, port, data }, {
          ...options,
          reply: (reply) => reply.kind === "sendto_ok" ? true : undefined,
        });
        return;
      } catch (error) {
        if (!isUnsupported(error)) throw error;
        this.#confirms = false;
      }
    }
    this.#control.postRequest({ kind: "sendto", address, port, data });
  }

  /** Datagrams that arrive from now on, for all ports, until the loop is left or the client closed. */
  datagrams(): AsyncGenerator<ClientDatagram> {
    return this.#datagrams.subscribe();
  }

  /**
   * What happens in the agent from now on: paths that change, peers, trust, the NAT, the beacon. The subscription
   * begins at once and ends when the loop is left; `ready` tells when it has begun.
   *
   * @throws PilotError from the loop: `unavailable` when the agent is too old to tell
   */
  events(options: WaitOptions = {}): ClientEvents {
    return new ClientEvents(this.#path, options);
  }

  /** How the ways to all peers stand, or to one. @throws PilotError `unavailable` when the agent is too old to tell */
  async paths(node?: number, options: WaitOptions = {}): Promise<ClientPaths> {
    const request = { kind: "paths", ...(node === undefined ? {} : { node }) } as const;
    return readPaths(await this.#recent(() => this.#json(request, Command.PATHS_OK, options)));
  }

  /** Checks the agent and its network; takes a few seconds. @throws PilotError `unavailable` as `paths` */
  async doctor(options: WaitOptions = {}): Promise<ClientDoctor> {
    const call = () => this.#slow({ kind: "doctor" }, options, Command.DOCTOR_OK);
    return readDoctor(await this.#recent(call));
  }

  /**
   * Measures every path to a peer that there is a tunnel to, `rounds` times (5 by default).
   *
   * @throws PilotError `not_found` without a tunnel, `unavailable` as `paths`
   */
  async trace(
    node: number,
    options: WaitOptions & { readonly rounds?: number } = {},
  ): Promise<ClientTrace> {
    const { rounds, ...limits } = options;
    const request = { kind: "trace", node, ...(rounds === undefined ? {} : { rounds }) } as const;
    const call = () => this.#slow(request, limits, Command.TRACE_OK);
    return readTrace(await this.#recent(call));
  }

  /** Gives this node a hostname; an empty one takes it away. @throws PilotError */
  async setHostname(hostname: string, options: WaitOptions = {}): Promise<{ readonly hostname: string }> {
    const reply = await this.#json({ kind: "set_hostname", hostname }, Command.SET_HOSTNAME_OK, options);
    return { hostname: reply.text("hostname") };
  }

  /** Lets everybody find and reach this node, or only trusted peers. */
  async setVisibility(isPublic: boolean, options: WaitOptions = {}): Promise<void> {
    await this.#json({ kind: "set_visibility", public: isPublic }, Command.SET_VISIBILITY_OK, options);
  }

  /** Replaces the tags of this node, at most three. */
  async setTags(
    tags: readonly string[],
    options: WaitOptions = {},
  ): Promise<{ readonly tags: readonly string[] }> {
    const reply = await this.#json({ kind: "set_tags", tags }, Command.SET_TAGS_OK, options);
    return { tags: reply.texts("tags") };
  }

  /** Says whether this node takes tasks. */
  async setTaskExec(enabled: boolean, options: WaitOptions = {}): Promise<void> {
    await this.#json({ kind: "set_task_exec", enabled }, Command.SET_TASK_EXEC_OK, options);
  }

  /** Sends the agent's events to an URL; an empty one ends that. @throws PilotError `unavailable` */
  async setWebhook(url: string, options: WaitOptions = {}): Promise<void> {
    await this.#json({ kind: "set_webhook", url }, Command.SET_WEBHOOK_OK, options);
  }

  /** Removes this node from the registry. */
  async deregister(options: WaitOptions = {}): Promise<void> {
    await this.#json({ kind: "deregister" }, Command.DEREGISTER_OK, options);
  }

  /** Closes any stream of the agent by its number, whoever opened it. */
  async disconnect(connection: number, options: WaitOptions = {}): Promise<void> {
    await this.#call({ kind: "close", connection }, {
      ...options,
      what: "disconnect",
      reply: (reply) => reply.kind === "close_ok" && reply.connection === connection ? true : undefined,
    });
  }

  /** Closes the connection to the agent. Streams and listeners stay open: they have sockets of their own. */
  close(): void {
    this.#memory.stop();
    this.#control.close();
    void this.#dialler.close();
  }

  /** Closes the connection at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return this.#dialler.close();
  }

  #call<T>(
    request: IpcRequest,
    options: WaitOptions & { what?: string; reply: (reply: IpcReply) => T | undefined },
  ): Promise<T> {
    return this.#control.call(request, { timeoutMs: CALL_MS, ...options });
  }

  #json(request: IpcRequest, command: number, options: WaitOptions): Promise<Fields> {
    return this.#call(request, { ...options, reply: (reply) => fieldsOf(reply, command) });
  }

  /** A call that agents of other makes, and older ones, do not know. */
  async #recent<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw isUnsupported(error) ? tooOld(error) : error;
    }
  }

  /** A call over a socket of its own: it may take long, or have to reach a peer first. */
  async #slow(
    request: IpcRequest,
    options: WaitOptions,
    reply: number = Command.HANDSHAKE_OK,
  ): Promise<Fields> {
    return await limited(
      request.kind.replace("_", " "),
      { timeoutMs: REACH_MS, ...options },
      async (signal) => {
        const channel = await Channel.open(this.#path, { signal });
        try {
          return await channel.call(request, {
            signal,
            reply: (answer) => fieldsOf(answer, reply),
          });
        } finally {
          channel.close();
        }
      },
    );
  }

  async #trustWithin(
    node: number,
    milliseconds: number,
    options: { signal?: AbortSignal },
  ): Promise<boolean> {
    try {
      const limits = { ...options, timeoutMs: milliseconds + 10_000 };
      const reply = await this.#slow({ kind: "handshake_wait", node, milliseconds }, limits);
      if (reply.has("trusted")) return reply.flag("trusted");
      // Other makes of agent may word the answer differently; the list of peers is the same everywhere.
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      await pause(Math.min(500, milliseconds), options.signal);
      options.signal?.throwIfAborted();
    }
    return (await this.trusted(options)).some((peer) => peer.node_id === node);
  }
}

function fieldsOf(reply: IpcReply, command: number): Fields | undefined {
  return reply.kind === "json" && reply.command === command ? Fields.parse(reply.text) : undefined;
}
