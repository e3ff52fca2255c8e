/**
 * The agent: a node on a real socket, with its registration, its streams and its trust file.
 */

import type { ClientDoctor } from "../../lib/client/doctor.ts";
import type { ClientTrace } from "../../lib/client/trace.ts";
import { natType } from "../../lib/core/nat/behaviour.ts";
import type { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import { type Address, BROADCAST_NODE, formatAddress } from "../../lib/wire/address.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { MAX_PAYLOAD } from "../../lib/wire/packet.ts";
import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";
import type { Log } from "../../lib/io/log.ts";
import type {
  AgentApi,
  AgentDatagram,
  AgentEvent,
  AgentHealth,
  AgentInfo,
  AgentListener,
  AgentStream,
  PeerPaths,
  TrustOutcome,
} from "./api.ts";
import { examineAgent } from "./doctor.ts";
import { EventHub, eventsOf, type EventSource } from "./events.ts";
import { type AgentParts, describeAgent, describeBeacons, describeHealth } from "./info.ts";
import type { Registration } from "./registration.ts";
import { reportPaths } from "./report.ts";
import type { CompatPlace } from "./report_facts.ts";
import { tracePaths } from "./report_trace.ts";
import { type NodeAccess, Streams } from "./streams.ts";
import type { TrustSaver } from "./trust_saver.ts";
import { TrustWaiters } from "./trust_waiters.ts";

/** Largest datagram taken: what an IPv4 datagram holds, less every header around it. */
const MAX_DATAGRAM = MAX_PAYLOAD - 135;
/** How long a trust request may take to leave before the operator is told that it is under way, milliseconds. */
const REQUEST_LEAVES_MS = 2_000;

/** What an agent is made of. */
export interface AgentOptions extends AgentParts {
  readonly access: NodeAccess;
  readonly registration: Registration;
  readonly saver: TrustSaver;
  readonly log: Log;
  /** The clock of the node. */
  readonly clock: { now(): number; unixMs(): number };
  /** Path of the local socket. */
  readonly socket: string;
  /** Where the relay over WebSocket is. */
  readonly compat: CompatPlace;
  readonly stop: () => void;
}

/** The facade of a running agent. */
export class Agent implements AgentApi {
  readonly #options: AgentOptions;
  readonly #access: NodeAccess;
  readonly #streams: Streams;
  readonly #receivers = new Set<(datagram: AgentDatagram) => void>();
  readonly #trustWaiters: TrustWaiters;
  readonly #events = new EventHub();
  /** Hostnames seen in answers of the registry. */
  readonly #names = new Map<number, string>();

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#access = options.access;
    this.#streams = new Streams(options.access);
    this.#trustWaiters = new TrustWaiters((peer) => this.#node.trust.isTrusted(peer));
  }

  get #node(): Node {
    return this.#access.node;
  }

  readonly info = (): AgentInfo => describeAgent(this.#options, this.#names);

  readonly health = (): AgentHealth => describeHealth(this.#options, this.#streams.count);

  readonly nodeId = (): number => this.#node.node;

  paths(node?: number): PeerPaths[] {
    return reportPaths(this.#source(), node);
  }

  doctor(): Promise<ClientDoctor> {
    return examineAgent(this.#options, () => this.paths());
  }

  trace(node: number, rounds?: number): Promise<ClientTrace> {
    return tracePaths(this.#access, node, rounds);
  }

  onEvent(receiver: (event: AgentEvent) => void): () => void {
    return this.#events.add(receiver);
  }

  async dial(
    remote: Address,
    port: number,
    options: { readonly signal: AbortSignal },
  ): Promise<AgentStream> {
    this.#checkPeer(remote.node);
    try {
      return await this.#streams.dial(remote, port, options);
    } catch (error) {
      // Silence is how a private node says no. With a request unanswered on either side, that is what it means.
      const { trust } = this.#node;
      const unanswered = !trust.isTrusted(remote.node) &&
        (trust.awaits(remote.node) || trust.pending().some(({ node }) => node === remote.node));
      if (!unanswered || !(error instanceof PilotError) || error.code !== "timeout") throw error;
      throw new PilotError(
        "not_trusted",
        `the trust request between this agent and node ${remote.node} waits`,
        {
          hint: "the side that was asked accepts with: pilot trust add",
          cause: error,
        },
      );
    }
  }

  listen(port: number): AgentListener {
    return this.#streams.listen(port);
  }

  stream(id: number): AgentStream | undefined {
    return this.#streams.get(id);
  }

  sendDatagram(remote: Address, port: number, data: Uint8Array): Promise<void> {
    this.#checkPeer(remote.node);
    if (data.length > MAX_DATAGRAM) {
      throw new PilotError(
        "too_large",
        `a datagram of ${data.length} bytes is above the limit of ${MAX_DATAGRAM}`,
      );
    }
    this.#access.act((node, now) => node.sendDatagram(remote, port, { data, now }));
    return Promise.resolve();
  }

  onDatagram(receiver: (datagram: AgentDatagram) => void): () => void {
    this.#receivers.add(receiver);
    return () => void this.#receivers.delete(receiver);
  }

  async requestTrust(peer: number, justification: string): Promise<TrustOutcome> {
    const status = this.#trustCall(() =>
      this.#access.act((node, now) => node.trust.request(peer, { justification, now }))
    );
    this.#options.registration.expectMessages();
    const left = status === "sent" ? this.#requestLeft(peer) : undefined;
    // Saved, too: an agent that has forgotten that it asked does not take the answer.
    await Promise.all([left, this.#options.saver.flush()]);
    const mutual = this.#node.trust.isTrusted(peer);
    return { node_id: peer, status: status === "sent" && mutual ? "approved" : status, mutual };
  }

  async approveTrust(peer: number): Promise<{ readonly node_id: number; readonly was_pending: boolean }> {
    const was_pending = this.#access.act((node, now) => node.trust.approve(peer, now));
    await this.#options.saver.flush();
    return { node_id: peer, was_pending };
  }

  async rejectTrust(
    peer: number,
    reason: string,
  ): Promise<{ readonly node_id: number; readonly was_pending: boolean }> {
    const was_pending = this.#trustCall(() =>
      this.#access.act((node, now) => node.trust.reject(peer, reason, now))
    );
    await this.#options.saver.flush();
    return { node_id: peer, was_pending };
  }

  async revokeTrust(peer: number): Promise<void> {
    const trusted = this.#access.act((node, now) => node.trust.revoke(peer, now));
    await this.#options.saver.flush();
    if (!trusted) throw new PilotError("not_found", `node ${peer} was not trusted`);
  }

  pendingTrust(): ReturnType<AgentApi["pendingTrust"]> {
    this.#options.registration.expectMessages();
    return Promise.resolve(
      this.#node.trust.pending().map((entry) => ({
        node_id: entry.node,
        public_key: encodeBase64(entry.publicKey ?? new Uint8Array(0)),
        justification: entry.justification,
        received_at: entry.receivedAt,
        ...this.#nameOf(entry.node),
      })),
    );
  }

  trustedPeers(): ReturnType<AgentApi["trustedPeers"]> {
    return Promise.resolve(
      this.#node.trust.trusted().map((entry) => ({
        node_id: entry.node,
        public_key: encodeBase64(entry.publicKey ?? new Uint8Array(0)),
        approved_at: entry.approvedAt,
        mutual: entry.mutual,
        network: entry.network,
        ...this.#nameOf(entry.node),
      })),
    );
  }

  waitForTrust(peer: number, milliseconds: number): Promise<boolean> {
    this.#options.registration.expectMessages();
    return this.#trustWaiters.wait(peer, milliseconds);
  }

  async registry(request: RegistryRequest): Promise<RegistryReply> {
    const reply = await this.#askOrRemember(request);
    if (reply.type === "resolve_hostname_ok") this.#learnName(reply.node_id, reply.hostname);
    if (reply.type === "lookup_ok" && reply.hostname !== undefined) {
      this.#learnName(reply.node_id, reply.hostname);
    }
    return reply;
  }

  setHostname(hostname: string): Promise<RegistryReply> {
    return this.registry({ type: "set_hostname", node_id: this.nodeId(), hostname });
  }

  async setVisibility(isPublic: boolean): Promise<RegistryReply> {
    const reply = await this.registry({ type: "set_visibility", node_id: this.nodeId(), public: isPublic });
    if (reply.type !== "error") this.#access.act((node) => node.setPublic(isPublic));
    return reply;
  }

  setTags(tags: readonly string[]): Promise<RegistryReply> {
    return this.registry({ type: "set_tags", node_id: this.nodeId(), tags });
  }

  setTaskExec(enabled: boolean): Promise<RegistryReply> {
    return this.registry({ type: "set_task_exec", node_id: this.nodeId(), enabled });
  }

  deregister(): Promise<RegistryReply> {
    return this.registry({ type: "deregister", node_id: this.nodeId() });
  }

  stop(): void {
    this.#options.stop();
  }

  /** The beacon is reached in another way than before. */
  transportChanged(): void {
    const { clock, transport } = this.#options;
    const time = Math.round(clock.unixMs());
    this.#events.publish([{ type: "transport", time, transport: transport.state.name }]);
  }

  /** What the node has to say. */
  handle(event: NodeEvent): void {
    if (this.#events.hasListeners) this.#events.publish(eventsOf(event, this.#source()));
    const { log, registration, saver } = this.#options;
    switch (event.type) {
      case "stream":
        return this.#streams.handle(event.event);
      case "datagram":
        for (const receiver of this.#receivers) receiver(event);
        return;
      case "dial_failed":
        return this.#streams.failDial(event.id, unreached(event));
      case "registry":
        return void this.#askRegistry(event.tag, event.request);
      case "trust":
        log.info(event.event.type, { peer: event.event.peer, via: event.event.via });
        this.#trustWaiters.check();
        if (event.event.type === "trust.established") this.#learnPeerName(event.event.peer);
        return;
      case "save_trust":
        return saver.changed();
      case "endpoint":
        return registration.endpointChanged();
      case "nat":
        return log.info("nat", { type: natType(event.behaviour), ...event.behaviour });
      case "notify":
        return registration.expectMessages();
      case "beacon":
        log.info(event.reachable ? "beacon answers" : "beacon silent", {});
        return this.#options.transport.handleBeacon(event.reachable);
      case "recovering":
        log.info("recovering", { reason: event.reason });
        return registration.recover(event.reason);
      case "established":
        return log.debug("tunnel established", { peer: event.peer, rekeyed: event.rekeyed });
    }
  }

  /** Ends all streams in order, within a bounded time. */
  async close(): Promise<void> {
    this.#trustWaiters.close();
    await this.#streams.close();
  }

  async #askRegistry(tag: string, request: RegistryRequest): Promise<void> {
    let reply: RegistryReply | undefined;
    try {
      reply = await this.registry(request);
    } catch (error) {
      this.#options.log.debug("registry not asked", { request: request.type, error });
    }
    if (reply?.type === "error") {
      this.#options.log.debug("registry refused", { request: request.type, reason: reply.error });
    }
    this.#trustWaiters.noteReply(request, reply);
    this.#access.act((node, now) => node.handleRegistryReply(tag, reply, now));
  }

  /** Without the registry, names of trusted peers still mean who they meant last. */
  async #askOrRemember(request: RegistryRequest): Promise<RegistryReply> {
    const { registration } = this.#options;
    const remembered = request.type === "resolve_hostname" ? this.#remembered(request.hostname) : undefined;
    // One that is known to be away would only keep the user waiting.
    if (remembered !== undefined && !registration.state.connected) return remembered;
    try {
      return await registration.request(request);
    } catch (error) {
      if (remembered === undefined) throw error;
      return remembered;
    }
  }

  #remembered(hostname: string): RegistryReply | undefined {
    for (const [node_id, name] of this.#names) {
      if (name !== hostname || !this.#node.trust.isTrusted(node_id)) continue;
      const address = formatAddress({ network: 0, node: node_id });
      return { type: "resolve_hostname_ok", node_id, address, public: false, hostname };
    }
    return undefined;
  }

  /** Waits until the request is on its way, and throws when it cannot be. */
  async #requestLeft(peer: number): Promise<void> {
    const refusal = await this.#trustWaiters.requestLeft(peer, REQUEST_LEAVES_MS);
    if (refusal === undefined || this.#node.trust.isTrusted(peer)) return;
    if (refusal.type === "error") {
      // One that still waits there is as good as one that has just been delivered.
      if (refusal.code === "already_pending" || refusal.code === "taken") return;
      throw new PilotError("connection_failed", `handshake relay: registry: ${refusal.error}`, {
        ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
      });
    }
  }

  #source(): EventSource {
    const { access, clock } = this.#options;
    const { node } = access;
    const beaconAddress = describeBeacons(this.#options).beacon.address;
    const [now, time] = [clock.now(), Math.round(clock.unixMs())];
    return { node, names: this.#names, now, time, beaconAddress };
  }

  #trustCall<Result>(call: () => Result): Result {
    try {
      return call();
    } catch (error) {
      if (error instanceof RangeError) throw new PilotError("invalid_argument", error.message);
      throw error;
    }
  }

  #checkPeer(node: number): void {
    if (node === this.#node.node && node !== 0) {
      throw new PilotError("invalid_argument", "that is this agent itself", {
        hint: "local programs reach its ports without the network",
      });
    }
    if (node === BROADCAST_NODE) throw new PilotError("unavailable", "broadcast is not available");
    if (this.#node.node === 0) {
      const { error } = this.#options.registration.state;
      throw new PilotError("connection_failed", `not registered yet: ${error ?? "registration under way"}`, {
        hint: "pilot status shows whether the registry is reachable",
      });
    }
    if (!this.#node.trust.isDenied(node)) return;
    throw new PilotError("not_trusted", `trust in node ${node} was revoked`, {
      hint: "pilot trust add asks for it again",
    });
  }

  #nameOf(node: number): { hostname?: string } {
    const hostname = this.#names.get(node);
    return hostname === undefined ? {} : { hostname };
  }

  #learnName(node: number, hostname: string): void {
    const oldest = this.#names.size >= 4_096 ? this.#names.keys().next().value : undefined;
    if (oldest !== undefined) this.#names.delete(oldest);
    this.#names.set(node, hostname);
  }

  async #learnPeerName(peer: number): Promise<void> {
    try {
      await this.registry({ type: "lookup", node_id: peer });
    } catch (error) {
      this.#options.log.debug("no name for the peer", { peer, error });
    }
  }
}

function unreached(event: Extract<NodeEvent, { type: "dial_failed" }>): PilotError {
  if (event.reason === "timeout") {
    return new PilotError("timeout", "dial timeout", {
      hint: "the peer is offline, out of reach, or does not trust this agent",
    });
  }
  return new PilotError(
    "not_trusted",
    `resolve node ${event.peer}: registry: ${event.detail ?? "request failed"}`,
    {
      hint: "private agents answer only to agents they trust: pilot trust add",
    },
  );
}
