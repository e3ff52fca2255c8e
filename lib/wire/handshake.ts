/**
 * The trust handshake, port 444: one JSON document per connection, sent as one segment, never answered on it.
 *
 * The signature covers `handshake:<sender>:<recipient>` and nothing else; the recipient is not in the document.
 */

import { decodeJson, encodeJson, Members } from "./json.ts";
import { MAX_UINT32 } from "./uint.ts";

/** Longest document that reaches every peer: it must fit the largest segment, 4096 bytes. */
export const MAX_HANDSHAKE_DOCUMENT = 4096;

const TYPES = ["handshake_request", "handshake_accept", "handshake_reject", "handshake_revoke"] as const;

/** What a document asks for or tells. */
export type HandshakeType = typeof TYPES[number];

/** A handshake document. Members are named as on the wire; texts come from a stranger. */
export interface HandshakeDocument {
  readonly type: HandshakeType;
  /** The sender. */
  readonly node_id: number;
  /** Base64 Ed25519 key of the sender, empty if it gave none. */
  readonly public_key: string;
  readonly justification: string;
  /** Base64 signature over {@linkcode handshakeChallenge}, empty if there is none. */
  readonly signature: string;
  readonly reason: string;
  /** Unix seconds. */
  readonly timestamp: number;
  /** An extension for peers that know it: a signature over all other members. */
  readonly signature_v2?: string;
}

/** Reads a document; missing and `null` members are empty or 0. `"field"` tells of a member with a wrong type. */
export function parseHandshake(bytes: Uint8Array): HandshakeDocument | "json" | "type" | "field" {
  const members = Members.of(decodeJson(bytes));
  if (members === undefined) return "json";
  const type = TYPES.find((known) => known === members.get("type"));
  if (type === undefined) return "type";
  const node = numberMember(members, "node_id");
  const timestamp = numberMember(members, "timestamp");
  const publicKey = textMember(members, "public_key");
  const justification = textMember(members, "justification");
  const signature = textMember(members, "signature");
  const reason = textMember(members, "reason");
  if (
    node === undefined || node < 0 || node > MAX_UINT32 || timestamp === undefined ||
    publicKey === undefined ||
    justification === undefined || signature === undefined || reason === undefined
  ) return "field";
  const signatureV2 = members.string("signature_v2");
  return {
    type,
    node_id: node,
    public_key: publicKey,
    justification,
    signature,
    reason,
    timestamp,
    ...(signatureV2 !== undefined && { signature_v2: signatureV2 }),
  };
}

/** The bytes of a document. @throws RangeError when they would not fit one segment of 4096 bytes */
export function encodeHandshake(document: HandshakeDocument): Uint8Array<ArrayBuffer> {
  const bytes = encodeJson({
    type: document.type,
    node_id: document.node_id,
    public_key: document.public_key,
    justification: document.justification,
    signature: document.signature,
    reason: document.reason,
    timestamp: document.timestamp,
    signature_v2: document.signature_v2,
  });
  if (bytes.length > MAX_HANDSHAKE_DOCUMENT) {
    throw new RangeError(
      `the handshake document has ${bytes.length} bytes, the limit is ${MAX_HANDSHAKE_DOCUMENT}`,
    );
  }
  return bytes;
}

/** The text a sender signs for a recipient, the same for all types. */
export function handshakeChallenge(from: number, to: number): string {
  return `handshake:${from}:${to}`;
}

function numberMember(members: Members, name: string): number | undefined {
  const value = members.get(name) ?? 0;
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}

function textMember(members: Members, name: string): string | undefined {
  const value = members.get(name) ?? "";
  return typeof value === "string" ? value : undefined;
}
