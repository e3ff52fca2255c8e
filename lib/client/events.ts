/** What happens in an agent, as it happens. */

import { Command } from "../wire/ipc.ts";
import { AsyncQueue } from "./async_queue.ts";
import { Channel } from "./channel.ts";
import { isUnsupported, tooOld } from "./errors.ts";
import { Fields } from "./fields.ts";
import type { PathMethod } from "./paths.ts";
import type { WaitOptions } from "../io/waiting.ts";
import { PilotError } from "../wire/error.ts";

/** Events kept for a program that does not take them; then the oldest are lost, and a `lost` event says how many. */
const MAX_WAITING = 1024;

/** First event of a subscription; programs do not see it. */
export const SUBSCRIBED = "subscribed";

interface Timed {
  /** Unix milliseconds, by the agent's clock. */
  readonly time: number;
}

interface OfPeer extends Timed {
  readonly node_id: number;
  /** Empty while unknown. */
  readonly hostname: string;
}

/** Something that happened. */
export type ClientEvent =
  /** Traffic with a peer takes another path. `reason` is a code, as in the report of paths. */
  | OfPeer & {
    readonly type: "path";
    readonly path: "direct" | "relay" | "none";
    readonly method: PathMethod;
    readonly endpoint: string;
    readonly rtt_ms: number | null;
    readonly reason: string;
  }
  /** A key was agreed with a peer, for the first time or again, or none could be. */
  | OfPeer & { readonly type: "peer"; readonly state: "connected" | "rekeyed" | "unreachable" }
  /** The beacon was asked to help both sides open their NATs. */
  | OfPeer & { readonly type: "punch" }
  | OfPeer & {
    readonly type: "trust";
    /** Such as `trust.established` or `handshake.received`. */
    readonly event: string;
    readonly via: string;
    /** Text of the peer, untrusted. */
    readonly detail: string;
  }
  /** The world sees this agent at another endpoint, or its NAT is known better. */
  | Timed & { readonly type: "nat"; readonly nat_type: string; readonly endpoint: string }
  | Timed & { readonly type: "beacon"; readonly address: string; readonly reachable: boolean }
  /** How the agent reaches its beacon, `udp` or `wss`. */
  | Timed & { readonly type: "transport"; readonly transport: string }
  /** So many events came faster than they were taken and are gone. */
  | Timed & { readonly type: "lost"; readonly count: number }
  /** An event that this version does not know, as it came. */
  | Timed & { readonly type: "other"; readonly name: string; readonly json: string };

/** Reads an event as the agent sends it. */
export function readEvent(json: string): ClientEvent {
  const fields = Fields.parse(json);
  const time = fields.number("time");
  const peer = { time, node_id: fields.number("node_id"), hostname: fields.text("hostname") };
  const type = fields.text("type");
  switch (type) {
    case "path":
      return {
        ...peer,
        type,
        path: fields.word("path", ["none", "direct", "relay"]),
        method: fields.word("method", ["none", "direct", "hole-punch", "relay"]),
        endpoint: fields.text("endpoint"),
        rtt_ms: fields.numberOrNull("rtt_ms"),
        reason: fields.text("reason"),
      };
    case "peer":
      return { ...peer, type, state: fields.word("state", ["connected", "rekeyed", "unreachable"]) };
    case "punch":
      return { ...peer, type };
    case "trust":
      return {
        ...peer,
        type,
        event: fields.text("event"),
        via: fields.text("via"),
        detail: fields.text("detail"),
      };
    case "nat":
      return { type, time, nat_type: fields.text("nat_type"), endpoint: fields.text("endpoint") };
    case "beacon":
      return { type, time, address: fields.text("address"), reachable: fields.flag("reachable") };
    case "transport":
      return { type, time, transport: fields.text("transport") };
    case "lost":
      return { type, time, count: fields.number("count") };
    default:
      return { type: "other", time, name: type, json };
  }
}

/** Events of an agent from the moment it was asked for them; iterate once. Leaving the loop ends the subscription. */
export class ClientEvents implements AsyncIterable<ClientEvent> {
  /** Resolves when the agent has begun to tell; rejects when it cannot. */
  readonly ready: Promise<void>;
  readonly #queue = new AsyncQueue<ClientEvent>();
  readonly #ending = new AbortController();
  #channel: Channel | undefined;
  #lost = 0;

  /** Subscribes at the agent that listens at `path`, on a socket of its own. */
  constructor(path: string, options: WaitOptions = {}) {
    options.signal?.addEventListener("abort", () => this.close(), {
      once: true,
      signal: this.#ending.signal,
    });
    this.ready = this.#open(path, options);
    this.ready.catch((error: PilotError) => this.#queue.end(error));
  }

  /** Ends the subscription: the loop ends after what has arrived. */
  close(): void {
    this.#ending.abort();
    this.#queue.end();
    this.#channel?.close();
  }

  /** All events, in order. Fails with a PilotError when the agent goes away, or does not know events. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ClientEvent> {
    try {
      for (let event = await this.#queue.next(); event !== null; event = await this.#queue.next()) {
        if (this.#lost > 0) yield { type: "lost", time: event.time, count: this.#takeLost() };
        yield event;
      }
    } finally {
      this.close();
    }
  }

  async #open(path: string, options: WaitOptions): Promise<void> {
    const signals = [this.#ending.signal, ...(options.signal == null ? [] : [options.signal])];
    const limits = { ...options, signal: AbortSignal.any(signals) };
    const channel = await Channel.open(path, {
      ...limits,
      events: {
        event: (json) => this.#take(json),
        lost: (error) => this.#queue.end(error.code === "invalid_state" ? undefined : error),
      },
    });
    this.#channel = channel;
    try {
      await channel.call({ kind: "subscribe" }, {
        ...limits,
        what: "events",
        reply: (reply) => reply.kind === "json" && reply.command === Command.EVENT ? true : undefined,
      });
    } catch (error) {
      const reason = isUnsupported(error) ? tooOld(error) : error;
      if (reason instanceof PilotError) this.#queue.end(reason);
      channel.close();
      throw reason;
    }
  }

  #take(json: string): void {
    const event = readEvent(json);
    if (event.type === "other" && event.name === SUBSCRIBED) return;
    if (this.#queue.weight >= MAX_WAITING && this.#queue.take() !== undefined) this.#lost++;
    this.#queue.push(event);
  }

  #takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }
}
