/**
 * The registry without sockets and clock: a request and its source go in, the reply comes out.
 *
 * A poll that may wait is the one exception. `answer` gives a `Parked` for it; the caller then waits until the node
 * turns up in `takeArrivals` or the time is over, and calls `handle`, which always replies at once.
 */

import { verify } from "../crypto/identity.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { parseRegistryRequest, type RegistryReply, type RegistryRequest } from "../wire/registry.ts";
import { Beacons } from "./beacons.ts";
import { Budgets } from "./budgets.ts";
import {
  pollHandshakes,
  reportTrust,
  requestHandshake,
  respondHandshake,
  revokeTrust,
} from "./handshakes.ts";
import { Inbox } from "./inbox.ts";
import { Names } from "./names.ts";
import { DEFAULT_POLICY, type Policy } from "./policy.ts";
import { changeScore, getScore, setHostname, setTags, setTaskExec, setVisibility } from "./profile.ts";
import { listNetworks, listNodes, lookup, punch, resolve, resolveHostname } from "./questions.ts";
import { refuse, refuseForRate } from "./refusal.ts";
import { Registration } from "./registration.ts";
import { Relations } from "./relations.ts";
import type { Call, State, Verify } from "./state.ts";
import type { Store } from "./store.ts";

/** A poll whose reply can wait for a message to `node`, at the latest until `until`, Unix milliseconds. */
export interface Parked {
  readonly type: "parked";
  readonly node: number;
  readonly until: number;
  /** To be handled again when the waiting ends. */
  readonly request: RegistryRequest;
}

/** How to make a `Directory`. */
export interface DirectoryOptions {
  readonly store: Store;
  readonly policy?: Partial<Policy>;
  /** A faster check of signatures, if the host has one. */
  readonly verify?: Verify;
  /** Unix milliseconds: nobody is reaped for silence before this moment. 0 when absent. */
  readonly startedAt?: number;
}

/** Counters since the start. */
export interface DirectoryStats {
  requests: number;
  refusals: number;
  reaped: number;
}

/** A registry. Every request either happens as a whole, durably, or is refused. */
export class Directory {
  readonly stats: DirectoryStats = { requests: 0, refusals: 0, reaped: 0 };
  readonly #state: State;
  readonly #registration: Registration;
  readonly #startedAt: number;

  constructor(options: DirectoryOptions) {
    const { store } = options;
    const policy = { ...DEFAULT_POLICY, ...options.policy };
    this.#state = {
      store,
      policy,
      names: new Names(store, policy),
      relations: new Relations(store, policy),
      inbox: new Inbox(store, policy),
      beacons: new Beacons(policy),
      budgets: new Budgets(policy),
      verify: options.verify ?? verify,
    };
    this.#registration = new Registration(this.#state);
    this.#startedAt = options.startedAt ?? 0;
  }

  /**
   * The reply to a decoded JSON message, or the news that it can wait. `from` is the source of the TCP connection,
   * canonical. @throws whatever the store throws; nothing of the request has happened then.
   */
  answer(json: unknown, from: Endpoint, now: number): RegistryReply | Parked {
    // Older registries take a bare null for an empty object.
    const request = parseRegistryRequest(json ?? {});
    if ("invalid" in request) {
      this.stats.requests++;
      const unknown = request.invalid === "unknown type" || request.invalid === "type is missing";
      return this.#count(
        this.#overBudget(from, now) ?? refuse(unknown ? "unknown_type" : "invalid", request.invalid),
      );
    }
    const reply = this.handle(request, from, now);
    const wait = request.type === "poll_handshakes" ? request.wait_ms ?? 0 : 0;
    if (wait === 0 || reply.type !== "poll_handshakes_ok") return reply;
    if (reply.requests.length + reply.responses.length > 0) return reply;
    const until = now + Math.min(wait, this.#state.policy.maxWaitMs);
    return { type: "parked", node: request.type === "poll_handshakes" ? request.node_id : 0, until, request };
  }

  /** The reply to a request, at once. @throws as `answer` */
  handle(request: RegistryRequest, from: Endpoint, now: number): RegistryReply {
    this.stats.requests++;
    const reply = this.#overBudget(from, now) ??
      this.#state.store.transaction(() => this.#dispatch(request, { from, now }));
    return this.#count(reply);
  }

  /** Nodes for which a handshake message came in since the last call. */
  takeArrivals(): readonly number[] {
    return this.#state.inbox.takeArrivals();
  }

  /** Forgets what is over: silent nodes, old messages, beacons. Once a minute is enough. */
  maintain(now: number): void {
    this.#state.beacons.expire(now);
    this.#state.store.transaction(() => {
      this.stats.reaped += this.#registration.reap(now, this.#startedAt);
      this.#state.inbox.expire(now);
    });
  }

  #dispatch(request: RegistryRequest, call: Call): RegistryReply {
    const state = this.#state;
    switch (request.type) {
      case "register":
        return this.#registration.register(request, call);
      case "rotate_key":
        return this.#registration.rotateKey(request, call);
      case "heartbeat":
        return this.#registration.heartbeat(request, call);
      case "deregister":
        return this.#registration.deregister(request, call);
      case "lookup":
        return this.#asStranger(call) ?? lookup(state, request.node_id);
      case "resolve":
        return resolve(state, request);
      case "resolve_hostname":
        return this.#asStranger(call) ?? resolveHostname(state, request.hostname);
      case "set_hostname":
        return setHostname(state, request, call);
      case "set_visibility":
        return setVisibility(state, request);
      case "set_tags":
        return setTags(state, request);
      case "set_task_exec":
        return setTaskExec(state, request);
      case "report_trust":
        return reportTrust(state, request, call);
      case "revoke_trust":
        return revokeTrust(state, request, call);
      case "request_handshake":
        return requestHandshake(state, request, call);
      case "poll_handshakes":
        return pollHandshakes(state, request);
      case "respond_handshake":
        return respondHandshake(state, request, call);
      case "punch":
        return punch(state, request);
      case "list_networks":
        return this.#asStranger(call) ?? listNetworks(state);
      case "list_nodes":
        return listNodes(request.network_id);
      case "create_network":
      case "join_network":
      case "leave_network":
        return refuse("denied", "this registry has no networks but the backbone");
      case "get_polo_score":
        return this.#asStranger(call) ?? getScore(state, request.node_id);
      case "set_polo_score":
      case "update_polo_score":
        return changeScore(state, request, call);
      case "beacon_register":
        return this.#registerBeacon(request.beacon_id, request.addr, call);
      case "beacon_list":
        return { type: "beacon_list_ok", beacons: state.beacons.list(call.now) };
      case "subscribe_replication":
        return refuse("denied", "replication not configured");
    }
  }

  #registerBeacon(id: number, addr: string, call: Call): RegistryReply {
    switch (this.#state.beacons.register(id, addr, { source: call.from.host, now: call.now })) {
      case "ok":
        return { type: "beacon_register_ok", beacon_id: id };
      case "malformed":
        return refuse("invalid", "beacon_id must not be 0 and addr must be an IP address with a port");
      case "foreign":
        return refuse("denied", "a beacon registers its own address only");
      case "taken":
        return refuse("taken", `beacon ${id} is in use from another address`);
      case "full":
        return refuse("denied", "there are too many beacons");
    }
  }

  /** Questions of strangers have a budget of their own, so that nobody counts through all nodes quickly. */
  #asStranger(call: Call): RegistryReply | undefined {
    const retryAfter = this.#state.budgets.charge("ask", call.from.host, call.now);
    return retryAfter > 0 ? refuseForRate(retryAfter) : undefined;
  }

  #overBudget(from: Endpoint, now: number): RegistryReply | undefined {
    const retryAfter = this.#state.budgets.charge("any", from.host, now);
    return retryAfter > 0 ? refuseForRate(retryAfter) : undefined;
  }

  #count<Reply extends RegistryReply>(reply: Reply): Reply {
    if (reply.type === "error") this.stats.refusals++;
    return reply;
  }
}
