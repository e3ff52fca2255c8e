/**
 * What pilot adds to the local protocol, without breaking drivers or daemons that do not know it.
 *
 * A client that understands the additions says so first on each socket: `Health` with one payload byte of flags.
 * Other daemons ignore the byte or answer `unknown command: 0x21`. An agent that understands answers with the JSON
 * member `"extensions": 1`, and from then on, on this socket only:
 *
 * ```text
 * Error     code 2 (see ERROR_CODES) | text | 00 | JSON {"hint"?, "connection"?}    the last two only when known
 * DialOK    connection 4 | local address 6 | local port 2
 * Accept    local port 2 | connection 4 | remote address 6 | remote port 2 | local address 6
 * CloseOK   connection 4 | reason 1 (see END_REASONS)                                 as notice only
 * Credit    40 | connection 4 | bytes 4             both ways: so much more may be sent
 * ```
 *
 * Each side sends at most `INITIAL_CREDIT` of one stream beyond what Credit returned: the agent counts the bytes of
 * its Recvs, the client those of its Sends plus `SEND_OVERHEAD` for each. So both sides can always read everything,
 * a program that pauses one stream neither fills its memory nor stops the others, and no Credit is ever stuck
 * behind data. On such a socket CloseOK and the errors of Sends are not held back for the order of replies, because
 * they name their stream.
 *
 * Any client may ask for what follows, without a greeting; other daemons answer `unknown command`. All of it comes
 * from the agent's own knowledge and measurements; replies that would be too long are cut and say `"truncated": true`.
 *
 * ```text
 * Subscribe 41                                      answered with the event "subscribed"; then events as they happen
 * Event     42 | JSON {"type", "time", ...}         "lost" with "count" when the client did not keep up
 * Paths     43 | [node 4]                           44 | JSON {"peers": [...]}, see paths.ts
 * Doctor    45                                      46 | JSON {"checks": [...], ...}, see doctor.ts
 * Trace     47 | node 4 | [rounds 1]                48 | JSON {"paths": [...], ...}, see trace.ts
 * ```
 *
 * On any socket, `Close` with one more byte `01` ends the sending side only: what the peer sends goes on arriving,
 * and the reply is CloseOK with the reason byte `HALF_CLOSED`. Daemons that do not know it close both sides.
 */

import type { ErrorCode } from "../wire/error.ts";

/** Version of the additions as reported by `Health`. */
export const EXTENSIONS_VERSION = 1;

/** First payload byte of `Health`: flags of the client. */
export const Hello = {
  /** Speaks the additions. */
  EXTENDED: 1,
  /** Wants no datagrams on this socket. */
  NO_DATAGRAMS: 2,
} as const;

/** Command byte of Credit. Public networks use the numbers up to 0x3A. */
export const CREDIT = 0x40;

/** What a Send costs beside its bytes, so that many small ones are bounded as well. */
export const SEND_OVERHEAD = 256;

/**
 * Bytes of one stream that may be sent before the first Credit: what 200 MB/s need when an answer takes 5 ms. Less
 * than the agent queues for one client: a program that is stopped for a while with one busy stream is not taken for
 * dead.
 */
export const INITIAL_CREDIT = 1024 * 1024;

/** The byte behind `Close` that ends the sending side only. */
export const HALF_CLOSE = 1;

/** Reason byte of the reply to such a `Close`: the stream goes on. */
export const HALF_CLOSED = 0xff;

/** Why a stream ended: the position is the reason byte. */
export const END_REASONS = ["done", "reset", "idle", "unreachable", "timeout", "aborted", "refused"] as const;

/** Why a stream ended. */
export type EndReason = typeof END_REASONS[number];

/** Error codes by number, from 2; 1 is what every daemon sends for any error. */
export const ERROR_CODES: readonly (ErrorCode | undefined)[] = [
  undefined,
  undefined,
  "invalid_argument",
  "not_found",
  "already_exists",
  "not_running",
  "connection_failed",
  "timeout",
  "internal",
  "invalid_state",
  "expired",
  "unavailable",
  "not_trusted",
  "too_large",
];

/** What an Error may carry behind its text. */
export interface ErrorDetails {
  readonly hint?: string;
  /** The stream whose Send failed. */
  readonly connection?: number;
}

/** A Credit message. */
export function creditMessage(connection: number, bytes: number): Uint8Array {
  const message = new Uint8Array(9);
  const view = new DataView(message.buffer);
  message[0] = CREDIT;
  view.setUint32(1, connection);
  view.setUint32(5, bytes);
  return message;
}

/** Reads a Credit message, `undefined` when it is something else. */
export function readCredit(message: Uint8Array): { connection: number; bytes: number } | undefined {
  if (message[0] !== CREDIT || message.length < 9) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  return { connection: view.getUint32(1), bytes: view.getUint32(5) };
}
