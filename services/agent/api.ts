/**
 * What a running agent offers to the code inside its process: the local socket server and the built-in services.
 */

import type { ClientDoctor } from "../../lib/client/doctor.ts";
import type { ClientEvent } from "../../lib/client/events.ts";
import type { ClientInfo, ClientPeer } from "../../lib/client/info.ts";
import type { ClientPeerPaths } from "../../lib/client/paths.ts";
import type { ClientTrace } from "../../lib/client/trace.ts";
import type { ClientPendingRequest, ClientTrustedPeer, ClientTrustOutcome } from "../../lib/client/trust.ts";
import type { Address } from "../../lib/wire/address.ts";
import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";
import type { CloseReason } from "../../lib/core/stream/state.ts";

/** One reliable stream to a peer. Reads and writes are independent of each other. */
export interface AgentStream {
  /** Unique in this agent, from 1. */
  readonly id: number;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
  /** The next ordered bytes, at least one; `null` after the peer's end. Rejects when the stream was reset. */
  read(): Promise<Uint8Array | null>;
  /**
   * All bytes that are there, at least one, in their order and in as many pieces as they arrived in; no more pieces are
   * added once there are `bytes` of them. Else like {@linkcode read}.
   */
  readBatch(bytes: number): Promise<readonly Uint8Array[] | null>;
  /** The reader needs these pieces, or parts of them, no more: their memory may be written again. Once at most. */
  giveBack(pieces: readonly Uint8Array[]): void;
  /** Resolves when the transport has copied all bytes (backpressure). Rejects when the stream is closed. */
  write(data: Uint8Array): Promise<void>;
  /** Ends the stream in order: everything written is delivered first. Resolves at the end or after a bounded wait. */
  close(): Promise<void>;
  /** Ends the stream at once (RST). */
  abort(): void;
  /** Settles once, when the stream is over. */
  readonly closed: Promise<CloseReason>;
}

/** Inbound streams of one port. */
export interface AgentListener {
  readonly port: number;
  /** The next inbound stream, `null` once the listener is closed. */
  accept(): Promise<AgentStream | null>;
  close(): void;
}

/** An unreliable message from a trusted peer. */
export interface AgentDatagram {
  readonly source: Address;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly data: Uint8Array;
}

/** The answer to `Health`: what is known at once, however many streams there are. */
export type AgentHealth =
  & Pick<AgentInfo, "node_id" | "address" | "uptime_secs" | "connections" | "peers" | "version">
  & { readonly registry_connected: boolean; readonly beacon_reachable: boolean };

/** How trust with a peer stands after an operator's action. */
export type TrustOutcome = ClientTrustOutcome;
/** A waiting request of a peer. */
export type PendingRequest = ClientPendingRequest;
/** A trusted peer. */
export type TrustedPeer = ClientTrustedPeer;
/** State of one peer's tunnel as shown to the operator. */
export type PeerInfo = ClientPeer;
/** The answer to `Info`: the agent tells what its clients read. */
export type AgentInfo = ClientInfo;

/** The way to one peer, as shown to the operator. */
export type PeerPaths = ClientPeerPaths;
/** Something that happened. */
export type AgentEvent = Exclude<ClientEvent, { type: "other" }>;

/** The agent as seen from inside its process. Failures are `PilotError`s. */
export interface AgentApi {
  readonly info: () => AgentInfo;
  readonly health: () => AgentHealth;
  readonly nodeId: () => number;
  /** How the ways to all peers stand, or to one; none when there is no tunnel to it. */
  paths(node?: number): readonly PeerPaths[];
  /** Checks the agent and its network, in bounded time. */
  doctor(): Promise<ClientDoctor>;
  /** Measures every path to a peer, in bounded time. @throws PilotError `not_found` when there is no tunnel to it */
  trace(node: number, rounds?: number): Promise<ClientTrace>;
  /** Registers a receiver of everything that happens from now on; returns its removal. */
  onEvent(receiver: (event: AgentEvent) => void): () => void;
  /** @throws PilotError `connection_failed` (`connection refused`), `timeout` (`dial timeout`), `not_found`, `not_trusted` */
  dial(remote: Address, port: number, options: { signal: AbortSignal }): Promise<AgentStream>;
  /** @throws PilotError `already_exists` with the text `port N already bound` */
  listen(port: number): AgentListener;
  /** Resolves when the datagram was handed to the tunnel. @throws PilotError as `dial`, or `too_large` */
  sendDatagram(remote: Address, port: number, data: Uint8Array): Promise<void>;
  /** Registers a receiver of all datagrams; returns its removal. */
  onDatagram(receiver: (datagram: AgentDatagram) => void): () => void;
  /** Any stream by its number, whoever opened it. */
  stream(id: number): AgentStream | undefined;

  requestTrust(peer: number, justification: string): Promise<TrustOutcome>;
  approveTrust(peer: number): Promise<{ readonly node_id: number; readonly was_pending: boolean }>;
  rejectTrust(
    peer: number,
    reason: string,
  ): Promise<{ readonly node_id: number; readonly was_pending: boolean }>;
  /** @throws PilotError `not_found` with the text `node N was not trusted` */
  revokeTrust(peer: number): Promise<void>;
  pendingTrust(): Promise<readonly PendingRequest[]>;
  trustedPeers(): Promise<readonly TrustedPeer[]>;
  /** Resolves with whether the peer is trusted, at the latest after `milliseconds`. */
  waitForTrust(peer: number, milliseconds: number): Promise<boolean>;

  /** Asks the registry on behalf of this node; signs what needs a signature. Error replies come back as values. */
  registry(request: RegistryRequest): Promise<RegistryReply>;
  setHostname(hostname: string): Promise<RegistryReply>;
  setVisibility(isPublic: boolean): Promise<RegistryReply>;
  setTags(tags: readonly string[]): Promise<RegistryReply>;
  setTaskExec(enabled: boolean): Promise<RegistryReply>;
  deregister(): Promise<RegistryReply>;
  /** Stops the whole agent in order. */
  stop(): void;
}
