/**
 * Handshake messages of the Pilot Protocol: made, and believed or not.
 *
 * The signature of the protocol covers only who speaks to whom. A second one, `signature_v2`, covers every field:
 *
 * ```text
 * "pilot-handshake-v2:" then for type, node_id, recipient, public_key, justification, reason, timestamp
 *     <bytes of the UTF-8 text, decimal> ":" <text> ","          (a netstring; numbers in decimal)
 * ```
 *
 * Nodes that do not know it ignore it; we always send it, and refuse a message whose second signature is wrong.
 */

import { type Identity, signBase64, verify } from "../crypto/identity.ts";
import { decodeBase64, encodeBase64, encodeUtf8, equalBytes } from "../wire/bytes.ts";
import { encodeHandshake, handshakeChallenge, type HandshakeDocument } from "../wire/handshake.ts";
import { MESSAGE_MAX_AGE_S, MESSAGE_MAX_SKEW_S } from "./trust_constants.ts";
import type { TrustSource } from "./trust_types.ts";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** What a message says. Times are Unix seconds. */
export interface MessageContent {
  readonly kind: HandshakeDocument["type"];
  readonly from: number;
  readonly to: number;
  readonly justification?: string;
  readonly reason?: string;
  readonly unixSeconds: number;
}

/** A signed message as sent. @throws RangeError when its texts do not fit one segment. */
export function composeMessage(identity: Identity, content: MessageContent): Uint8Array {
  const unsigned: HandshakeDocument = {
    type: content.kind,
    node_id: content.from,
    public_key: encodeBase64(identity.publicKey),
    justification: content.justification ?? "",
    signature: signBase64(identity, handshakeChallenge(content.from, content.to)),
    reason: content.reason ?? "",
    timestamp: content.unixSeconds,
  };
  return encodeHandshake({
    ...unsigned,
    signature_v2: signBase64(identity, fullChallenge(unsigned, content.to)),
  });
}

/** The text that `signature_v2` signs. */
export function fullChallenge(document: HandshakeDocument, recipient: number): string {
  const fields = [
    document.type,
    String(document.node_id),
    String(recipient),
    document.public_key,
    document.justification,
    document.reason,
    String(document.timestamp),
  ];
  return "pilot-handshake-v2:" + fields.map((field) => `${encodeUtf8(field).length}:${field},`).join("");
}

/** Why a message is not believed. */
export type Disbelief = "self" | "sender" | "age" | "key" | "signature" | "signature-v2";

/**
 * Whether `document` was said by the node at the other end of the tunnel, to us, just now. `undefined`: yes.
 *
 * The sender must be the node that authenticated the tunnel and the key the one it did so with, so neither a captured
 * signature nor a self-made key can speak for another node.
 */
export function disbelieve(
  document: HandshakeDocument,
  context: { readonly self: number; readonly source: TrustSource; readonly unixSeconds: number },
): Disbelief | undefined {
  const { self, source, unixSeconds } = context;
  if (document.node_id === self) return "self";
  if (document.node_id !== source.node) return "sender";
  const age = unixSeconds - document.timestamp;
  // Written so that a value which is no number fails.
  if (!(age <= MESSAGE_MAX_AGE_S && age >= -MESSAGE_MAX_SKEW_S)) return "age";
  const publicKey = decodeBase64(document.public_key);
  if (publicKey === undefined || publicKey.length !== KEY_BYTES) return "key";
  if (!equalBytes(publicKey, source.publicKey)) return "key";
  if (!verifies(publicKey, handshakeChallenge(document.node_id, self), document.signature)) {
    return "signature";
  }
  if (document.signature_v2 === undefined) return undefined;
  return verifies(publicKey, fullChallenge(document, self), document.signature_v2)
    ? undefined
    : "signature-v2";
}

function verifies(publicKey: Uint8Array, text: string, signature: string): boolean {
  const bytes = decodeBase64(signature);
  if (bytes === undefined || bytes.length !== SIGNATURE_BYTES) return false;
  return verify(publicKey, encodeUtf8(text), bytes);
}
