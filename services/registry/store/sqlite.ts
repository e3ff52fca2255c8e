/** The registry's memory in one SQLite file. */

import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { InboxItem, NameRecord, NodeRecord, Store, TrustRecord } from "../../../lib/registry/store.ts";
import { type Row, toInboxItem, toNameRecord, toNodeRecord, toTrustRecord } from "./rows.ts";
import { corrupt, explain, inUse, openDatabase } from "./schema.ts";

type Value = string | number | null;

/**
 * Real paths of the stores open in this process. POSIX drops a process's locks on a file when it closes any descriptor
 * of it (fcntl), so a second look at the file from here would open it to other processes.
 */
const openPaths = new Set<string>();

/** Durable storage: whatever a returned `transaction` wrote survives the death of the process. */
export class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #realPath: string;
  readonly #statements = new Map<string, StatementSync>();
  /** Heartbeats since the last flush: node to Unix milliseconds. Losing some costs nothing but a later reap. */
  readonly #touched = new Map<number, number>();
  #inTransaction = false;

  private constructor(database: DatabaseSync, path: string, real: string) {
    this.#database = database;
    this.#path = path;
    this.#realPath = real;
  }

  /** Opens or creates the file for this process alone. @throws PilotError as `openDatabase` */
  static open(path: string): SqliteStore {
    if (openPaths.has(realPath(path) ?? "")) throw inUse(path);
    const database = openDatabase(path);
    const real = realPath(path) ?? path;
    openPaths.add(real);
    return new SqliteStore(database, path, real);
  }

  /** Writes what is pending and gives the file free. */
  close(): void {
    try {
      this.#flushTouched();
    } finally {
      this.#statements.clear();
      this.#database.close();
      openPaths.delete(this.#realPath);
    }
  }

  transaction<T>(body: () => T): T {
    if (this.#inTransaction) return body();
    this.#database.exec("BEGIN");
    this.#inTransaction = true;
    try {
      const result = body();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      // A failed COMMIT (disk full) may or may not have ended the transaction already.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw explain(error, this.#path);
    } finally {
      this.#inTransaction = false;
    }
  }

  node(id: number): NodeRecord | undefined {
    return this.#toNode(this.#get("SELECT * FROM nodes WHERE id = ?", id));
  }

  nodeByKey(publicKey: string): NodeRecord | undefined {
    return this.#toNode(this.#get("SELECT * FROM nodes WHERE public_key = ?", publicKey));
  }

  nodeByOwner(owner: string): NodeRecord | undefined {
    if (owner === "") return undefined;
    return this.#toNode(this.#get("SELECT * FROM nodes WHERE owner = ? AND owner <> ''", owner));
  }

  putNode(record: NodeRecord): void {
    this.#touched.delete(record.id);
    this.#run(
      `INSERT INTO nodes (id, public_key, owner, live, endpoint, announced, lan_addresses, relay_only, last_seen,
         signed, public, tags, task_exec, score)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET public_key = excluded.public_key, owner = excluded.owner, live = excluded.live,
         endpoint = excluded.endpoint, announced = excluded.announced, lan_addresses = excluded.lan_addresses,
         relay_only = excluded.relay_only, last_seen = excluded.last_seen, signed = excluded.signed,
         public = excluded.public, tags = excluded.tags, task_exec = excluded.task_exec, score = excluded.score`,
      record.id,
      record.publicKey,
      record.owner,
      Number(record.live),
      record.endpoint,
      record.announced,
      JSON.stringify(record.lanAddresses),
      Number(record.relayOnly),
      Math.trunc(record.lastSeen),
      Number(record.signed),
      Number(record.public),
      JSON.stringify(record.tags),
      Number(record.taskExec),
      record.score,
    );
  }

  touchNode(id: number, lastSeen: number): void {
    this.#touched.set(id, Math.trunc(lastSeen));
  }

  staleNodes(lastSeen: number): readonly NodeRecord[] {
    this.#flushTouched();
    const rows = this.#all("SELECT * FROM nodes WHERE live = 1 AND last_seen < ?", Math.trunc(lastSeen));
    return rows.map((row) => toNodeRecord(row, this.#broken));
  }

  countLive(): number {
    return this.#count("SELECT count(*) AS count FROM nodes WHERE live = 1");
  }

  nextNode(): number | undefined {
    const value = this.#get("SELECT value FROM counters WHERE name = 'next_node'")?.["value"];
    return typeof value === "number" ? value : undefined;
  }

  setNextNode(id: number): void {
    this.#run("INSERT OR REPLACE INTO counters (name, value) VALUES ('next_node', ?)", id);
  }

  isRevoked(publicKey: string): boolean {
    return this.#get("SELECT 1 FROM revoked_keys WHERE public_key = ?", publicKey) !== undefined;
  }

  revokeKey(publicKey: string, node: number): void {
    this.#run("INSERT OR REPLACE INTO revoked_keys (public_key, node) VALUES (?, ?)", publicKey, node);
  }

  name(hostname: string): NameRecord | undefined {
    const row = this.#get("SELECT * FROM names WHERE hostname = ?", hostname);
    return row === undefined ? undefined : toNameRecord(row, this.#broken);
  }

  nameOf(node: number): NameRecord | undefined {
    const row = this.#get("SELECT * FROM names WHERE node = ?", node);
    return row === undefined ? undefined : toNameRecord(row, this.#broken);
  }

  putName(record: NameRecord): void {
    // REPLACE removes both the former name of the node and the former node of the name.
    this.#run(
      "INSERT OR REPLACE INTO names (hostname, node, reserved_until) VALUES (?, ?, ?)",
      record.hostname,
      record.node,
      record.reservedUntil === undefined ? null : Math.trunc(record.reservedUntil),
    );
  }

  removeName(hostname: string): void {
    this.#run("DELETE FROM names WHERE hostname = ?", hostname);
  }

  trust(node: number, peer: number): TrustRecord | undefined {
    const row = this.#get("SELECT * FROM trust WHERE node = ? AND peer = ?", node, peer);
    return row === undefined ? undefined : toTrustRecord(row, this.#broken);
  }

  putTrust(record: TrustRecord): void {
    this.#run(
      "INSERT OR REPLACE INTO trust (node, peer, state, at) VALUES (?, ?, ?, ?)",
      record.node,
      record.peer,
      record.state,
      Math.trunc(record.at),
    );
  }

  countTrust(node: number): number {
    return this.#count("SELECT count(*) AS count FROM trust WHERE node = ?", node);
  }

  inbox(node: number): readonly InboxItem[] {
    const rows = this.#all("SELECT * FROM inbox WHERE node = ? ORDER BY sequence", node);
    return rows.map((row) => toInboxItem(row, this.#broken));
  }

  putInbox(item: Omit<InboxItem, "sequence">): number {
    const { kind, from } = item.message;
    const result = this.#statement(
      "INSERT INTO inbox (node, sender, kind, justification, accept, at) VALUES (?, ?, ?, ?, ?, ?)",
    ).run(
      item.node,
      from,
      kind,
      item.message.kind === "request" ? item.message.justification : "",
      item.message.kind === "response" ? Number(item.message.accept) : 0,
      Math.trunc(item.at),
    );
    return Number(result.lastInsertRowid);
  }

  removeInbox(node: number, sequences: readonly number[]): void {
    for (const sequence of sequences) {
      this.#run("DELETE FROM inbox WHERE sequence = ? AND node = ?", sequence, node);
    }
  }

  expireInbox(at: number): void {
    this.#run("DELETE FROM inbox WHERE at < ?", Math.trunc(at));
  }

  readonly #broken = (detail: string): Error => corrupt(this.#path, detail);

  #flushTouched(): void {
    if (this.#touched.size === 0) return;
    this.transaction(() => {
      for (const [id, lastSeen] of this.#touched) {
        this.#run("UPDATE nodes SET last_seen = ? WHERE id = ?", lastSeen, id);
      }
    });
    this.#touched.clear();
  }

  #toNode(row: Row | undefined): NodeRecord | undefined {
    if (row === undefined) return undefined;
    const record = toNodeRecord(row, this.#broken);
    const lastSeen = this.#touched.get(record.id);
    return lastSeen === undefined ? record : { ...record, lastSeen };
  }

  #get(sql: string, ...values: Value[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  #all(sql: string, ...values: Value[]): Record<string, SQLOutputValue>[] {
    return this.#statement(sql).all(...values);
  }

  #run(sql: string, ...values: Value[]): void {
    this.#statement(sql).run(...values);
  }

  #count(sql: string, ...values: Value[]): number {
    return Number(this.#get(sql, ...values)?.["count"] ?? 0);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function realPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}
