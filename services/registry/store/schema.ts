/**
 * The registry's database file: recognising it, creating it, refusing anything else.
 *
 * Nothing is written to a file before its first hundred bytes have said that it is ours, because opening a foreign
 * SQLite database may already change it.
 */

import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PilotError } from "../../../lib/wire/error.ts";

/** "PILT", at offset 68 of the file: SQLite's mark of the program that a database belongs to. */
const APPLICATION_ID = 0x50494c54;
/** Version of the tables below, at offset 60 of the file. */
const SCHEMA_VERSION = 1;
const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;

const TABLES = `
  CREATE TABLE nodes (
    id            INTEGER PRIMARY KEY,
    public_key    TEXT NOT NULL UNIQUE,
    owner         TEXT NOT NULL,
    live          INTEGER NOT NULL,
    endpoint      TEXT NOT NULL,
    announced     TEXT NOT NULL,
    lan_addresses TEXT NOT NULL,
    relay_only    INTEGER NOT NULL,
    last_seen     INTEGER NOT NULL,
    signed        INTEGER NOT NULL,
    public        INTEGER NOT NULL,
    tags          TEXT NOT NULL,
    task_exec     INTEGER NOT NULL,
    score         INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX nodes_by_owner ON nodes (owner) WHERE owner <> '';
  CREATE INDEX nodes_live ON nodes (last_seen) WHERE live = 1;
  CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE revoked_keys (
    public_key TEXT PRIMARY KEY,
    node       INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE names (
    hostname       TEXT PRIMARY KEY,
    node           INTEGER NOT NULL UNIQUE,
    reserved_until INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE trust (
    node  INTEGER NOT NULL,
    peer  INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'asserted', 'revoked')),
    at    INTEGER NOT NULL,
    PRIMARY KEY (node, peer)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE inbox (
    sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
    node          INTEGER NOT NULL,
    sender        INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('request', 'response')),
    justification TEXT NOT NULL,
    accept        INTEGER NOT NULL,
    at            INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX inbox_by_node ON inbox (node);
  CREATE INDEX inbox_by_age ON inbox (at);
`;

/**
 * Opens the registry's database at `path` for this process alone, creating it (mode 0600) and its directory when
 * missing.
 *
 * Commits go to the write-ahead log before they are acknowledged, so killing the process loses none; a power cut may
 * lose the last moments but never the file.
 *
 * @throws PilotError `corrupt_file` when the file is damaged or not a registry's (it is left as it is),
 * `already_exists` when another registry uses it, `invalid_state` when a newer version made it.
 */
export function openDatabase(path: string): DatabaseSync {
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = recognise(path) === "fresh";
  // Before SQLite makes the log beside the file, which gets the same mode.
  if (Deno.build.os !== "windows") Deno.chmodSync(path, 0o600);
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA busy_timeout = 1000; PRAGMA locking_mode = EXCLUSIVE");
    if (isEmpty(database)) {
      if (!fresh && Deno.statSync(path).size > 0) throw corrupt(path, "it has no tables");
      create(database);
    }
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    // Takes the lock that the exclusive mode then keeps.
    database.exec("BEGIN IMMEDIATE; COMMIT");
    check(database, path);
    return database;
  } catch (error) {
    database.close();
    throw explain(error, path);
  }
}

/** A user's view of an SQLite error: `corrupt_file` for a damaged file, `already_exists` for one in use. */
export function explain(error: unknown, path: string): Error {
  if (error instanceof PilotError) return error;
  const code = sqliteCode(error);
  if (code === 5 || code === 6) return inUse(path);
  if (code === 11 || code === 26) return corrupt(path, error instanceof Error ? error.message : "unreadable");
  return error instanceof Error ? error : new Error(String(error));
}

/** The error for a store that another registry has open. */
export function inUse(path: string): PilotError {
  return new PilotError("already_exists", `the registry store ${path} is in use by another registry`, {
    hint: "stop the other registry, or give this one its own file with --store",
  });
}

/** The error for a store that cannot be trusted. */
export function corrupt(path: string, detail: string): PilotError {
  return new PilotError("corrupt_file", `${path} is not a usable registry store: ${detail}`, {
    hint:
      "nothing was changed; restore the file from a backup, or move it away to start with an empty registry",
  });
}

/** Looks at the file without SQLite; creates an empty one with private mode when there is none. */
function recognise(path: string): "fresh" | "ours" {
  try {
    using _created = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
    return "fresh";
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  if (!Deno.statSync(path).isFile) throw corrupt(path, "it is not a regular file");
  const header = new Uint8Array(HEADER_BYTES);
  using file = Deno.openSync(path, { read: true });
  const length = file.readSync(header) ?? 0;
  if (length === 0) return "fresh";
  const magic = new TextDecoder().decode(header.subarray(0, MAGIC.length));
  if (length < HEADER_BYTES || magic !== MAGIC) throw corrupt(path, "it is not a database");
  const view = new DataView(header.buffer);
  if (view.getUint32(68) !== APPLICATION_ID) throw corrupt(path, "it belongs to another program");
  if (view.getUint32(60) > SCHEMA_VERSION) {
    throw new PilotError("invalid_state", `${path} was written by a newer version of pilot`, {
      hint: "upgrade pilot, or give this version its own file with --store",
    });
  }
  return "ours";
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_master LIMIT 1").get() === undefined;
}

/** All or nothing, and still with a rollback journal, so that the marks are in the file itself and not in its log. */
function create(database: DatabaseSync): void {
  database.exec(`
    BEGIN IMMEDIATE;
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${SCHEMA_VERSION};
    ${TABLES}
    COMMIT;
  `);
}

function check(database: DatabaseSync, path: string): void {
  const row = database.prepare("PRAGMA quick_check(1)").get();
  const verdict = row?.["quick_check"];
  if (verdict !== "ok") {
    throw corrupt(path, typeof verdict === "string" ? verdict : "the check of the file failed");
  }
  const tables = database.prepare("SELECT count(*) AS count FROM sqlite_master WHERE type = 'table'").get();
  if (Number(tables?.["count"] ?? 0) < 6) throw corrupt(path, "tables are missing");
}

/** The result code of SQLite itself: 5 busy, 6 locked, 11 corrupt, 26 not a database. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") {
    return undefined;
  }
  return error.errcode & 0xff;
}
