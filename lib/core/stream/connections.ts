/**
 * The connections of a node by number and by name, counted as they come and go.
 */

import type { Instant } from "../machine.ts";
import type { Address } from "../../wire/address.ts";
import type { Stream } from "./stream.ts";

/** An inbound connection waits for its handshake, then for the application, then belongs to it. */
export type Stage = "embryonic" | "backlog" | "taken";

/** One connection. */
export interface Connection {
  readonly id: number;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
  readonly stream: Stream;
  readonly createdAt: Instant;
  /** Its segments keep the size they began with. */
  readonly hasFixedSegments: boolean;
  stage: Stage;
  /** It waits in the queue of those that may have something to send. */
  isReady: boolean;
  /** When it will be looked at, at the latest. */
  wakeAt: Instant;
  /** The application has nothing more to expect of it. */
  isLingering: boolean;
  isRemoved: boolean;
}

interface PortCount {
  live: number;
  backlog: number;
}

/** All connections. Lookups and counts are O(1). */
export class Connections {
  readonly #byId = new Map<number, Connection>();
  readonly #byName = new Map<number, Map<number, Connection>>();
  readonly #ports = new Map<number, PortCount>();
  /** Oldest first. */
  readonly #lingering = new Set<Connection>();
  /** Most packets belong to the connection of the packet before. */
  #last: Connection | undefined;
  #embryonic = 0;

  /** Connections, also those that only linger. */
  get size(): number {
    return this.#byId.size;
  }

  /** Connections of which the application expects something. */
  get live(): number {
    return this.#byId.size - this.#lingering.size;
  }

  get embryonic(): number {
    return this.#embryonic;
  }

  /** The oldest of the connections that only linger. */
  get oldestLingering(): Connection | undefined {
    const [oldest] = this.#lingering;
    return oldest;
  }

  liveOn(port: number): number {
    return this.#ports.get(port)?.live ?? 0;
  }

  backlogOn(port: number): number {
    return this.#ports.get(port)?.backlog ?? 0;
  }

  get(id: number): Connection | undefined {
    return this.#byId.get(id);
  }

  values(): IterableIterator<Connection> {
    return this.#byId.values();
  }

  find(localPort: number, remote: Address, remotePort: number): Connection | undefined {
    const last = this.#last;
    if (
      last !== undefined && last.remotePort === remotePort && last.localPort === localPort &&
      last.remote.node === remote.node && last.remote.network === remote.network
    ) return last;
    const found = this.#byName.get(groupKey(localPort, remote.network))?.get(
      nameKey(remote.node, remotePort),
    );
    if (found !== undefined) this.#last = found;
    return found;
  }

  add(connection: Connection): void {
    const { localPort, remote, remotePort } = connection;
    this.#byId.set(connection.id, connection);
    const group = groupKey(localPort, remote.network);
    let names = this.#byName.get(group);
    if (names === undefined) this.#byName.set(group, names = new Map());
    names.set(nameKey(remote.node, remotePort), connection);
    this.#count(localPort).live++;
    this.#noteStage(connection, 1);
  }

  setStage(connection: Connection, stage: Stage): void {
    if (connection.stage === stage) return;
    if (!connection.isLingering) this.#noteStage(connection, -1);
    connection.stage = stage;
    if (!connection.isLingering) this.#noteStage(connection, 1);
  }

  /** The application has nothing more to expect of it. */
  setLingering(connection: Connection): void {
    if (connection.isLingering) return;
    this.#leave(connection);
    connection.isLingering = true;
    this.#lingering.add(connection);
  }

  remove(connection: Connection): void {
    if (connection.isRemoved) return;
    connection.isRemoved = true;
    if (connection.isLingering) this.#lingering.delete(connection);
    else this.#leave(connection);
    const { localPort, remote, remotePort } = connection;
    this.#byId.delete(connection.id);
    const group = groupKey(localPort, remote.network);
    const names = this.#byName.get(group);
    names?.delete(nameKey(remote.node, remotePort));
    if (names?.size === 0) this.#byName.delete(group);
    if (this.#last === connection) this.#last = undefined;
  }

  #leave(connection: Connection): void {
    const { localPort } = connection;
    const count = this.#count(localPort);
    this.#noteStage(connection, -1);
    count.live--;
    if (count.live === 0) this.#ports.delete(localPort);
  }

  #noteStage({ stage, localPort }: Connection, change: 1 | -1): void {
    if (stage === "embryonic") this.#embryonic += change;
    else if (stage === "backlog") this.#count(localPort).backlog += change;
  }

  #count(port: number): PortCount {
    let count = this.#ports.get(port);
    if (count === undefined) this.#ports.set(port, count = { live: 0, backlog: 0 });
    return count;
  }
}

function groupKey(localPort: number, network: number): number {
  return localPort * 65_536 + network;
}

function nameKey(node: number, remotePort: number): number {
  return node * 65_536 + remotePort;
}
