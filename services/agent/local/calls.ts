/** Requests that the agent answers with a JSON object, or with an error in the familiar words. */

import { EXTENSIONS_VERSION } from "../../../lib/client/extensions.ts";
import { Command, type IpcRequest, MAX_IPC_MESSAGE } from "../../../lib/wire/ipc.ts";
import type { RegistryReply } from "../../../lib/wire/registry.ts";
import type { AgentApi } from "../api.ts";
import { callFailure, type Failure, registryFailure, trustFailure } from "./failures.ts";
import { healthJson, infoJson, pathsJson } from "./info.ts";
import { jsonReply } from "./replies.ts";

/** Longest wait that one request may ask for, in milliseconds. */
const MAX_WAIT = 30_000;

/** A reply message, or what went wrong. */
export type CallResult = Uint8Array | Failure;

/** Requests answered with JSON. */
export type CallRequest = Exclude<
  IpcRequest,
  {
    kind:
      | "bind"
      | "unbind"
      | "dial"
      | "cancel"
      | "send"
      | "close"
      | "sendto"
      | "sendto_confirm"
      | "subscribe";
  }
>;

/** Carries out one request. Never rejects. */
export async function call(api: AgentApi, request: CallRequest): Promise<CallResult> {
  const trust = trustCall(api, request);
  if (trust !== undefined) {
    try {
      return jsonReply(Command.HANDSHAKE_OK, await trust.run());
    } catch (error) {
      return trustFailure(trust.name, error);
    }
  }
  const registry = registryCall(api, request);
  if (registry !== undefined) {
    try {
      const reply = await registry.run();
      return reply.type === "error"
        ? registryFailure(registry.name, reply)
        : jsonReply(registry.reply, reply);
    } catch (error) {
      return callFailure(registry.name, error);
    }
  }
  try {
    switch (request.kind) {
      case "info":
        return jsonReply(Command.INFO_OK, infoJson(api.info(), MAX_IPC_MESSAGE - 1));
      case "health":
        return jsonReply(Command.HEALTH_OK, healthJson(api.health(), EXTENSIONS_VERSION));
      case "paths":
        return jsonReply(Command.PATHS_OK, pathsJson(api.paths(request.node), MAX_IPC_MESSAGE - 1));
      case "doctor":
        return jsonReply(Command.DOCTOR_OK, await api.doctor());
      case "trace":
        return jsonReply(Command.TRACE_OK, await api.trace(request.node, request.rounds));
      case "set_webhook":
        return { text: "set_webhook: not available", code: "unavailable" };
      case "prefer_direct":
        return { text: "unknown command: 0x2D", code: "unavailable" };
      default:
        return { text: "internal error", code: "internal" };
    }
  } catch (error) {
    return callFailure(request.kind, error);
  }
}

interface TrustCall {
  readonly name: string;
  readonly run: () => Promise<object>;
}

function trustCall(api: AgentApi, request: CallRequest): TrustCall | undefined {
  switch (request.kind) {
    case "handshake_send":
      return {
        name: "handshake request",
        run: () => api.requestTrust(request.node, request.justification),
      };
    case "handshake_approve":
      return {
        name: "handshake approve",
        run: async () => ({ ...await api.approveTrust(request.node), status: "approved" }),
      };
    case "handshake_reject":
      return {
        name: "handshake reject",
        run: async () => ({ ...await api.rejectTrust(request.node, request.reason), status: "rejected" }),
      };
    case "handshake_revoke":
      return {
        name: "handshake revoke",
        run: async () => {
          await api.revokeTrust(request.node);
          return { node_id: request.node, status: "revoked" };
        },
      };
    case "handshake_pending":
      return { name: "handshake pending", run: async () => ({ pending: await api.pendingTrust() }) };
    case "handshake_trusted":
      return { name: "handshake trusted", run: async () => ({ trusted: await api.trustedPeers() }) };
    case "handshake_wait":
      return {
        name: "handshake wait",
        run: async () => {
          const wait = Math.min(request.milliseconds, MAX_WAIT);
          const trusted = await api.waitForTrust(request.node, wait);
          return { node_id: request.node, trusted, status: trusted ? "trusted" : "timeout" };
        },
      };
    default:
      return undefined;
  }
}

interface RegistryCall {
  readonly name: string;
  readonly reply: number;
  readonly run: () => Promise<RegistryReply>;
}

function registryCall(api: AgentApi, request: CallRequest): RegistryCall | undefined {
  const { kind } = request;
  switch (kind) {
    case "resolve_hostname":
      return {
        name: kind,
        reply: Command.RESOLVE_HOSTNAME_OK,
        run: () => api.registry({ type: "resolve_hostname", hostname: request.hostname }),
      };
    case "set_hostname":
      return { name: kind, reply: Command.SET_HOSTNAME_OK, run: () => api.setHostname(request.hostname) };
    case "set_visibility":
      return { name: kind, reply: Command.SET_VISIBILITY_OK, run: () => api.setVisibility(request.public) };
    case "set_tags":
      return { name: kind, reply: Command.SET_TAGS_OK, run: () => api.setTags(request.tags) };
    case "set_task_exec":
      return { name: kind, reply: Command.SET_TASK_EXEC_OK, run: () => api.setTaskExec(request.enabled) };
    case "deregister":
      return { name: kind, reply: Command.DEREGISTER_OK, run: () => api.deregister() };
    default:
      return undefined;
  }
}
