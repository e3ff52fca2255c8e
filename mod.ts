/**
 * Talk to other agents through the pilot agent of this machine.
 *
 * The agent owns the network connection, the identity and the trust decisions; a program connects to its local
 * socket. Start one with `pilot agent start`.
 *
 * @example Ask a peer something and read the whole answer
 * ```ts ignore
 * import { AgentClient } from "@pilot/pilot";
 *
 * await using agent = await AgentClient.connect();
 * await using stream = await agent.dial("alpha", 1000, { timeoutMs: 10_000 });
 * await stream.write(new TextEncoder().encode("what is the weather?"));
 * await stream.closeWrite();
 * console.log(await new Response(stream.readable).text());
 * ```
 *
 * @example Serve a port
 * ```ts ignore
 * import { AgentClient } from "@pilot/pilot";
 *
 * await using agent = await AgentClient.connect();
 * await using listener = await agent.listen(1000);
 * for await (const stream of listener) {
 *   stream.readable.pipeTo(stream.writable).catch((error) => console.error(error));
 * }
 * ```
 *
 * @example Establish trust first
 * ```ts ignore
 * import { AgentClient } from "@pilot/pilot";
 *
 * await using agent = await AgentClient.connect();
 * const { node } = await agent.resolvePeer("alpha");
 * await agent.handshake(node, "we work on the same report");
 * if (!await agent.waitForTrust(node, 60_000)) throw new Error("alpha has not answered yet");
 * ```
 *
 * @example See what happens
 * ```ts ignore
 * import { AgentClient } from "@pilot/pilot";
 *
 * await using agent = await AgentClient.connect();
 * for await (const event of agent.events()) {
 *   if (event.type === "path") console.log(`${event.hostname} is now reached by ${event.method}`);
 * }
 * ```
 *
 * Every failure is a {@linkcode PilotError} with a `code` for programs and a `hint` for people.
 *
 * @example Tell failures apart
 * ```ts ignore
 * import { AgentClient, PilotError } from "@pilot/pilot";
 *
 * try {
 *   await AgentClient.connect();
 * } catch (error) {
 *   if (!(error instanceof PilotError) || error.code !== "not_running") throw error;
 *   console.error(`${error.message}, try: ${error.hint}`);
 * }
 * ```
 *
 * @module
 */

export { AgentClient, type ConnectOptions, DEFAULT_SOCKET_PATH } from "./lib/client/agent.ts";
export type { ClientDatagram } from "./lib/client/datagrams.ts";
export type { CheckStatus, ClientCheck, ClientDoctor } from "./lib/client/doctor.ts";
export { type ClientEvent, ClientEvents } from "./lib/client/events.ts";
export type { ClientConnection, ClientInfo, ClientPeer } from "./lib/client/info.ts";
export { ClientListener } from "./lib/client/listener.ts";
export type {
  ClientAdvice,
  ClientPath,
  ClientPaths,
  ClientPeerPaths,
  PathMethod,
} from "./lib/client/paths.ts";
export {
  type Address,
  formatAddress,
  parseAddress,
  type ResolvedHostname,
  type ResolvedPeer,
} from "./lib/client/resolve.ts";
export { ClientStream } from "./lib/client/stream.ts";
export type { ClientTrace, ClientTracePath } from "./lib/client/trace.ts";
export type {
  ClientPendingRequest,
  ClientTrustAnswer,
  ClientTrustedPeer,
  ClientTrustOutcome,
} from "./lib/client/trust.ts";
export type { WaitOptions } from "./lib/io/waiting.ts";
export { type ErrorCode, PilotError } from "./lib/wire/error.ts";
