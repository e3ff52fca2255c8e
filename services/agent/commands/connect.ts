/**
 * `connect`: a message to a peer and its answer, or just the way to it.
 */

import type { Command, Context } from "../../../lib/cli/command.ts";
import { printable } from "../../../lib/cli/columns.ts";
import type { AgentClient } from "../../../lib/client/agent.ts";
import { formatAddress } from "../../../lib/wire/address.ts";
import { concatBytes } from "../../../lib/wire/bytes.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import { parsePort, PEER_ARGUMENT, PLACE_FLAGS, required, withAgent } from "./common.ts";
import type { Target } from "./connect_tunnel.ts";
import { findPeer } from "./peer.ts";
import { announceRoute, type Route, routeFields, routeTo } from "./route.ts";

/** Sends a message, or opens the tunnel. */
export const connectCommand: Command = {
  name: "connect",
  summary: "Send a message to a peer and print its answer, or only open the tunnel",
  args: [
    PEER_ARGUMENT,
    { name: "port", summary: "Port of the peer; the message then goes as raw bytes", optional: true },
  ],
  flags: [
    { name: "message", kind: "string", summary: "What to send; without it, what is piped in" },
    {
      name: "timeout",
      kind: "duration",
      default: "30s",
      summary: "Longest wait for the connection, and for the answer",
    },
    {
      name: "wait",
      kind: "duration",
      default: "2s",
      summary: "Without a message: how long to wait for a direct path before reporting the relay",
    },
    ...PLACE_FLAGS,
  ],
  returns:
    "{target, port, sent, response, ack, path: direct|hole-punch|relay, rtt_ms, encrypted, nat_type}; without a message also {reason, advice, endpoint}",
  examples: ["connect agent-b", "connect agent-b --message 'hello'", "connect agent-b 8080 < request.bin"],
  async run(context) {
    const port = context.args["port"] === undefined ? undefined : parsePort(context.args["port"]);
    const message = await readMessage(context);
    await withAgent(context, async (client) => {
      const target = { peer: await findPeer(client, required(context, "peer")), port };
      if (message === undefined) {
        const { openTunnel } = await import("./connect_tunnel.ts");
        await openTunnel(context, client, target);
      } else await sendMessage(context, client, { ...target, message });
    });
  },
};

function writeRaw(bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

async function sendMessage(
  context: Context,
  client: AgentClient,
  options: Target & { message: Uint8Array },
): Promise<void> {
  const { deliver } = await import("./deliver.ts");
  const { peer, port, message } = options;
  let route: Route | undefined;
  const delivered = await deliver(client, {
    peer,
    port,
    message,
    timeoutMs: context.flags.duration("timeout") ?? 0,
    signal: context.signal,
    onConnected: async (dialMs) => {
      route = await routeTo(client, peer, dialMs);
      announceRoute(context, peer.name, route);
    },
  });
  context.out.progress(`✓ Sent 1 message (${message.length} ${message.length === 1 ? "byte" : "bytes"})`);
  const { response } = delivered;
  const text = response === undefined ? "" : new TextDecoder().decode(response).replace(/\r?\n$/, "");
  if (text.startsWith("ERR ")) {
    throw new PilotError("connection_failed", `${peer.name} did not take the message: ${printable(text)}`, {
      hint: "its disk or inbox may be full",
    });
  }
  const ack = text.startsWith("ACK ") ? text : null;
  if (ack !== null) context.out.progress("✓ ACK received");
  if (response === undefined) context.out.progress(`sent ${message.length} bytes (no response)`);
  const data = {
    target: formatAddress(peer.address),
    port: delivered.port,
    sent: new TextDecoder().decode(message),
    sent_bytes: message.length,
    response: text,
    ack,
    ...routeFields(route),
  };
  const isBinary = response !== undefined && text.includes("\ufffd");
  context.out.result(data, () => {
    if (Deno.stdout.isTerminal()) return printable(text);
    // Piped on, the bytes matter: an answer that is no text goes through as it came.
    if (isBinary) writeRaw(response);
    return isBinary ? undefined : text;
  });
}

/** The message of `--message` or of the pipe; `undefined` on a terminal and when nothing was piped. */
async function readMessage(context: Context): Promise<Uint8Array | undefined> {
  const given = context.flags.string("message");
  if (given !== undefined) return new TextEncoder().encode(given);
  if (Deno.stdin.isTerminal()) return undefined;
  const reader = Deno.stdin.readable.getReader();
  const cancel = () => void reader.cancel();
  context.signal.addEventListener("abort", cancel);
  const chunks: Uint8Array[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
  context.signal.throwIfAborted();
  const message = concatBytes(...chunks);
  return message.length === 0 ? undefined : message;
}
