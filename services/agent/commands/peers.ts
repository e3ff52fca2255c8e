/**
 * `peers`: who the agent has a tunnel to, by which path, and why that one.
 */

import { columns, printable } from "../../../lib/cli/columns.ts";
import type { Command, Context } from "../../../lib/cli/command.ts";
import { formatMilliseconds } from "../../../lib/cli/duration.ts";
import type { AgentClient } from "../../../lib/client/agent.ts";
import type { ClientInfo, ClientPeer } from "../../../lib/client/info.ts";
import type { ClientPeerPaths } from "../../../lib/client/paths.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import { formatSize, PLACE_FLAGS, required, withAgent } from "./common.ts";
import { explainPeer, formatAge, formatLoss, type LiveCheck } from "./path_words.ts";
import { findPeer } from "./peer.ts";

/** Rows shown of a long list; JSON has them all. */
const MAX_ROWS = 50;
/** Probes on each path before a peer counts as silent. */
const LIVE_ROUNDS = 3;

/** The tunnels. */
export const peersCommand: Command = {
  name: "peers",
  summary: "List the peers that the agent has a tunnel to, and how the traffic travels",
  args: [{
    name: "peer",
    summary: "Only this one: hostname, node id or address (0:0000.0000.0001)",
    optional: true,
  }],
  flags: [
    {
      name: "search",
      kind: "string",
      placeholder: "TEXT",
      summary: "Only those whose id, name or endpoint has TEXT",
    },
    {
      name: "explain",
      kind: "boolean",
      summary: "Say why traffic takes its path, and what stands in the way of a better one",
    },
    ...PLACE_FLAGS,
  ],
  returns:
    "{peers: [{node_id, hostname, endpoint, encrypted, authenticated, path, method, rtt_ms, since_ms, loss, bytes_sent, bytes_recv, reason, advice, paths}], total}; with a peer and --explain also live: {paths, answering}",
  examples: ["peers", "peers agent-b --explain"],
  run: (context) =>
    withAgent(context, async (client) => {
      const explain = context.flags.boolean("explain");
      const named = context.args["peer"] !== undefined;
      // A tunnel that is silent looks like one that is dead: asking tells them apart.
      const live = explain && named ? await askNow(context, client) : undefined;
      const peers = (await listPeers(context, client)).map((peer) =>
        live === undefined ? peer : { ...peer, live }
      );
      context.out.result({ peers, total: peers.length }, () => {
        if (peers.length === 0) return "no peers";
        return explain
          ? peers.slice(0, MAX_ROWS).map((peer) => explained(peer, live).join("\n")).join("\n\n")
          : peersTable(peers);
      });
    }),
};

/** What is known of a peer: all of it, or from an older agent only the first part. */
type Row = ClientPeer & Partial<ClientPeerPaths>;

/** Asks a named peer for a sign of life on every path. */
async function askNow(context: Context, client: AgentClient): Promise<LiveCheck | undefined> {
  const name = required(context, "peer");
  const { node } = await findPeer(client, name, (await client.info()).peer_list);
  context.out.progress(`asking ${name} on every path ...`);
  try {
    const { paths } = await client.trace(node, { rounds: LIVE_ROUNDS, signal: context.signal });
    return { paths: paths.length, answering: paths.filter(({ rtts_ms: rtts }) => rtts.length > 0).length };
  } catch (error) {
    // What is missing, the list says in its own words.
    if (error instanceof PilotError && (error.code === "not_found" || error.code === "unavailable")) {
      return undefined;
    }
    throw error;
  }
}

async function listPeers(context: Context, client: AgentClient): Promise<Row[]> {
  const info = await client.info();
  const name = context.args["peer"];
  const node = name === undefined ? undefined : (await findPeer(client, name, info.peer_list)).node;
  const wanted = (context.flags.string("search") ?? "").toLowerCase();
  const ways = await waysOf(client, { node, required: context.flags.boolean("explain") });
  const peers = rows(info, ways).filter((peer) =>
    (node === undefined || peer.node_id === node) &&
    [String(peer.node_id), peer.hostname, peer.endpoint].some((text) => text.toLowerCase().includes(wanted))
  );
  if (node !== undefined && peers.length === 0) {
    throw new PilotError("not_found", `no tunnel to ${name}`, {
      hint: `open one with: pilot connect ${name}`,
    });
  }
  return peers;
}

/** The reports on paths. Agents of other makes have none: then the list goes without, unless it was asked for. */
async function waysOf(
  client: AgentClient,
  options: { readonly node: number | undefined; readonly required: boolean },
): Promise<readonly ClientPeerPaths[]> {
  try {
    return (await client.paths(options.node)).peers;
  } catch (error) {
    if (options.required || !(error instanceof PilotError) || error.code !== "unavailable") throw error;
    return [];
  }
}

function rows(info: ClientInfo, ways: readonly ClientPeerPaths[]): Row[] {
  const byNode = new Map(ways.map((way) => [way.node_id, way]));
  const listed = info.peer_list.map((peer): Row => ({ ...peer, ...pick(byNode.get(peer.node_id)) }));
  const missing = ways.filter(({ node_id }) => !info.peer_list.some((peer) => peer.node_id === node_id));
  return [...listed, ...missing.map((way): Row => ({ ...way, dialect: dialectOf(way.dialect) }))];
}

/** Two answers of one agent: what the first one said of the path may be older. */
function pick(way: ClientPeerPaths | undefined): Partial<Row> {
  if (way === undefined) return {};
  const { dialect: _dialect, ...rest } = way;
  return rest;
}

function dialectOf(word: string): ClientPeer["dialect"] {
  return word === "current" || word === "v0.5" ? word : "unknown";
}

function peersTable(peers: readonly Row[]): string {
  const body = peers.slice(0, MAX_ROWS).map((peer) => [
    String(peer.node_id),
    peer.hostname === "" ? "-" : printable(peer.hostname),
    peer.method ?? peer.path,
    peer.endpoint === "" ? "-" : peer.endpoint,
    peer.rtt_ms === null ? "-" : formatMilliseconds(peer.rtt_ms),
    peer.since_ms == null ? "-" : formatAge(peer.since_ms),
    peer.bytes_sent === undefined ? "-" : formatSize(peer.bytes_sent),
    peer.bytes_recv === undefined ? "-" : formatSize(peer.bytes_recv),
    formatLoss(peer.loss ?? null),
    peer.encrypted ? "yes (AES-256-GCM)" : "no",
    peer.authenticated ? "yes (Ed25519)" : "no",
  ]);
  const head = [
    "NODE ID",
    "HOSTNAME",
    "PATH",
    "ENDPOINT",
    "RTT",
    "FOR",
    "SENT",
    "RECEIVED",
    "LOSS",
    "ENCRYPTED",
    "AUTH",
  ];
  const more = peers.length > MAX_ROWS ? [`... and ${peers.length - MAX_ROWS} more (--json shows all)`] : [];
  return [...columns([head, ...body]), ...more].join("\n");
}

function explained(peer: Row, live: LiveCheck | undefined): string[] {
  return explainPeer({
    address: "",
    method: peer.path,
    reason: "",
    since_ms: null,
    smoothed_rtt_ms: null,
    min_rtt_ms: null,
    loss: null,
    heard_ago_ms: null,
    bytes_sent: 0,
    bytes_recv: 0,
    pkts_sent: 0,
    pkts_recv: 0,
    own_kind: true,
    advice: [],
    paths: [],
    ...peer,
  }, live);
}
