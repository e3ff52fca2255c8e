/**
 * Which process is the agent behind a socket.
 */

import { AgentClient } from "../../../lib/client/agent.ts";
import { within } from "./waiting.ts";

/** Longest wait for the answer in milliseconds. */
const TIMEOUT_MS = 2_000;

/** The process number that the agent itself reports; `undefined` when nobody answers properly. */
export async function socketPid(socket: string): Promise<number | undefined> {
  let client: AgentClient | undefined;
  try {
    client = await AgentClient.connect({ socket, timeoutMs: TIMEOUT_MS });
    const info = await within(client.info(), TIMEOUT_MS);
    return info !== "late" && info.pid > 0 ? info.pid : undefined;
  } catch {
    return undefined;
  } finally {
    client?.close();
  }
}
