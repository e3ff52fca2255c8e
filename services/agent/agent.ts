/**
 * The agent: a node on a real socket, with its registration, its streams and its trust file.
 */

import type { ClientDoctor } from "../../lib/client/doctor.ts";
import type { ClientTrace } from "../../lib/client/trace.ts";
import { natType } from "../../lib/core/nat/behaviour.ts";
import type { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import type { Address } from "../../lib/wire/address.ts";
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
import { checkPeer, explainFailure, unreached } from "./dial_refusal.ts";
import { examineAgent } from "./doctor.ts";
import { EventHub, eventsOf, type EventSource } from "./events.ts";
import { type AgentParts, describeAgent, describeBeacons, describeHealth } from "./info.ts";
import { NameMemory } from "./name_memory.ts";
import type { NodeAccess } from "./node_access.ts";
import type { Registration } from "./registration.ts";
import { reportPaths } from "./report.ts";
import type { CompatPlace } from "./report_facts.ts";
import { tracePaths } from "./report_trace.ts";
import { Streams } from "./streams.ts";
import { TrustCalls } from "./trust_calls.ts";
import type { TrustSaver } from "./trust_saver.ts";
import { TrustWaiters } from "./trust_waiters.ts";

/** Largest datagram taken: what an IPv4 datagram holds, less every header around it. */
const MAX_DATAGRAM = MAX_PAYLOAD - 135;

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
  readonly #names: NameMemory;
  readonly #trust: TrustCalls;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#access = options.access;
    this.#streams = new Streams(options.access);
    const isTrusted = (peer: number) => this.#node.trust.isTrusted(peer);
    this.#trustWaiters = new TrustWaiters(isTrusted);
    this.#names = new NameMemory(isTrusted);
    this.#trust = new TrustCalls({ ...options, waiters: this.#trustWaiters, names: this.#names });
  }

  get #node(): Node {
    return this.#access.node;
  }

  readonly info = (): AgentInfo => describeAgent(this.#options, this.#names.all);

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
    checkPeer(this.#node, this.#options.registration, remote.node);
    try {
      return await this.#streams.dial(remote, port, options);
    } catch (error) {
      throw explainFailure(this.#node, remote.node, error);
    }
  }

  listen(port: number): AgentListener {
    return this.#streams.listen(port);
  }

  stream(id: number): AgentStream | undefined {
    return this.#streams.get(id);
  }

  sendDatagram(remote: Address, port: number, data: Uint8Array): Promise<void> {
    checkPeer(this.#node, this.#options.registration, remote.node);
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

  requestTrust(peer: number, justification: string): Promise<TrustOutcome> {
    return this.#trust.request(peer, justification);
  }

  approveTrust(peer: number): ReturnType<AgentApi["approveTrust"]> {
    return this.#trust.approve(peer);
  }

  rejectTrust(peer: number, reason: string): ReturnType<AgentApi["rejectTrust"]> {
    return this.#trust.reject(peer, reason);
  }

  revokeTrust(peer: number): Promise<void> {
    return this.#trust.revoke(peer);
  }

  pendingTrust(): ReturnType<AgentApi["pendingTrust"]> {
    return Promise.resolve(this.#trust.pending());
  }

  trustedPeers(): ReturnType<AgentApi["trustedPeers"]> {
    return Promise.resolve(this.#trust.trusted());
  }

  waitForTrust(peer: number, milliseconds: number): Promise<boolean> {
    return this.#trust.wait(peer, milliseconds);
  }

  async registry(request: RegistryRequest): Promise<RegistryReply> {
    const reply = await this.#askOrRemember(request);
    this.#names.noteReply(reply);
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
    const remembered = request.type === "resolve_hostname"
      ? this.#names.resolve(request.hostname)
      : undefined;
    // One that is known to be away would only keep the user waiting.
    if (remembered !== undefined && !registration.state.connected) return remembered;
    try {
      return await registration.request(request);
    } catch (error) {
      if (remembered === undefined) throw error;
      return remembered;
    }
  }

  #source(): EventSource {
    const { access, clock } = this.#options;
    const { node } = access;
    const beaconAddress = describeBeacons(this.#options).beacon.address;
    const [now, time] = [clock.now(), Math.round(clock.unixMs())];
    return { node, names: this.#names.all, now, time, beaconAddress };
  }

  async #learnPeerName(peer: number): Promise<void> {
    try {
      await this.registry({ type: "lookup", node_id: peer });
    } catch (error) {
      this.#options.log.debug("no name for the peer", { peer, error });
    }
  }
}
