/**
 * The login of the relay over WebSocket, for networks that let no UDP pass: three JSON texts, after which every binary
 * message is one beacon datagram.
 *
 * ```text
 * beacon  {"type":"auth_challenge","nonce":<32 hex digits>,"ts":<Unix seconds>}
 * node    {"type":"auth_reply","node_id":n,"public_key":<base64>,"sig":<base64>}
 * beacon  {"type":"auth_ok"}
 * ```
 *
 * The signature (Ed25519) is over `compat_auth:<node>:<ts>:<nonce>`.
 */

import { decodeBase64, encodeBase64 } from "./bytes.ts";
import { Members, optional, parseJson } from "./json.ts";
import { MAX_UINT32 } from "./uint.ts";

/** Path of the relay on its host. */
export const COMPAT_PATH = "/v1/compat";
/** Its WebSocket subprotocol. */
export const COMPAT_PROTOCOL = "pilot.v1";
/** Longest message, bytes (Pilot Protocol). */
export const COMPAT_MAX_MESSAGE = 65_536;
/** Time for the login, milliseconds (Pilot Protocol). */
export const COMPAT_LOGIN_MS = 10_000;
/** Oldest challenge whose answer is taken, milliseconds (Pilot Protocol). */
export const COMPAT_CHALLENGE_AGE_MS = 30_000;
/** A beacon hangs up when a node was silent for this long, milliseconds (Pilot Protocol). */
export const COMPAT_IDLE_MS = 90_000;
/** A node sends a ping at this distance, milliseconds (Pilot Protocol). */
export const COMPAT_PING_MS = 30_000;
/** A ping unanswered for this long means that the connection is dead, milliseconds (Pilot Protocol). */
export const COMPAT_PONG_MS = 10_000;

/** Longest text of the login, characters: keys, signatures and numbers take far less. */
const MAX_TEXT = 4_096;
const NONCE = /^[0-9a-f]{32}$/i;

/** What the beacon wants signed. `ts` is Unix seconds; an early version of the protocol had none. */
export interface CompatChallenge {
  readonly type: "auth_challenge";
  readonly nonce: string;
  readonly ts?: number;
}

/** Who the node says it is. */
export interface CompatReply {
  readonly type: "auth_reply";
  readonly node: number;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** A text of the login. `error` is a refusal in the words of the beacon. */
export type CompatMessage =
  | CompatChallenge
  | CompatReply
  | { readonly type: "auth_ok" }
  | { readonly type: "error"; readonly reason: string };

/** Reads a text of the login, `undefined` when it is none. */
export function decodeCompat(text: string): CompatMessage | undefined {
  const members = text.length > MAX_TEXT ? undefined : Members.of(parseJson(text));
  if (members === undefined) return undefined;
  switch (members.string("type")) {
    case "auth_challenge": {
      const nonce = members.string("nonce");
      const ts = members.uint("ts", Number.MAX_SAFE_INTEGER);
      if (nonce === undefined || !NONCE.test(nonce)) return undefined;
      if (ts === undefined && members.get("ts") !== undefined) return undefined;
      return { type: "auth_challenge", nonce, ...optional("ts", ts) };
    }
    case "auth_reply": {
      const node = members.uint("node_id", MAX_UINT32);
      const publicKey = decodeBase64(members.string("public_key") ?? "");
      const signature = decodeBase64(members.string("sig") ?? "");
      if (node === undefined || publicKey?.length !== 32 || signature?.length !== 64) return undefined;
      return { type: "auth_reply", node, publicKey, signature };
    }
    case "auth_ok":
      return { type: "auth_ok" };
    case "auth_error":
    case "error":
      return {
        type: "error",
        reason: members.string("error") ?? members.string("reason") ?? "no reason given",
      };
    default:
      return undefined;
  }
}

/** The text of a message. */
export function encodeCompat(message: CompatMessage): string {
  switch (message.type) {
    case "auth_challenge":
    case "auth_ok":
      return JSON.stringify(message);
    case "auth_reply":
      return JSON.stringify({
        type: message.type,
        node_id: message.node,
        public_key: encodeBase64(message.publicKey),
        sig: encodeBase64(message.signature),
      });
    case "error":
      return JSON.stringify({ type: "error", error: message.reason });
  }
}

/** The text that node number `node` signs to answer a challenge. */
export function compatProof(node: number, challenge: Pick<CompatChallenge, "nonce" | "ts">): string {
  return challenge.ts === undefined
    ? `compat_auth:${node}:${challenge.nonce}`
    : `compat_auth:${node}:${challenge.ts}:${challenge.nonce}`;
}
