/**
 * Messages from an agent to a program: `command 1 | payload`, in a length-prefixed frame.
 *
 * ```text
 * 02 BindOK    port 2                                    0A Error     code 2, text
 * 04 DialOK    connection 4 [local address 6, port 2]    0C RecvFrom  source 6, source port 2, destination port 2, data
 * 05 Accept    local port 2, connection 4,               38 UnbindOK  port 2
 *              remote 6, remote port 2 [local address 6] 3A SendToOK
 * 07 Recv      connection 4, data                        all others: one JSON document
 * 09 CloseOK   connection 4 [reason 1]
 * ```
 *
 * What is in brackets is an extension; programs that do not know it ignore it.
 */

import { type Address, addressBytes, readAddress } from "./address.ts";
import { concatBytes, decodeUtf8, encodeUtf8 } from "./bytes.ts";
import { Command } from "./ipc_command.ts";
import { optional } from "./json.ts";
import { MAX_UINT8, requireUint, uint16Bytes, uint32Bytes, viewOf } from "./uint.ts";

/** The code of an error that has no better one. */
export const GENERIC_ERROR_CODE = 1;

/** What an agent tells a program, in reply or on its own. */
export type IpcReply =
  | { readonly kind: "bind_ok" | "unbind_ok"; readonly port: number }
  | {
    readonly kind: "dial_ok";
    readonly connection: number;
    readonly localAddress?: Address;
    readonly localPort?: number;
  }
  | {
    readonly kind: "accept";
    /** The bound port. */
    readonly port: number;
    readonly connection: number;
    readonly remote: Address;
    readonly remotePort: number;
    readonly localAddress?: Address;
  }
  | { readonly kind: "recv"; readonly connection: number; readonly data: Uint8Array }
  | { readonly kind: "close_ok"; readonly connection: number; readonly reason?: number }
  | { readonly kind: "error"; readonly code: number; readonly text: string }
  | {
    readonly kind: "recv_from";
    readonly source: Address;
    readonly sourcePort: number;
    readonly destinationPort: number;
    readonly data: Uint8Array;
  }
  | { readonly kind: "sendto_ok" }
  /** `command` is the reply's {@linkcode Command}, `text` a JSON document. */
  | { readonly kind: "json"; readonly command: number; readonly text: string };

const JSON_COMMANDS: ReadonlySet<number> = new Set([
  Command.INFO_OK,
  Command.HANDSHAKE_OK,
  Command.RESOLVE_HOSTNAME_OK,
  Command.SET_HOSTNAME_OK,
  Command.SET_VISIBILITY_OK,
  Command.DEREGISTER_OK,
  Command.SET_TAGS_OK,
  Command.SET_WEBHOOK_OK,
  Command.SET_TASK_EXEC_OK,
  Command.NETWORK_OK,
  Command.HEALTH_OK,
  Command.MANAGED_OK,
  Command.ROTATE_KEY_OK,
  Command.BROADCAST_OK,
  Command.PREFER_DIRECT_OK,
  Command.SUBMIT_BADGE_OK,
  Command.ENROLL_RECOVERY_OK,
  Command.SIGN_ENVELOPE_OK,
  Command.VERIFY_ENVELOPE_OK,
  Command.EVENT,
  Command.PATHS_OK,
  Command.DOCTOR_OK,
  Command.TRACE_OK,
]);

/** Reads a message without its length prefix; `data` is a view of it. */
export function decodeIpcReply(message: Uint8Array): IpcReply | "short" | "unknown" {
  const command = message[0];
  if (command === undefined) return "short";
  const payload = message.subarray(1);
  const view = viewOf(payload);
  switch (command) {
    case Command.BIND_OK:
      return payload.length < 2 ? "short" : { kind: "bind_ok", port: view.getUint16(0) };
    case Command.UNBIND_OK:
      return payload.length < 2 ? "short" : { kind: "unbind_ok", port: view.getUint16(0) };
    case Command.DIAL_OK: {
      if (payload.length < 4) return "short";
      const extended = payload.length >= 12;
      return {
        kind: "dial_ok",
        connection: view.getUint32(0),
        ...(extended && { localAddress: readAddress(view, 4), localPort: view.getUint16(10) }),
      };
    }
    case Command.ACCEPT:
      if (payload.length < 14) return "short";
      return {
        kind: "accept",
        port: view.getUint16(0),
        connection: view.getUint32(2),
        remote: readAddress(view, 6),
        remotePort: view.getUint16(12),
        ...(payload.length >= 20 && { localAddress: readAddress(view, 14) }),
      };
    case Command.RECV:
      if (payload.length < 4) return "short";
      return { kind: "recv", connection: view.getUint32(0), data: payload.subarray(4) };
    case Command.CLOSE_OK:
      if (payload.length < 4) return "short";
      return { kind: "close_ok", connection: view.getUint32(0), ...optional("reason", payload[4]) };
    case Command.ERROR:
      if (payload.length < 2) return "short";
      return { kind: "error", code: view.getUint16(0), text: decodeUtf8(payload.subarray(2)) };
    case Command.RECV_FROM:
      if (payload.length < 10) return "short";
      return {
        kind: "recv_from",
        source: readAddress(view, 0),
        sourcePort: view.getUint16(6),
        destinationPort: view.getUint16(8),
        data: payload.subarray(10),
      };
    case Command.SEND_TO_OK:
      return { kind: "sendto_ok" };
    default:
      return JSON_COMMANDS.has(command) ? { kind: "json", command, text: decodeUtf8(payload) } : "unknown";
  }
}

/** The message of a reply, without the length prefix. @throws RangeError when a field does not fit */
export function encodeIpcReply(reply: IpcReply): Uint8Array<ArrayBuffer> {
  switch (reply.kind) {
    case "bind_ok":
      return concatBytes(Uint8Array.of(Command.BIND_OK), uint16Bytes(reply.port));
    case "unbind_ok":
      return concatBytes(Uint8Array.of(Command.UNBIND_OK), uint16Bytes(reply.port));
    case "dial_ok":
      return concatBytes(
        Uint8Array.of(Command.DIAL_OK),
        uint32Bytes(reply.connection),
        reply.localAddress === undefined || reply.localPort === undefined
          ? new Uint8Array(0)
          : concatBytes(addressBytes(reply.localAddress), uint16Bytes(reply.localPort)),
      );
    case "accept":
      return concatBytes(
        Uint8Array.of(Command.ACCEPT),
        uint16Bytes(reply.port),
        uint32Bytes(reply.connection),
        addressBytes(reply.remote),
        uint16Bytes(reply.remotePort),
        reply.localAddress === undefined ? new Uint8Array(0) : addressBytes(reply.localAddress),
      );
    case "recv":
      return concatBytes(Uint8Array.of(Command.RECV), uint32Bytes(reply.connection), reply.data);
    case "close_ok":
      requireUint("reason", reply.reason ?? 0, MAX_UINT8);
      return concatBytes(
        Uint8Array.of(Command.CLOSE_OK),
        uint32Bytes(reply.connection),
        reply.reason === undefined ? new Uint8Array(0) : Uint8Array.of(reply.reason),
      );
    case "error":
      return concatBytes(Uint8Array.of(Command.ERROR), uint16Bytes(reply.code), encodeUtf8(reply.text));
    case "recv_from":
      return concatBytes(
        Uint8Array.of(Command.RECV_FROM),
        addressBytes(reply.source),
        uint16Bytes(reply.sourcePort),
        uint16Bytes(reply.destinationPort),
        reply.data,
      );
    case "sendto_ok":
      return Uint8Array.of(Command.SEND_TO_OK);
    case "json":
      if (!JSON_COMMANDS.has(reply.command)) {
        throw new RangeError(`command ${reply.command} carries no JSON document`);
      }
      return concatBytes(Uint8Array.of(reply.command), encodeUtf8(reply.text));
  }
}
