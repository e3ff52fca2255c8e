/** The local socket between programs and their agent: command bytes, requests and replies. */

export { Command, HandshakeCommand, MAX_IPC_MESSAGE } from "./ipc_command.ts";
export * from "./ipc_request.ts";
export * from "./ipc_reply.ts";
