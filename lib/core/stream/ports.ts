/**
 * All connections and listeners of one node.
 *
 * A connection is named by local port, remote address and remote port. Packets given in here come out of an
 * authenticated tunnel, so their source node can be believed.
 */

import { RateTable, TokenBucket } from "../limiter.ts";
import type { Instant, RandomSource } from "../machine.ts";
import { Timers } from "../timers.ts";
import type { Address } from "../../wire/address.ts";
import { PilotError } from "../../wire/error.ts";
import { Flag, type Packet } from "../../wire/packet.ts";
import { type ConnectionInfo, connectionInfo } from "./info.ts";
import { type Connection, Connections } from "./connections.ts";
import { Deque } from "./deque.ts";
import { PeerTransports } from "./peer_transports.ts";
import type { TransportProfile } from "./profile.ts";
import { DEFAULT_LIMITS, type PortLimits } from "./port_limits.ts";
import { PortNumbers } from "./port_numbers.ts";
import { ReceivePool } from "./recv_memory.ts";
import { resetFor, type Segment } from "./segment.ts";
import { Stream, type StreamEvent, type StreamOptions } from "./stream.ts";

export type { ConnectionInfo } from "./info.ts";
export type { PortLimits } from "./port_limits.ts";
export type { TransportProfile } from "./profile.ts";

/** A segment with the names of its connection. */
export interface PortsTransmit {
  readonly remote: Address;
  readonly remotePort: number;
  readonly localPort: number;
  readonly segment: Segment;
}

/** An event of the connection `id`. `"accepted"` is the first event of an inbound one, in place of `"connected"`. */
export type PortsEvent =
  & { readonly id: number }
  & (StreamEvent | {
    readonly type: "accepted";
    readonly port: number;
    readonly remote: Address;
    readonly remotePort: number;
  });

/** A repeated SYN belongs to the connection it opened only while that is younger than this, milliseconds. */
const SYN_REPEAT_MS = 45_000;
/** Answers to unknown packets that may wait to be sent. */
const MAX_ANSWERS = 64;

/** The connection table of one node. */
export class Ports {
  readonly #random: RandomSource;
  readonly #limits: PortLimits;
  readonly #pool = new ReceivePool();
  readonly #listeners = new Set<number>();
  readonly #connections = new Connections();
  readonly #transports = new PeerTransports();
  readonly #numbers: PortNumbers;
  readonly #timers = new Timers<Connection>();
  /** Connections that may have something to send, in turn. */
  readonly #ready = new Deque<Connection>();
  readonly #events = new Deque<PortsEvent>();
  readonly #answers: PortsTransmit[] = [];
  readonly #perSource: RateTable<number>;
  #allSources: TokenBucket | undefined;
  #resets: TokenBucket | undefined;
  #lastId = 0;

  constructor(options: { random: RandomSource; limits?: Partial<PortLimits> }) {
    this.#random = options.random;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#numbers = new PortNumbers(options.random);
    this.#perSource = new RateTable(this.#limits.perSource, this.#limits.sources);
  }

  /** Accepts connections on `port` from now on; false when somebody does already. */
  listen(port: number): boolean {
    if (this.#listeners.has(port)) return false;
    this.#listeners.add(port);
    return true;
  }

  /** Accepts no more connections on `port`. Those that exist go on. */
  unlisten(port: number): void {
    this.#listeners.delete(port);
  }

  isListening(port: number): boolean {
    return this.#listeners.has(port);
  }

  /** Number of listening ports. */
  get listening(): number {
    return this.#listeners.size;
  }

  /** What was agreed on with a node, for streams from now on and those that still wait for their answer. */
  setProfile(node: number, profile: TransportProfile): void {
    this.#transports.setProfile(node, profile);
    this.#forNode(node, ({ stream }) => stream.setProfile(profile));
    this.#resize(node);
  }

  /** The path to a node carries segments of so many payload bytes, more or less than before. */
  setSegmentLimit(node: number, bytes: number): void {
    this.#transports.setLimit(node, bytes);
    this.#resize(node);
  }

  /** Packets to a node take another path from now on, or its path has come back: what waits is sent at once. */
  handlePathChange(node: number, now: Instant): void {
    this.#forNode(node, (connection) => {
      connection.stream.handlePathChange(now);
      connection.stream.handleTimeout(now);
      this.#settle(connection);
    });
  }

  /**
   * Opens a connection from a free ephemeral port and returns its number, from 1. `segmentSize` replaces the usual
   * size, for protocols that need a message in one segment; `profile` what was agreed on with the node.
   *
   * @throws PilotError `unavailable` when there are too many connections
   */
  connect(
    remote: Address,
    remotePort: number,
    now: Instant,
    options: { readonly segmentSize?: number; readonly profile?: TransportProfile } = {},
  ): number {
    const port = this.#numbers.find((candidate) => this.#listeners.has(candidate));
    if (port === undefined || this.#connections.live >= this.#limits.total) {
      throw new PilotError("unavailable", "too many connections", {
        hint: "close connections that are not needed",
      });
    }
    const name = { localPort: port, remote, remotePort };
    const stream = Stream.connect({ ...this.#streamOptions(remote.node), ...options }, now);
    const hasFixedSegments = options.segmentSize !== undefined;
    return this.#add(name, { stream, stage: "taken", hasFixedSegments, now }).id;
  }

  /**
   * Takes a stream packet of an authenticated peer in. What is kept of the payload is copied. A new SYN that policy
   * does not admit is ignored without a sign that anybody is here.
   */
  handlePacket(packet: Packet, now: Instant, options: { admitted: boolean }): void {
    const known = this.#connections.find(packet.destinationPort, packet.source, packet.sourcePort);
    if ((packet.flags & (Flag.SYN | Flag.ACK | Flag.RST)) === Flag.SYN) {
      return this.#handleSyn(packet, now, { known, admitted: options.admitted });
    }
    if (known === undefined) return this.#answerUnknown(packet, now);
    known.stream.handleSegment(packet, now);
    this.#settle(known);
  }

  /** Takes as many bytes as there is room for; 0 for an unknown connection. See `Stream.write`. */
  write(id: number, data: Uint8Array, now: Instant): number {
    return this.#use(id, (stream) => stream.write(data, now)) ?? 0;
  }

  /** The next bytes in order, `undefined` when none wait. They are the reader's until it gives them back, if ever. */
  read(id: number, now: Instant): Uint8Array | undefined {
    return this.#use(id, (stream) => stream.read(now));
  }

  /** The reader needs these bytes no more: their memory may be written again. At most once for each byte read. */
  giveBack(piece: Uint8Array): void {
    this.#pool.giveBack(piece);
  }

  /** Ends our direction after everything written; reading goes on. */
  shutdown(id: number, now: Instant): void {
    this.#use(id, (stream) => stream.shutdown(now));
  }

  /** Ends both directions in order; what the peer still sends is thrown away. */
  close(id: number, now: Instant): void {
    this.#use(id, (stream) => stream.close(now));
  }

  /** Ends a connection at once. */
  abort(id: number, now: Instant): void {
    this.#use(id, (stream) => stream.abort(now));
  }

  /** The application has an accepted connection in hand, so it no longer counts as waiting. Any other use tells, too. */
  take(id: number): void {
    this.#use(id, () => undefined);
  }

  /** Breaks off all connections with a node, as after a revocation. They end with `"reset"`. */
  resetPeer(node: number, now: Instant): void {
    this.#forNode(node, (connection) => {
      connection.stream.abort(now, "reset");
      this.#settle(connection);
    });
  }

  handleTimeout(now: Instant): void {
    const due: Connection[] = [];
    for (let next = this.#timers.popDue(now); next !== undefined; next = this.#timers.popDue(now)) {
      due.push(next);
    }
    for (const connection of due) {
      connection.wakeAt = Infinity;
      if (!connection.isRemoved) connection.stream.handleTimeout(now);
      this.#settle(connection);
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#timers.next();
  }

  /** The next segment to send; connections take turns. */
  pollTransmit(now: Instant): PortsTransmit | undefined {
    const answer = this.#answers.shift();
    if (answer !== undefined) return answer;
    for (let connection = this.#ready.shift(); connection !== undefined; connection = this.#ready.shift()) {
      connection.isReady = false;
      if (connection.isRemoved) continue;
      const segment = connection.stream.pollTransmit(now);
      this.#settle(connection, { mayTransmit: segment !== undefined });
      if (segment === undefined) continue;
      const { remote, remotePort, localPort } = connection;
      return { remote, remotePort, localPort, segment };
    }
    return undefined;
  }

  pollEvent(): PortsEvent | undefined {
    return this.#events.shift();
  }

  /** All connections, also those that only linger. */
  list(): ConnectionInfo[] {
    return [...this.#connections.values()].map((connection) =>
      connectionInfo(connection, connection.stream.stats)
    );
  }

  /** One connection, `undefined` when it is over or never was. */
  get(id: number): ConnectionInfo | undefined {
    const connection = this.#connections.get(id);
    return connection === undefined ? undefined : connectionInfo(connection, connection.stream.stats);
  }

  #streamOptions(node: number): StreamOptions {
    const { sendBuffer, receiveSegments, congestion } = this.#limits;
    const profile = this.#transports.profile(node);
    const segmentSize = this.#transports.segmentSize(node);
    const pool = this.#pool;
    return { random: this.#random, sendBuffer, receiveSegments, congestion, profile, segmentSize, pool };
  }

  #forNode(node: number, action: (connection: Connection) => void): void {
    for (const connection of [...this.#connections.values()]) {
      if (connection.remote.node === node) action(connection);
    }
  }

  #resize(node: number): void {
    const bytes = this.#transports.segmentSize(node);
    this.#forNode(node, ({ stream, hasFixedSegments }) => {
      if (!hasFixedSegments) stream.setSegmentSize(bytes);
    });
  }

  #handleSyn(
    packet: Packet,
    now: Instant,
    options: { known: Connection | undefined; admitted: boolean },
  ): void {
    const { known } = options;
    if (known !== undefined && known.stream.isOpenedBy(packet) && now - known.createdAt < SYN_REPEAT_MS) {
      known.stream.handleSegment(packet, now);
      return this.#settle(known);
    }
    if (!options.admitted) return;
    if (!this.#listeners.has(packet.destinationPort)) return this.#answer(packet, now);
    if (!this.#perSource.take(packet.source.node, now)) return;
    this.#allSources ??= new TokenBucket(this.#limits.allSources, now);
    if (!this.#allSources.take(now)) return;
    if (known !== undefined) this.#replace(known, now);
    const port = packet.destinationPort;
    const { live, embryonic } = this.#connections;
    if (embryonic >= this.#limits.embryonic || this.#connections.backlogOn(port) >= this.#limits.backlog) {
      return;
    }
    if (this.#connections.liveOn(port) >= this.#limits.perPort || live >= this.#limits.total) {
      return this.#answer(packet, now);
    }
    const name = { localPort: packet.destinationPort, remote: packet.source, remotePort: packet.sourcePort };
    const stream = Stream.accept(this.#streamOptions(packet.source.node), packet, now);
    this.#add(name, { stream, stage: "embryonic", hasFixedSegments: false, now });
  }

  /** The peer began anew between the same ports, so it has forgotten this connection. */
  #replace(connection: Connection, now: Instant): void {
    connection.stream.abort(now, "reset");
    this.#settle(connection);
    this.#remove(connection);
  }

  /** Tells a peer that remembers more than we do. Answers to RST, FIN and empty ACKs could go on for ever. */
  #answerUnknown(packet: Packet, now: Instant): void {
    if ((packet.flags & (Flag.RST | Flag.FIN)) !== 0 || (packet.flags & Flag.ACK) === 0) return;
    if (packet.payload.length > 0 || (packet.flags & Flag.SYN) !== 0) this.#answer(packet, now);
  }

  #answer(packet: Packet, now: Instant): void {
    this.#resets ??= new TokenBucket(this.#limits.resets, now);
    if (this.#answers.length >= MAX_ANSWERS || !this.#resets.take(now)) return;
    const { source: remote, sourcePort: remotePort, destinationPort: localPort } = packet;
    this.#answers.push({ remote, remotePort, localPort, segment: resetFor(packet) });
  }

  #use<Result>(id: number, action: (stream: Stream) => Result): Result | undefined {
    const connection = this.#connections.get(id);
    if (connection === undefined || connection.stage === "embryonic") return undefined;
    this.#connections.setStage(connection, "taken");
    const result = action(connection.stream);
    this.#settle(connection);
    return result;
  }

  #add(
    name: Pick<Connection, "localPort" | "remote" | "remotePort">,
    start: Pick<Connection, "stream" | "stage" | "hasFixedSegments"> & { now: Instant },
  ): Connection {
    if (this.#connections.size >= this.#limits.total + this.#limits.lingering) this.#forgetOldest();
    const { stream, stage, hasFixedSegments, now } = start;
    const connection: Connection = {
      id: ++this.#lastId,
      ...name,
      stream,
      createdAt: now,
      hasFixedSegments,
      stage,
      isReady: false,
      wakeAt: Infinity,
      isLingering: false,
      isRemoved: false,
    };
    this.#connections.add(connection);
    this.#numbers.note(name.localPort);
    this.#settle(connection);
    return connection;
  }

  /** Forgets the oldest of the connections that only linger. */
  #forgetOldest(): void {
    const oldest = this.#connections.oldestLingering;
    if (oldest !== undefined) this.#remove(oldest);
  }

  #remove(connection: Connection): void {
    if (connection.isRemoved) return;
    this.#connections.remove(connection);
    this.#numbers.release(connection.localPort);
    this.#timers.set(connection, undefined);
  }

  /** Takes over what a stream has to tell after it was touched. */
  #settle(connection: Connection, { mayTransmit = true } = {}): void {
    if (connection.isRemoved) return;
    const { stream } = connection;
    for (let event = stream.pollEvent(); event !== undefined; event = stream.pollEvent()) {
      this.#report(connection, event);
    }
    if (stream.isOver) return this.#remove(connection);
    if (stream.isAnnouncedClosed) this.#connections.setLingering(connection);
    this.#wake(connection, stream.pollTimeout());
    if (!mayTransmit || connection.isReady) return;
    connection.isReady = true;
    this.#ready.push(connection);
  }

  /** A deadline that moves back is found out when the old one passes: waking early is cheaper than a timer per packet. */
  #wake(connection: Connection, at: Instant | undefined): void {
    if (at === undefined || at >= connection.wakeAt) return;
    connection.wakeAt = at;
    this.#timers.set(connection, at);
  }

  /** Inbound connections are shown to the application from `"connected"` on. */
  #report(connection: Connection, event: StreamEvent): void {
    const { id, localPort, remote, remotePort } = connection;
    if (connection.stage !== "embryonic") {
      this.#events.push({ id, ...event });
    } else if (event.type === "connected" && !this.#listeners.has(localPort)) {
      connection.stream.abort(connection.createdAt);
    } else if (event.type === "connected") {
      this.#connections.setStage(connection, "backlog");
      this.#events.push({ id, type: "accepted", port: localPort, remote, remotePort });
    }
  }
}
