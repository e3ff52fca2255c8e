/** Messages between clients and the registry, the texts that are signed, and the grammar of hostnames. */

import { encodeUtf8 } from "./bytes.ts";
import type { RegistryRequest } from "./registry_request.ts";

export * from "./registry_reply.ts";
export { parseRegistryReply } from "./registry_reply_reader.ts";
export * from "./registry_request.ts";
export { decodeJson, encodeJson } from "./json.ts";

/** Longest message, in bytes, without its length prefix. */
export const MAX_REGISTRY_MESSAGE = 1048576;

/** Longest hostname, in bytes. */
export const MAX_HOSTNAME = 63;

const HOSTNAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const RESERVED_HOSTNAMES: readonly string[] = ["localhost", "backbone", "broadcast"];

/**
 * The text whose Ed25519 signature goes into `signature`, `undefined` for requests that nobody signs. A rotation is
 * signed with the old key, a punch by the requester, everything else by the node the request is about.
 */
export function registryChallenge(request: RegistryRequest): string | undefined {
  switch (request.type) {
    case "register":
      return `register:${request.listen_addr}:${request.public_key}`;
    case "rotate_key":
      return `rotate:${request.node_id}`;
    case "heartbeat":
    case "deregister":
    case "set_hostname":
    case "set_visibility":
    case "set_tags":
    case "set_task_exec":
    case "poll_handshakes":
      return `${request.type}:${request.node_id}`;
    case "resolve":
      return `resolve:${request.requester_id}:${request.node_id}`;
    case "resolve_hostname":
      return request.requester_id === undefined
        ? undefined
        : `resolve_hostname:${request.requester_id}:${request.hostname}`;
    case "report_trust":
    case "revoke_trust":
      return `${request.type}:${request.node_id}:${request.peer_id}`;
    case "request_handshake":
      // A hostname may consist of digits: another prefix keeps it from passing for a node ID.
      return request.to_node_id === 0 && request.to_hostname !== undefined
        ? `handshake_hostname:${request.from_node_id}:${request.to_hostname}`
        : `handshake:${request.from_node_id}:${request.to_node_id}`;
    case "respond_handshake":
      return `respond:${request.node_id}:${request.peer_id}`;
    case "punch":
      return `punch:${request.node_a}:${request.node_b}`;
    default:
      return undefined;
  }
}

/** Why a text is no hostname, in the words of the public registry; `undefined` when it is one. */
export function hostnameError(text: string): string | undefined {
  if (encodeUtf8(text).length > MAX_HOSTNAME) return `hostname too long (max ${MAX_HOSTNAME} chars)`;
  if (!HOSTNAME.test(text)) {
    return "hostname must be lowercase alphanumeric with hyphens, start/end with alphanumeric";
  }
  return RESERVED_HOSTNAMES.includes(text) ? `hostname "${text}" is reserved` : undefined;
}
