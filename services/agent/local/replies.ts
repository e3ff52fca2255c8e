/** Replies and pushes as bytes, with our additions for those who understand them. */

import { ERROR_CODES, type ErrorDetails, HALF_CLOSED } from "../../../lib/client/extensions.ts";
import type { Address } from "../../../lib/wire/address.ts";
import { encodeIpcReply, GENERIC_ERROR_CODE, MAX_IPC_MESSAGE } from "../../../lib/wire/ipc.ts";
import type { AgentStream } from "../api.ts";
import type { Failure } from "./failures.ts";

/** `DialOK`, with the local end of the stream for extended clients. */
export function dialReply(stream: AgentStream, localAddress: Address | undefined): Uint8Array {
  const { id: connection, localPort } = stream;
  return encodeIpcReply({
    kind: "dial_ok",
    connection,
    ...(localAddress === undefined ? {} : { localAddress, localPort }),
  });
}

/** `Accept`, with the local address for extended clients. */
export function acceptPush(
  stream: AgentStream,
  port: number,
  localAddress: Address | undefined,
): Uint8Array {
  const { id: connection, remote, remotePort } = stream;
  return encodeIpcReply({
    kind: "accept",
    port,
    connection,
    remote,
    remotePort,
    ...(localAddress === undefined ? {} : { localAddress }),
  });
}

/** `CloseOK` as reply; `half` when only the sending side was ended. */
export function closeReply(connection: number, half: boolean): Uint8Array {
  return encodeIpcReply({ kind: "close_ok", connection, ...(half ? { reason: HALF_CLOSED } : {}) });
}

/** A reply that is a JSON object. */
export function jsonReply(command: number, value: object | string): Uint8Array {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const message = encodeIpcReply({ kind: "json", command, text });
  return message.length <= MAX_IPC_MESSAGE ? message : errorReply({ text: "reply too large" }, false);
}

/** `Error`. The code is 1 and the text ends the message unless the client is `extended`. */
export function errorReply(failure: Failure, extended: boolean): Uint8Array {
  const { text, code, hint, connection } = failure;
  if (!extended) return encodeIpcReply({ kind: "error", code: GENERIC_ERROR_CODE, text });
  const number = code === undefined ? -1 : ERROR_CODES.indexOf(code);
  const details: ErrorDetails = {
    ...(hint === undefined ? {} : { hint }),
    ...(connection === undefined ? {} : { connection }),
  };
  const tail = hint === undefined && connection === undefined ? "" : `\0${JSON.stringify(details)}`;
  return encodeIpcReply({
    kind: "error",
    code: number < 0 ? GENERIC_ERROR_CODE : number,
    text: `${text}${tail}`,
  });
}
