/** Failures in the words that programs written for Pilot Protocol match on. */

import { type ErrorCode, PilotError } from "../../../lib/wire/error.ts";
import type { RegistryReply } from "../../../lib/wire/registry.ts";

/** What a client is told when a request fails. */
export interface Failure {
  readonly text: string;
  /** Only clients that speak our additions see this and the following. */
  readonly code?: ErrorCode | undefined;
  readonly hint?: string | undefined;
  readonly connection?: number | undefined;
}

/** The text of a refused broadcast. */
export const NO_BROADCAST = "sendto: broadcast is not available \u2014 custom networks are WIP";

/** Largest payload of one packet in bytes. */
export const MAX_DATAGRAM = 65_535;

const REFUSED = "registry: request failed";

/** A failed Dial to `node`. */
export function dialFailure(error: unknown, node: number): Failure {
  return { text: reachText(error, node), ...extras(error) };
}

/** A failed SendTo of `length` bytes to `node`. */
export function datagramFailure(error: unknown, options: { node: number; length: number }): Failure {
  if (error instanceof PilotError && error.code === "too_large") {
    return { ...oversizeFailure(options.length), ...extras(error) };
  }
  return { text: `sendto: ${reachText(error, options.node)}`, ...extras(error) };
}

/** A datagram that no packet can hold, or that the operating system would refuse. */
export function oversizeFailure(length: number): Failure {
  const text = length > MAX_DATAGRAM
    ? `sendto: marshal: payload too large: ${length} bytes (max ${MAX_DATAGRAM})`
    : "sendto: write udp: message too long";
  return { text, code: "too_large" };
}

/** A failed Send on stream `connection` to `node`. */
export function sendFailure(error: unknown, options: { connection: number; node: number }): Failure {
  const untrusted = error instanceof PilotError && error.code === "not_trusted";
  const text = untrusted ? `send: no tunnel to node ${options.node}` : "send: connection closed";
  return { text, ...extras(error), connection: options.connection };
}

/** A failed call with a reference to a command, such as `handshake request: ...`. */
export function callFailure(command: string, error: unknown): Failure {
  const text = error instanceof PilotError ? error.message : "internal error";
  return { text: text.startsWith(`${command}: `) ? text : `${command}: ${text}`, ...extras(error) };
}

/** A failed trust action: refusals of the registry read as they always did. */
export function trustFailure(command: string, error: unknown): Failure {
  if (!(error instanceof PilotError)) return callFailure(command, error);
  const registry = error.code === "not_found" || error.code === "unavailable" || error.code === "timeout" ||
    error.code === "connection_failed";
  if (command !== "handshake request" || !registry || error.message.startsWith("handshake relay: ")) {
    return callFailure(command, error);
  }
  const reason = error.code === "not_found" ? REFUSED : error.message;
  return { text: `${command}: handshake relay: ${reason}`, ...extras(error) };
}

/** An error reply of the registry to `command`. */
export function registryFailure(command: string, reply: Extract<RegistryReply, { type: "error" }>): Failure {
  return { text: `${command}: registry: ${reply.error}`, hint: reply.hint, code: registryCode(reply.code) };
}

/** Why a peer could not be reached, without a prefix. */
function reachText(error: unknown, node: number): string {
  if (!(error instanceof PilotError)) return "internal error";
  const { code, message } = error;
  if (/^(resolve |node \d+ has no real address|send SYN: |connection refused$|dial timeout$)/.test(message)) {
    return message;
  }
  switch (code) {
    case "timeout":
      return "dial timeout";
    case "not_found":
    case "not_trusted":
      return `resolve node ${node}: ${REFUSED}`;
    case "connection_failed":
    case "unavailable":
      return `resolve node ${node}: ${message}`;
    default:
      return message;
  }
}

function extras(error: unknown): { code: ErrorCode; hint?: string } {
  if (!(error instanceof PilotError)) return { code: "internal" };
  return error.hint === undefined ? { code: error.code } : { code: error.code, hint: error.hint };
}

/** What the codes of a registry mean to a user. */
const REGISTRY_CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ["not_registered", "unavailable"],
  ["denied", "not_trusted"],
  ["not_found", "not_found"],
  ["taken", "already_exists"],
  ["rate_limited", "unavailable"],
  ["unknown_type", "unavailable"],
  ["invalid", "invalid_argument"],
]);

function registryCode(code: string | undefined): ErrorCode | undefined {
  return code === undefined ? undefined : REGISTRY_CODES.get(code);
}
