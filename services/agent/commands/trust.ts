/**
 * `trust ...`: who may reach this agent.
 */

import { columns, printable } from "../../../lib/cli/columns.ts";
import type { Argument, Command, Context } from "../../../lib/cli/command.ts";
import type { AgentClient } from "../../../lib/client/agent.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import type {
  ClientPendingRequest,
  ClientTrustedPeer,
  ClientTrustOutcome,
} from "../../../lib/client/trust.ts";
import { formatUnix, PEER_ARGUMENT, PLACE_FLAGS, required, withAgent } from "./common.ts";
import { findPeer, type Peer } from "./peer.ts";

const REASON: Argument = { name: "reason", summary: "Text for the other side, in quotes", optional: true };

const addCommand: Command = {
  name: "trust add",
  aliases: ["handshake"],
  summary: "Ask a peer for mutual trust, or accept its waiting request",
  args: [PEER_ARGUMENT, REASON],
  flags: [
    {
      name: "wait",
      kind: "duration",
      summary: "Wait so long for the peer to answer; exit 1 when it does not",
    },
    ...PLACE_FLAGS,
  ],
  returns: '{status: "sent" | "approved" | "already_trusted", node_id, mutual}',
  examples: ["trust add agent-b", 'trust add agent-b "we work on the same build" --wait 1m'],
  run: (context) => withAgent(context, (client) => addTrust(context, client)),
};

const listCommand: Command = {
  name: "trust list",
  aliases: ["trust"],
  summary: "List the trusted peers",
  args: [],
  flags: [...PLACE_FLAGS],
  returns: "{trusted: [{node_id, hostname, public_key, approved_at, mutual, network}]}",
  run: (context) =>
    withAgent(context, async (client) => {
      const trusted = await client.trusted();
      context.out.result({ trusted }, () => trustedText(trusted));
    }),
};

const pendingCommand: Command = {
  name: "trust pending",
  aliases: ["pending"],
  summary: "List the requests of peers that wait for an answer",
  args: [],
  flags: [...PLACE_FLAGS],
  returns: "{pending: [{node_id, hostname, public_key, justification, received_at}]}",
  run: (context) =>
    withAgent(context, async (client) => {
      const pending = await client.pending();
      context.out.result({ pending }, () => pendingText(pending));
    }),
};

const approveCommand: Command = {
  name: "trust approve",
  aliases: ["approve"],
  summary: "Accept the waiting request of a peer",
  args: [PEER_ARGUMENT],
  flags: [...PLACE_FLAGS],
  returns: '{status: "approved", node_id}',
  run: (context) =>
    answerRequest(context, async (client, peer) => {
      const { was_pending } = await client.approve(peer.node);
      return {
        was_pending,
        status: "approved",
        text: `✓ Mutual trust established with ${peer.name}\n  try it: pilot ping ${peer.name}`,
      };
    }),
};

const rejectCommand: Command = {
  name: "trust reject",
  aliases: ["reject"],
  summary: "Refuse the waiting request of a peer",
  args: [PEER_ARGUMENT, REASON],
  flags: [...PLACE_FLAGS],
  returns: '{status: "rejected", node_id}',
  run: (context) =>
    answerRequest(context, async (client, peer) => {
      const { was_pending } = await client.reject(peer.node, context.args["reason"] ?? "");
      return { was_pending, status: "rejected", text: `✓ Request of ${peer.name} rejected` };
    }),
};

const removeCommand: Command = {
  name: "trust remove",
  aliases: ["untrust"],
  summary: "Take trust back and drop the connection",
  args: [PEER_ARGUMENT],
  flags: [...PLACE_FLAGS],
  returns: "{node_id}",
  run: (context) =>
    withAgent(context, async (client) => {
      const peer = await findPeer(client, required(context, "peer"), await client.trusted());
      await client.revoke(peer.node);
      context.out.result({ node_id: peer.node }, () => `✓ Trust with ${peer.name} revoked`);
    }),
};

/** All of them, the most used first. */
export const trustCommands: readonly Command[] = [
  addCommand,
  listCommand,
  pendingCommand,
  approveCommand,
  rejectCommand,
  removeCommand,
];

async function addTrust(context: Context, client: AgentClient): Promise<void> {
  const known = [...await client.pending(), ...await client.trusted()];
  const peer = await findPeer(client, required(context, "peer"), known);
  let outcome: ClientTrustOutcome = await client.handshake(peer.node, context.args["reason"] ?? "");
  const wait = context.flags.duration("wait");
  if (outcome.status === "sent" && wait !== undefined) {
    context.out.progress(`✓ Trust request sent to ${peer.name}, waiting for the answer`);
    if (!await client.waitForTrust(peer.node, wait, { signal: context.signal })) {
      throw new PilotError("timeout", `${peer.name} has not answered the trust request in time`, {
        hint: "the request stays valid; `pilot trust list` shows when it was accepted",
      });
    }
    outcome = { ...outcome, status: "approved", mutual: true };
  }
  const { hostname, address } = await client.info();
  context.out.result(
    { ...outcome, node_id: peer.node },
    () => outcomeText(outcome, peer, hostname || address),
  );
}

function outcomeText(outcome: ClientTrustOutcome, peer: Peer, ownName: string): string {
  switch (outcome.status) {
    case "sent":
      return `✓ Trust request sent to ${peer.name}\n  to accept it, there: pilot trust add ${ownName}`;
    case "approved":
      return `✓ Mutual trust established with ${peer.name}`;
    case "already_trusted":
      return `✓ Mutual trust established with ${peer.name} (already trusted)`;
  }
}

function answerRequest(
  context: Context,
  answer: (
    client: AgentClient,
    peer: Peer,
  ) => Promise<{ was_pending: boolean | undefined; status: string; text: string }>,
): Promise<void> {
  return withAgent(context, async (client) => {
    const peer = await findPeer(client, required(context, "peer"), await client.pending());
    const { was_pending, status, text } = await answer(client, peer);
    if (was_pending === false) {
      throw new PilotError("not_found", `no request of ${peer.name} is waiting`, {
        hint: `pilot trust pending lists the requests; pilot trust add ${peer.name} sends one`,
      });
    }
    context.out.result({ status, node_id: peer.node }, () => text);
  });
}

function trustedText(trusted: readonly ClientTrustedPeer[]): string {
  if (trusted.length === 0) return "no trusted peers";
  const rows = trusted.map((peer) => [
    String(peer.node_id),
    peer.hostname === undefined || peer.hostname === "" ? "-" : peer.hostname,
    peer.mutual ? "yes" : "no",
    peer.network === 0 ? "-" : String(peer.network),
    formatUnix(peer.approved_at),
  ]);
  return columns([["NODE ID", "HOSTNAME", "MUTUAL", "NETWORK", "APPROVED AT"], ...rows]).join("\n");
}

function pendingText(pending: readonly ClientPendingRequest[]): string {
  if (pending.length === 0) return "no pending handshake requests";
  const rows = pending.map((request) => [
    String(request.node_id),
    request.hostname === undefined || request.hostname === "" ? "-" : request.hostname,
    request.justification === "" ? "-" : printable(request.justification).replaceAll("\n", " "),
    formatUnix(request.received_at),
  ]);
  return columns([["NODE ID", "HOSTNAME", "JUSTIFICATION", "RECEIVED"], ...rows]).join("\n");
}
