/**
 * The file `trust.json`: the book of relations between two runs.
 *
 * ```json
 * { "trusted":  [{ "node_id", "public_key", "approved_at", "mutual", "network"? }],
 *   "pending":  [{ "node_id", "public_key"?, "justification"?, "received_at" }],
 *   "outgoing": [{ "node_id", "justification"?, "requested_at" }],
 *   "denied":   [{ "node_id", "public_key"?, "denied_at" }] }
 * ```
 *
 * The first two lists are those of the Pilot Protocol, where an empty list may be `null` or missing and times carry a
 * zone offset. Keys are base64, times RFC 3339 with whole seconds, written in UTC. Write it with mode 0600.
 */

import { decodeBase64, encodeBase64 } from "../wire/bytes.ts";
import { Members, parseJson } from "../wire/json.ts";
import { displayText } from "./trust_text.ts";
import { formatTime, parseTime } from "./trust_time.ts";
import type { DeniedPeer, OutgoingRequest, PendingPeer, TrustedPeer, TrustSnapshot } from "./trust_types.ts";

const KEY_BYTES = 32;
const MAX_NODE = 0xffff_ffff;

/** The text of `trust.json`: two spaces of indentation, no newline at the end. */
export function encodeTrustFile(snapshot: TrustSnapshot): string {
  const file = {
    trusted: snapshot.trusted.map((entry) => ({
      node_id: entry.node,
      public_key: keyText(entry.publicKey),
      approved_at: formatTime(entry.approvedAt),
      mutual: entry.mutual,
      network: entry.network === 0 ? undefined : entry.network,
    })),
    pending: snapshot.pending.map((entry) => ({
      node_id: entry.node,
      public_key: orOmitted(keyText(entry.publicKey)),
      justification: orOmitted(entry.justification),
      received_at: formatTime(entry.receivedAt),
    })),
    outgoing: snapshot.outgoing.map((entry) => ({
      node_id: entry.node,
      justification: orOmitted(entry.justification),
      requested_at: formatTime(entry.requestedAt),
    })),
    denied: snapshot.denied.map((entry) => ({
      node_id: entry.node,
      public_key: orOmitted(keyText(entry.publicKey)),
      denied_at: formatTime(entry.deniedAt),
    })),
  };
  return JSON.stringify(file, undefined, 2)
    .replace(
      /[<>&\u2028\u2029]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/** Reads `trust.json`; `invalid` says in plain words what is wrong. Unknown members are ignored. */
export function decodeTrustFile(text: string): TrustSnapshot | { readonly invalid: string } {
  const file = Members.of(parseJson(text));
  if (file === undefined) return { invalid: "not a JSON object" };
  const trusted = readList(file, "trusted", readTrusted);
  if (typeof trusted === "string") return { invalid: trusted };
  const pending = readList(file, "pending", readPending);
  if (typeof pending === "string") return { invalid: pending };
  const outgoing = readList(file, "outgoing", readOutgoing);
  if (typeof outgoing === "string") return { invalid: outgoing };
  const denied = readList(file, "denied", readDenied);
  if (typeof denied === "string") return { invalid: denied };
  return { trusted, pending, outgoing, denied };
}

/** What every entry has in common. */
interface Base {
  readonly node: number;
  readonly publicKey: Uint8Array | undefined;
}

/** Reads one entry whose common members are read already; a string says what is wrong with which member. */
type Reader<Entry> = (members: Members, base: Base) => Entry | string;

const readTrusted: Reader<TrustedPeer> = (members, base) => {
  const mutual = members.get("mutual") ?? false;
  if (typeof mutual !== "boolean") return ".mutual is not true or false";
  const network = members.get("network") ?? 0;
  if (!isWhole(network, 0xffff)) return ".network is not a whole number from 0 to 65535";
  return { ...base, approvedAt: readTime(members, "approved_at"), mutual, network };
};

const readPending: Reader<PendingPeer> = (members, base) => {
  const justification = readText(members, "justification");
  if (justification === undefined) return ".justification is not a string";
  return { ...base, justification, receivedAt: readTime(members, "received_at") };
};

const readOutgoing: Reader<OutgoingRequest> = (members, base) => {
  const justification = readText(members, "justification");
  if (justification === undefined) return ".justification is not a string";
  return { node: base.node, justification, requestedAt: readTime(members, "requested_at") };
};

const readDenied: Reader<DeniedPeer> = (members, base) => {
  return { ...base, deniedAt: readTime(members, "denied_at") };
};

/** A list of the file; the first wrong entry makes the whole list wrong. */
function readList<Entry>(file: Members, name: string, read: Reader<Entry>): Entry[] | string {
  const value = file.get(name) ?? [];
  if (!Array.isArray(value)) return `${name} is not a list`;
  const entries: Entry[] = [];
  for (const [index, element] of value.entries()) {
    const where = `${name}[${index}]`;
    const members = Members.of(element);
    if (members === undefined) return `${where} is not an object`;
    const base = readBase(members);
    if (typeof base === "string") return where + base;
    const entry = read(members, base);
    if (typeof entry === "string") return where + entry;
    entries.push(entry);
  }
  return entries;
}

function readBase(members: Members): Base | string {
  const node = members.get("node_id");
  if (!isWhole(node, MAX_NODE)) return ".node_id is not a whole number from 0 to 4294967295";
  const key = members.get("public_key") ?? "";
  if (typeof key !== "string") return ".public_key is not a string";
  if (key === "") return { node, publicKey: undefined };
  const publicKey = decodeBase64(key);
  if (publicKey?.length !== KEY_BYTES) return `.public_key is not the base64 text of ${KEY_BYTES} bytes`;
  return { node, publicKey };
}

/** A time that cannot be read counts as 0, the entry stays. */
function readTime(members: Members, name: string): number {
  return Math.max(0, parseTime(members.string(name) ?? "") ?? 0);
}

function readText(members: Members, name: string): string | undefined {
  const value = members.get(name) ?? "";
  return typeof value === "string" ? displayText(value) : undefined;
}

function isWhole(value: unknown, maximum: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maximum;
}

function keyText(publicKey: Uint8Array | undefined): string {
  return publicKey === undefined ? "" : encodeBase64(publicKey);
}

function orOmitted(text: string): string | undefined {
  return text === "" ? undefined : text;
}
