/**
 * Messages from a program to its agent: `command 1 | payload`, in a length-prefixed frame.
 *
 * ```text
 * 01 Bind            port 2                  11 ResolveHostname  text      21 Health
 * 03 Dial            address 6, port 2       13 SetHostname      text      2B Cancel
 * 06 Send            connection 4, data      15 SetVisibility    1 byte    2D PreferDirect   node 4
 * 08 Close           connection 4            17 Deregister                 37 Unbind         port 2
 * 0B SendTo          address 6, port 2, data 19 SetTags          JSON      39 SendToConfirm  as SendTo
 * 0D Info                                    1B SetWebhook       text
 * 0F Handshake       sub-command 1, rest     1D SetTaskExec      1 byte    41 Subscribe
 * 43 Paths           [node 4]                45 Doctor                     47 Trace          node 4 [rounds 1]
 * ```
 *
 * Surplus bytes after fixed fields are ignored. The error texts are those that programs match on.
 */

import { type Address, ADDRESS_SIZE, addressBytes, readAddress } from "./address.ts";
import { concatBytes, decodeUtf8, encodeUtf8 } from "./bytes.ts";
import { Command, HandshakeCommand } from "./ipc_command.ts";
import { decodeJson, encodeJson, optional } from "./json.ts";
import { MAX_UINT8, requireUint, uint16Bytes, uint32Bytes, viewOf } from "./uint.ts";

/** Most tags of one node that an agent accepts. */
export const MAX_TAGS = 3;

/** What a program asks of its agent. Connection numbers are the agent's; texts are UTF-8. */
export type IpcRequest =
  | { readonly kind: "bind" | "unbind"; readonly port: number }
  | { readonly kind: "dial"; readonly address: Address; readonly port: number }
  | { readonly kind: "send"; readonly connection: number; readonly data: Uint8Array }
  | { readonly kind: "close"; readonly connection: number }
  | {
    readonly kind: "sendto" | "sendto_confirm";
    readonly address: Address;
    readonly port: number;
    readonly data: Uint8Array;
  }
  | {
    readonly kind:
      | "info"
      | "deregister"
      | "health"
      | "cancel"
      | "handshake_pending"
      | "handshake_trusted"
      | "subscribe"
      | "doctor";
  }
  /** Of one peer, or of all. */
  | { readonly kind: "paths"; readonly node?: number }
  /** Each path is measured `rounds` times; 5 times when absent. */
  | { readonly kind: "trace"; readonly node: number; readonly rounds?: number }
  | { readonly kind: "handshake_send"; readonly node: number; readonly justification: string }
  | { readonly kind: "handshake_approve" | "handshake_revoke"; readonly node: number }
  | { readonly kind: "handshake_reject"; readonly node: number; readonly reason: string }
  | { readonly kind: "handshake_wait"; readonly node: number; readonly milliseconds: number }
  | { readonly kind: "resolve_hostname"; readonly hostname: string }
  /** An empty name takes the hostname away. */
  | { readonly kind: "set_hostname"; readonly hostname: string }
  | { readonly kind: "set_visibility"; readonly public: boolean }
  | { readonly kind: "set_tags"; readonly tags: readonly string[] }
  /** An empty URL takes the webhook away. */
  | { readonly kind: "set_webhook"; readonly url: string }
  | { readonly kind: "set_task_exec"; readonly enabled: boolean }
  | { readonly kind: "prefer_direct"; readonly node: number };

/** A message to be answered with the error `text`, or to be ignored when that is empty. */
export interface InvalidIpcRequest {
  readonly kind: "invalid";
  readonly text: string;
}

/** Reads a message without its length prefix. `data` is a view of it. */
export function decodeIpcRequest(message: Uint8Array): IpcRequest | InvalidIpcRequest {
  const command = message[0];
  if (command === undefined) return invalid("");
  const payload = message.subarray(1);
  const view = viewOf(payload);
  switch (command) {
    case Command.BIND:
      return payload.length < 2 ? invalid("bind: missing port") : { kind: "bind", port: view.getUint16(0) };
    case Command.UNBIND:
      return payload.length < 2
        ? invalid("unbind: missing port")
        : { kind: "unbind", port: view.getUint16(0) };
    case Command.DIAL:
      if (payload.length < ADDRESS_SIZE + 2) return invalid("dial: missing address/port");
      return { kind: "dial", address: readAddress(view, 0), port: view.getUint16(ADDRESS_SIZE) };
    case Command.SEND:
      if (payload.length < 4) return invalid("send: missing conn_id");
      return { kind: "send", connection: view.getUint32(0), data: payload.subarray(4) };
    case Command.CLOSE:
      if (payload.length < 4) return invalid("close: missing conn_id");
      return { kind: "close", connection: view.getUint32(0) };
    case Command.SEND_TO:
      return decodeSendTo("sendto", payload);
    case Command.SEND_TO_CONFIRM:
      return decodeSendTo("sendto_confirm", payload);
    case Command.INFO:
      return { kind: "info" };
    case Command.HANDSHAKE:
      return decodeHandshakeRequest(payload);
    case Command.RESOLVE_HOSTNAME:
      if (payload.length === 0) return invalid("resolve_hostname: missing hostname");
      return { kind: "resolve_hostname", hostname: decodeUtf8(payload) };
    case Command.SET_HOSTNAME:
      return { kind: "set_hostname", hostname: decodeUtf8(payload) };
    case Command.SET_VISIBILITY:
      if (payload.length === 0) return invalid("set_visibility: missing value");
      return { kind: "set_visibility", public: payload[0] === 1 };
    case Command.DEREGISTER:
      return { kind: "deregister" };
    case Command.SET_TAGS:
      return decodeTags(payload);
    case Command.SET_WEBHOOK:
      return { kind: "set_webhook", url: decodeUtf8(payload) };
    case Command.SET_TASK_EXEC:
      if (payload.length === 0) return invalid("set_task_exec: missing value");
      return { kind: "set_task_exec", enabled: payload[0] === 1 };
    case Command.HEALTH:
      return { kind: "health" };
    case Command.CANCEL:
      return { kind: "cancel" };
    case Command.PREFER_DIRECT:
      if (payload.length < 4) return invalid("prefer_direct: missing node_id");
      return { kind: "prefer_direct", node: view.getUint32(0) };
    case Command.SUBSCRIBE:
      return { kind: "subscribe" };
    case Command.PATHS:
      return payload.length < 4 ? { kind: "paths" } : { kind: "paths", node: view.getUint32(0) };
    case Command.DOCTOR:
      return { kind: "doctor" };
    case Command.TRACE:
      if (payload.length < 4) return invalid("trace: missing node_id");
      return { kind: "trace", node: view.getUint32(0), ...optional("rounds", payload[4]) };
    default:
      return invalid(`unknown command: ${hexByte(command)}`);
  }
}

/** The message of a request, without the length prefix. @throws RangeError when a field does not fit */
export function encodeIpcRequest(request: IpcRequest): Uint8Array<ArrayBuffer> {
  switch (request.kind) {
    case "bind":
      return concatBytes(Uint8Array.of(Command.BIND), uint16Bytes(request.port));
    case "unbind":
      return concatBytes(Uint8Array.of(Command.UNBIND), uint16Bytes(request.port));
    case "dial":
      return concatBytes(
        Uint8Array.of(Command.DIAL),
        addressBytes(request.address),
        uint16Bytes(request.port),
      );
    case "send":
      return concatBytes(Uint8Array.of(Command.SEND), uint32Bytes(request.connection), request.data);
    case "close":
      return concatBytes(Uint8Array.of(Command.CLOSE), uint32Bytes(request.connection));
    case "sendto":
    case "sendto_confirm": {
      const command = request.kind === "sendto" ? Command.SEND_TO : Command.SEND_TO_CONFIRM;
      return concatBytes(
        Uint8Array.of(command),
        addressBytes(request.address),
        uint16Bytes(request.port),
        request.data,
      );
    }
    case "info":
      return Uint8Array.of(Command.INFO);
    case "handshake_send":
      return handshake(HandshakeCommand.SEND, uint32Bytes(request.node), encodeUtf8(request.justification));
    case "handshake_approve":
      return handshake(HandshakeCommand.APPROVE, uint32Bytes(request.node));
    case "handshake_reject":
      return handshake(HandshakeCommand.REJECT, uint32Bytes(request.node), encodeUtf8(request.reason));
    case "handshake_pending":
      return handshake(HandshakeCommand.PENDING);
    case "handshake_trusted":
      return handshake(HandshakeCommand.TRUSTED);
    case "handshake_revoke":
      return handshake(HandshakeCommand.REVOKE, uint32Bytes(request.node));
    case "handshake_wait":
      return handshake(HandshakeCommand.WAIT, uint32Bytes(request.node), uint32Bytes(request.milliseconds));
    case "resolve_hostname":
      return concatBytes(Uint8Array.of(Command.RESOLVE_HOSTNAME), encodeUtf8(request.hostname));
    case "set_hostname":
      return concatBytes(Uint8Array.of(Command.SET_HOSTNAME), encodeUtf8(request.hostname));
    case "set_visibility":
      return Uint8Array.of(Command.SET_VISIBILITY, request.public ? 1 : 0);
    case "deregister":
      return Uint8Array.of(Command.DEREGISTER);
    case "set_tags":
      return concatBytes(Uint8Array.of(Command.SET_TAGS), encodeJson(request.tags));
    case "set_webhook":
      return concatBytes(Uint8Array.of(Command.SET_WEBHOOK), encodeUtf8(request.url));
    case "set_task_exec":
      return Uint8Array.of(Command.SET_TASK_EXEC, request.enabled ? 1 : 0);
    case "health":
      return Uint8Array.of(Command.HEALTH);
    case "cancel":
      return Uint8Array.of(Command.CANCEL);
    case "prefer_direct":
      return concatBytes(Uint8Array.of(Command.PREFER_DIRECT), uint32Bytes(request.node));
    case "subscribe":
      return Uint8Array.of(Command.SUBSCRIBE);
    case "paths":
      return concatBytes(
        Uint8Array.of(Command.PATHS),
        request.node === undefined ? new Uint8Array(0) : uint32Bytes(request.node),
      );
    case "doctor":
      return Uint8Array.of(Command.DOCTOR);
    case "trace":
      requireUint("rounds", request.rounds ?? 0, MAX_UINT8);
      return concatBytes(
        Uint8Array.of(Command.TRACE),
        uint32Bytes(request.node),
        request.rounds === undefined ? new Uint8Array(0) : Uint8Array.of(request.rounds),
      );
  }
}

function decodeSendTo(
  kind: "sendto" | "sendto_confirm",
  payload: Uint8Array,
): IpcRequest | InvalidIpcRequest {
  if (payload.length < ADDRESS_SIZE + 2) return invalid("sendto: missing address/port");
  const view = viewOf(payload);
  return {
    kind,
    address: readAddress(view, 0),
    port: view.getUint16(ADDRESS_SIZE),
    data: payload.subarray(ADDRESS_SIZE + 2),
  };
}

function decodeHandshakeRequest(payload: Uint8Array): IpcRequest | InvalidIpcRequest {
  const command = payload[0];
  const rest = payload.subarray(1);
  const missing = (name: string) => invalid(`handshake ${name}: missing node_id`);
  const node = rest.length < 4 ? undefined : viewOf(rest).getUint32(0);
  switch (command) {
    case undefined:
      return invalid("handshake: missing sub-command");
    case HandshakeCommand.SEND:
      if (node === undefined) return missing("request");
      return { kind: "handshake_send", node, justification: decodeUtf8(rest.subarray(4)) };
    case HandshakeCommand.APPROVE:
      return node === undefined ? missing("approve") : { kind: "handshake_approve", node };
    case HandshakeCommand.REJECT:
      if (node === undefined) return missing("reject");
      return { kind: "handshake_reject", node, reason: decodeUtf8(rest.subarray(4)) };
    case HandshakeCommand.PENDING:
      return { kind: "handshake_pending" };
    case HandshakeCommand.TRUSTED:
      return { kind: "handshake_trusted" };
    case HandshakeCommand.REVOKE:
      return node === undefined ? missing("revoke") : { kind: "handshake_revoke", node };
    case HandshakeCommand.WAIT:
      if (node === undefined) return missing("wait");
      if (rest.length < 8) return invalid("handshake wait: missing timeout");
      return { kind: "handshake_wait", node, milliseconds: viewOf(rest).getUint32(4) };
    default:
      return invalid(`handshake: unknown sub-command ${hexByte(command)}`);
  }
}

/** A JSON array of strings; `null` counts as an empty one. */
function decodeTags(payload: Uint8Array): IpcRequest | InvalidIpcRequest {
  const json = decodeJson(payload);
  if (json === null) return { kind: "set_tags", tags: [] };
  if (!Array.isArray(json)) return invalid("set_tags: invalid JSON: not an array");
  const tags = json.filter((tag) => typeof tag === "string");
  if (tags.length !== json.length) return invalid("set_tags: invalid JSON: a tag is not a string");
  if (tags.length > MAX_TAGS) return invalid(`set_tags: maximum ${MAX_TAGS} tags allowed`);
  return { kind: "set_tags", tags };
}

function invalid(text: string): InvalidIpcRequest {
  return { kind: "invalid", text };
}

function hexByte(value: number): string {
  return `0x${value.toString(16).toUpperCase().padStart(2, "0")}`;
}

function handshake(command: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatBytes(Uint8Array.of(Command.HANDSHAKE, command), ...parts);
}
