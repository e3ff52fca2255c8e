/**
 * From what the user typed to a peer, and to a connection with it.
 */

import type { AgentClient } from "../../../lib/client/agent.ts";
import type { ClientStream } from "../../../lib/client/stream.ts";
import { type Address, formatAddress } from "../../../lib/wire/address.ts";
import { PilotError } from "../../../lib/wire/error.ts";

/** A peer named on the command line. */
export interface Peer {
  readonly node: number;
  readonly address: Address;
  /** What to call it in messages: its hostname if that was typed, else its address. */
  readonly name: string;
}

/** Peers that the agent can tell the names of by itself. */
export type KnownPeers = readonly { readonly node_id: number; readonly hostname?: string }[];

/**
 * Finds a peer among `known`, then by asking the registry: a name must go on working for whoever was trusted under
 * it even when the registry does not answer, or no longer tells.
 *
 * @throws PilotError `not_found`
 */
export async function findPeer(client: AgentClient, text: string, known: KnownPeers = []): Promise<Peer> {
  const found = known.find((peer) => peer.hostname === text);
  if (found !== undefined) {
    return { node: found.node_id, address: { network: 0, node: found.node_id }, name: text };
  }
  return await orNotFound(text, () => client.resolvePeer(text));
}

/** What `resolve` gives; when it finds nothing, an error that names what was looked for. */
export async function orNotFound<T>(name: string, resolve: () => Promise<T>): Promise<T> {
  try {
    return await resolve();
  } catch (error) {
    if (!(error instanceof PilotError) || error.code !== "not_found") throw error;
    throw new PilotError("not_found", `${name} not found: no agent is registered under this name`, {
      hint: "is it running? its owner sees the name with `pilot status`",
      cause: error,
    });
  }
}

/** Where to, and how long to try. */
export interface DialOptions {
  readonly port: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Connects to a port of a peer. @throws PilotError as `AgentClient.dial`, in terms of the peer's name */
export async function dialPeer(client: AgentClient, peer: Peer, options: DialOptions): Promise<ClientStream> {
  const { port, timeoutMs, signal } = options;
  try {
    return await client.dial(peer.address, port, { timeoutMs, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof PilotError)) throw error;
    const { code, message, hint } = explain(error, peer, options);
    throw new PilotError(code, message, { cause: error, ...(hint === undefined ? {} : { hint }) });
  }
}

/** Whether nobody listens on the port that was dialled. */
export function isRefused(error: unknown): boolean {
  return error instanceof PilotError && error.code === "connection_failed" &&
    /\bconnection refused($|: nothing listens)/.test(error.message);
}

function explain(error: PilotError, peer: Peer, { port, timeoutMs }: DialOptions): PilotError {
  const { name } = peer;
  if (isRefused(error)) {
    return new PilotError(
      "connection_failed",
      `connection refused: nothing listens on port ${port} of ${name}`,
      {
        hint: `without a port, \`pilot connect ${name}\` delivers to its inbox`,
      },
    );
  }
  if (error.code === "timeout") {
    // The agent gives up by itself when nothing more can be tried, however long the user would wait.
    const limit = /dial timeout$/.test(error.message) ? "" : ` within ${Math.round(timeoutMs / 100) / 10} s`;
    return new PilotError("timeout", `${name} did not answer${limit}`, {
      hint: "it may be off, or not trust this agent: see `pilot trust list`, and raise --timeout",
    });
  }
  // "Yet" is said of this agent, not of the peer.
  if (/not registered(?! yet)/.test(error.message)) {
    return new PilotError(
      "not_found",
      `${name} not found: ${formatAddress(peer.address)} is not registered`,
      {
        hint: "`pilot find NAME` gives the address of a hostname",
      },
    );
  }
  if (error.code === "not_trusted") {
    return new PilotError("not_trusted", `no trust between this agent and ${name}`, {
      hint: `ask for it: pilot trust add ${name}`,
    });
  }
  return error;
}
