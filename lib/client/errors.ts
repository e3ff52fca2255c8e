/** Error messages of an agent, ours or another, as `PilotError`s. */

import { type ErrorCode, PilotError } from "../wire/error.ts";
import { ERROR_CODES, type ErrorDetails } from "./extensions.ts";

/** An Error as it came from the agent. */
export interface AgentError {
  readonly text: string;
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
}

/** Takes an Error apart. Agents that send only a text are understood by its wording. */
export function readAgentError(number: number, payload: string): AgentError {
  const end = payload.indexOf("\0");
  const text = end < 0 ? payload : payload.slice(0, end);
  const details = end < 0 ? {} : readDetails(payload.slice(end + 1));
  return { text, code: ERROR_CODES[number] ?? codeOfText(text), details };
}

/** The error for a person; `what` was tried. */
export function toPilotError(error: AgentError, what?: string): PilotError {
  const message = what === undefined ? error.text : `${what}: ${error.text}`;
  const hint = error.details.hint ?? hintOf(error);
  return new PilotError(error.code, message, hint === undefined ? {} : { hint });
}

/** The agent is gone, and with it everything that went over its socket. */
export function agentGone(cause?: unknown): PilotError {
  return new PilotError("not_running", "the agent closed the connection", {
    hint: "see whether it still runs: pilot agent status",
    cause,
  });
}

/** The agent does not know what it was asked. */
export function tooOld(cause: unknown): PilotError {
  return new PilotError("unavailable", "the running agent does not know this yet", {
    hint: "it is older than this program: stop it and start it again",
    cause,
  });
}

/** Whether an agent's error says that it does not know the command. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof PilotError && /unknown (sub-)?command/.test(error.message);
}

const TEXTS: readonly (readonly [RegExp, ErrorCode])[] = [
  [/already bound$/, "already_exists"],
  [/connection refused$/, "connection_failed"],
  [/dial timeout$/, "timeout"],
  [/resolve node \d+: registry: request failed$/, "not_found"],
  [/^resolve_hostname: registry: request failed$/, "not_found"],
  [/was not trusted$|not found$|has no real address$/, "not_found"],
  [/registry: request failed$/, "invalid_argument"],
  [/payload too large|message too long/, "too_large"],
  [/missing |invalid JSON|maximum \d+ tags/, "invalid_argument"],
  [/^unknown command|unknown sub-command|not available|cancelled/, "unavailable"],
  [/no tunnel to node/, "not_trusted"],
  [/^send: connection/, "invalid_state"],
  [/resolve |reconnect failed|send SYN|write udp/, "connection_failed"],
];

function codeOfText(text: string): ErrorCode {
  return TEXTS.find(([pattern]) => pattern.test(text))?.[1] ?? "internal";
}

function hintOf({ code, text }: AgentError): string | undefined {
  const node = /node (\d+)/.exec(text)?.[1];
  if (/connection refused$/.test(text)) return "nothing listens on that port of the peer";
  if (/dial timeout$/.test(text)) return "the peer is offline, or it has not approved this node";
  if (node !== undefined && (code === "not_found" || code === "not_trusted") && /resolve|tunnel/.test(text)) {
    return `the node is unknown or does not trust this one: pilot trust add ${node}`;
  }
  return undefined;
}

function readDetails(json: string): ErrorDetails {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== "object" || value === null) return {};
    return {
      ...("hint" in value && typeof value.hint === "string" ? { hint: value.hint } : {}),
      ...("connection" in value && typeof value.connection === "number"
        ? { connection: value.connection }
        : {}),
    };
  } catch {
    return {};
  }
}
