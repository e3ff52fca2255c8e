/** An `AgentApi` in memory: streams lead back to listeners of the same agent, the rest answers from simple tables. */

import { type Address, formatAddress } from "../../lib/wire/address.ts";
import { FakeListener } from "./fake_listener.ts";
import { FakeStream } from "./fake_agent_stream.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";
import type { ClientDoctor } from "../../lib/client/doctor.ts";
import type { ClientTrace } from "../../lib/client/trace.ts";
import type {
  AgentApi,
  AgentDatagram,
  AgentEvent,
  AgentHealth,
  AgentInfo,
  AgentListener,
  AgentStream,
  PeerPaths,
  PendingRequest,
  TrustedPeer,
  TrustOutcome,
} from "../../services/agent/api.ts";

/** Every node leads to `other`, by default to the fake itself, except node 99: dialling that never ends. */
export class FakeAgent implements AgentApi {
  readonly streams = new Map<number, FakeStream>();
  readonly listeners = new Map<number, FakeListener>();
  readonly sent: { remote: Address; port: number; data: Uint8Array }[] = [];
  readonly requests: RegistryRequest[] = [];
  readonly actions: string[] = [];
  readonly receivers = new Set<(datagram: AgentDatagram) => void>();
  /** Replaces `dial` of the next calls. */
  dialError: Error | undefined;
  /** Replaces the reply of the registry. */
  registryReply: RegistryReply | undefined;
  /** Rejects the next trust action. */
  trustError: Error | undefined;
  /** Rejects the next datagram. */
  datagramError: Error | undefined;
  /** Answers of `waitForTrust`. */
  trusts = true;
  pending: PendingRequest[] = [];
  trusted: TrustedPeer[] = [];
  infoFields: Partial<AgentInfo> = {};
  peerPaths: PeerPaths[] = [];
  doctorReport: ClientDoctor = {
    nat_type: "none",
    endpoint: "192.0.2.1:4000",
    strategy: "direct",
    checks: [],
  };
  traceReport: ClientTrace = { node_id: 2, seal_ms: null, paths: [] };
  readonly listening = new Set<(event: AgentEvent) => void>();
  dialsAborted = 0;
  /** Where dials arrive. */
  other: FakeAgent = this;
  readonly self: number;
  #nextId = 1;
  #nextPort = 49152;

  constructor(self = 1) {
    this.self = self;
  }

  readonly nodeId = (): number => this.self;

  readonly info = (): AgentInfo => ({
    node_id: this.self,
    address: formatAddress({ network: 0, node: this.self }),
    hostname: "fake",
    uptime_secs: 5,
    connections: this.streams.size,
    ports: this.listeners.size,
    peers: 0,
    encrypted_peers: 0,
    authenticated_peers: 0,
    encrypt: true,
    identity: true,
    public_key: "",
    owner: "",
    bytes_sent: 0,
    bytes_recv: 0,
    pkts_sent: 0,
    pkts_recv: 0,
    peer_list: [],
    conn_list: [],
    version: "0.1.0",
    aead: "noble",
    udp: "deno",
    features: ["key_request"],
    pid: 4711,
    home: "/nowhere",
    endpoint: "192.0.2.1:4000",
    nat_type: "unknown",
    strategy: "direct",
    transport: "udp",
    transport_since: 1_800_000_000,
    public: false,
    registry: { address: "127.0.0.1:9000", connected: true },
    beacon: { address: "127.0.0.1:9001", reachable: true, rtt_ms: null },
    beacons: [{ address: "127.0.0.1:9001", reachable: true, rtt_ms: null, in_use: true }],
    trusted: 0,
    pending: 0,
    drops: {},
    ...this.infoFields,
  });

  readonly health = (): AgentHealth => {
    const { registry, beacon, node_id, address, uptime_secs, connections, peers, version } = this.info();
    const known = { node_id, address, uptime_secs, connections, peers, version };
    return { ...known, registry_connected: registry.connected, beacon_reachable: beacon.reachable };
  };

  paths(node?: number): readonly PeerPaths[] {
    return this.peerPaths.filter(({ node_id }) => node === undefined || node_id === node);
  }

  doctor(): Promise<ClientDoctor> {
    return Promise.resolve(this.doctorReport);
  }

  trace(node: number): Promise<ClientTrace> {
    if (node === this.traceReport.node_id) return Promise.resolve(this.traceReport);
    return Promise.reject(new PilotError("not_found", `no tunnel to node ${node}`));
  }

  onEvent(receiver: (event: AgentEvent) => void): () => void {
    this.listening.add(receiver);
    return () => this.listening.delete(receiver);
  }

  /** Something happens. */
  tell(event: AgentEvent): void {
    for (const receiver of this.listening) receiver(event);
  }

  dial(remote: Address, port: number, options: { signal: AbortSignal }): Promise<AgentStream> {
    if (this.dialError !== undefined) return Promise.reject(this.dialError);
    if (remote.node === 99) {
      return new Promise((_resolve, reject) => {
        options.signal.addEventListener("abort", () => {
          this.dialsAborted++;
          reject(options.signal.reason);
        });
      });
    }
    const listener = this.other.listeners.get(port);
    if (listener === undefined) {
      return Promise.reject(new PilotError("connection_failed", "connection refused"));
    }
    const localPort = this.#nextPort++;
    const there: Address = { network: 0, node: remote.node };
    const here: Address = { network: 0, node: this.self };
    const near = new FakeStream(this, { id: this.nextId(), localPort, remote: there, remotePort: port });
    const far = new FakeStream(this.other, {
      id: this.other.nextId(),
      localPort: port,
      remote: here,
      remotePort: localPort,
    });
    near.peer = far;
    far.peer = near;
    listener.offer(far);
    return Promise.resolve(near);
  }

  nextId(): number {
    return this.#nextId++;
  }

  listen(port: number): AgentListener {
    if (this.listeners.has(port)) throw new PilotError("already_exists", `port ${port} already bound`);
    const listener = new FakeListener(port, () => this.listeners.delete(port));
    this.listeners.set(port, listener);
    return listener;
  }

  sendDatagram(remote: Address, port: number, data: Uint8Array): Promise<void> {
    if (this.datagramError !== undefined) return Promise.reject(this.datagramError);
    this.sent.push({ remote, port, data: data.slice() });
    return Promise.resolve();
  }

  onDatagram(receiver: (datagram: AgentDatagram) => void): () => void {
    this.receivers.add(receiver);
    return () => this.receivers.delete(receiver);
  }

  /** A datagram arrives. */
  deliver(datagram: AgentDatagram): void {
    for (const receiver of this.receivers) receiver(datagram);
  }

  stream(id: number): FakeStream | undefined {
    return this.streams.get(id);
  }

  requestTrust(peer: number, justification: string): Promise<TrustOutcome> {
    return this.#trust(`request ${peer} ${justification}`, { node_id: peer, status: "sent", mutual: false });
  }

  approveTrust(peer: number): Promise<{ node_id: number; was_pending: boolean }> {
    return this.#trust(`approve ${peer}`, { node_id: peer, was_pending: false });
  }

  rejectTrust(peer: number, reason: string): Promise<{ node_id: number; was_pending: boolean }> {
    return this.#trust(`reject ${peer} ${reason}`, { node_id: peer, was_pending: false });
  }

  revokeTrust(peer: number): Promise<void> {
    return this.#trust(`revoke ${peer}`, undefined);
  }

  pendingTrust(): Promise<readonly PendingRequest[]> {
    return Promise.resolve(this.pending);
  }

  trustedPeers(): Promise<readonly TrustedPeer[]> {
    return Promise.resolve(this.trusted);
  }

  waitForTrust(peer: number, milliseconds: number): Promise<boolean> {
    return this.#trust(`wait ${peer} ${milliseconds}`, this.trusts);
  }

  registry(request: RegistryRequest): Promise<RegistryReply> {
    this.requests.push(request);
    if (request.type !== "resolve_hostname" || request.hostname !== "alpha") {
      return Promise.resolve(this.registryReply ?? { type: "error", error: "request failed" });
    }
    const address = "0:0000.0000.0002";
    return Promise.resolve({
      type: "resolve_hostname_ok",
      node_id: 2,
      address,
      public: true,
      hostname: "alpha",
    });
  }

  setHostname(hostname: string): Promise<RegistryReply> {
    return Promise.resolve(this.registryReply ?? { type: "set_hostname_ok", node_id: this.self, hostname });
  }

  setVisibility(isPublic: boolean): Promise<RegistryReply> {
    const visibility = isPublic ? "public" : "private";
    return Promise.resolve(
      this.registryReply ?? { type: "set_visibility_ok", node_id: this.self, visibility },
    );
  }

  setTags(tags: readonly string[]): Promise<RegistryReply> {
    return Promise.resolve(
      this.registryReply ??
        { type: "set_tags_ok", node_id: this.self, tags: tags.length === 0 ? null : [...tags] },
    );
  }

  setTaskExec(enabled: boolean): Promise<RegistryReply> {
    return Promise.resolve(
      this.registryReply ?? { type: "set_task_exec_ok", node_id: this.self, task_exec: enabled },
    );
  }

  deregister(): Promise<RegistryReply> {
    return Promise.resolve(this.registryReply ?? { type: "deregister_ok" });
  }

  stop(): void {
    this.actions.push("stop");
  }

  #trust<T>(action: string, result: T): Promise<T> {
    const error = this.trustError;
    this.trustError = undefined;
    if (error !== undefined) return Promise.reject(error);
    this.actions.push(action);
    return Promise.resolve(result);
  }
}
