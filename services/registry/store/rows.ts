/** Rows of the registry's database as records. A row that does not fit its record is a damaged file. */

import type { SQLOutputValue } from "node:sqlite";
import type { InboxItem, NameRecord, NodeRecord, TrustRecord } from "../../../lib/registry/store.ts";

/** A row as SQLite gives it. */
export type Row = Record<string, SQLOutputValue>;

/** Makes the error for a row with the given fault. */
export type Fault = (detail: string) => Error;

/** A row of `nodes`. @throws what `fault` makes when a column does not fit */
export function toNodeRecord(row: Row, fault: Fault): NodeRecord {
  return {
    id: number(row, "id", fault),
    publicKey: text(row, "public_key", fault),
    owner: text(row, "owner", fault),
    live: number(row, "live", fault) === 1,
    endpoint: text(row, "endpoint", fault),
    announced: text(row, "announced", fault),
    lanAddresses: texts(row, "lan_addresses", fault),
    relayOnly: number(row, "relay_only", fault) === 1,
    lastSeen: number(row, "last_seen", fault),
    signed: number(row, "signed", fault) === 1,
    public: number(row, "public", fault) === 1,
    tags: texts(row, "tags", fault),
    taskExec: number(row, "task_exec", fault) === 1,
    score: number(row, "score", fault),
  };
}

/** A row of `names`. @throws what `fault` makes when a column does not fit */
export function toNameRecord(row: Row, fault: Fault): NameRecord {
  return {
    hostname: text(row, "hostname", fault),
    node: number(row, "node", fault),
    reservedUntil: row["reserved_until"] === null ? undefined : number(row, "reserved_until", fault),
  };
}

/** A row of `trust`. @throws what `fault` makes when a column does not fit */
export function toTrustRecord(row: Row, fault: Fault): TrustRecord {
  const state = text(row, "state", fault);
  if (state !== "asked" && state !== "asserted" && state !== "revoked") throw fault(`trust state ${state}`);
  return {
    node: number(row, "node", fault),
    peer: number(row, "peer", fault),
    state,
    at: number(row, "at", fault),
  };
}

/** A row of `inbox`. @throws what `fault` makes when a column does not fit */
export function toInboxItem(row: Row, fault: Fault): InboxItem {
  const from = number(row, "sender", fault);
  return {
    sequence: number(row, "sequence", fault),
    node: number(row, "node", fault),
    message: text(row, "kind", fault) === "request"
      ? { kind: "request", from, justification: text(row, "justification", fault) }
      : { kind: "response", from, accept: number(row, "accept", fault) === 1 },
    at: number(row, "at", fault),
  };
}

function text(row: Row, column: string, fault: Fault): string {
  const value = row[column];
  if (typeof value !== "string") throw fault(`column ${column} holds no text`);
  return value;
}

function number(row: Row, column: string, fault: Fault): number {
  const value = row[column];
  if (typeof value !== "number") throw fault(`column ${column} holds no number`);
  return value;
}

function texts(row: Row, column: string, fault: Fault): readonly string[] {
  let list: unknown;
  try {
    list = JSON.parse(text(row, column, fault));
  } catch {
    throw fault(`column ${column} holds no list`);
  }
  if (!Array.isArray(list)) throw fault(`column ${column} holds no list`);
  return list.filter((item) => typeof item === "string");
}
