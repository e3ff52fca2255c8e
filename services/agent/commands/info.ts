/**
 * `info`, `connections` and `disconnect`: what the agent itself counts.
 */

import { columns, indentedColumns } from "../../../lib/cli/columns.ts";
import type { Command } from "../../../lib/cli/command.ts";
import { formatMilliseconds, formatUptime } from "../../../lib/cli/duration.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import type { ClientConnection, ClientInfo } from "../../../lib/client/info.ts";
import { networkRows } from "./network_words.ts";
import { formatSize, PLACE_FLAGS, required, withAgent } from "./common.ts";

/** Rows shown of a long list; JSON has them all. */
const MAX_ROWS = 50;

/** Everything the agent tells about itself. */
export const infoCommand: Command = {
  name: "info",
  summary: "Show identity, traffic and connections of the agent",
  args: [],
  flags: [...PLACE_FLAGS],
  returns:
    "{node_id, address, hostname, public_key, uptime_secs, peer_list, conn_list, nat_type, endpoint, ...}",
  run: (context) =>
    withAgent(context, async (client) => {
      const info = await client.info();
      context.out.result(info, () => infoText(info));
    }),
};

/** The streams. */
export const connectionsCommand: Command = {
  name: "connections",
  summary: "List the open connections",
  args: [],
  flags: [...PLACE_FLAGS],
  returns: "{connections: [{id, local_port, remote_addr, remote_port, state, ...}], total}",
  run: (context) =>
    withAgent(context, async (client) => {
      const { conn_list: connections } = await client.info();
      context.out.result(
        { connections, total: connections.length },
        () => [heading(connections), ...connectionLines(connections)].join("\n"),
      );
    }),
};

/** Ends one stream. */
export const disconnectCommand: Command = {
  name: "disconnect",
  summary: "Close a connection",
  args: [{ name: "conn_id", summary: "Number from the list of `connections`" }],
  flags: [...PLACE_FLAGS],
  returns: "{conn_id}",
  async run(context) {
    const text = required(context, "conn_id");
    const id = /^\d{1,10}$/.test(text) ? Number(text) : 0;
    if (id < 1 || id > 0xffff_ffff) {
      throw new PilotError("invalid_argument", `not a connection number: ${text}`, {
        hint: "pilot connections",
      });
    }
    await withAgent(context, async (client) => {
      const { conn_list: connections } = await client.info();
      if (!connections.some((connection) => connection.id === id)) {
        throw new PilotError("not_found", `no connection ${id}`, { hint: "pilot connections" });
      }
      await client.disconnect(id);
      context.out.result({ conn_id: id }, () => `connection ${id} closed`);
    });
  },
};

function infoText(info: ClientInfo): string {
  const encryption = `${info.encrypt ? "enabled" : "disabled"} ` +
    `(${info.encrypted_peers}/${info.peers} peers encrypted, ${info.authenticated_peers} authenticated)`;
  const key = info.public_key === "" ? "" : ` (Ed25519 ${info.public_key.slice(0, 16)}...)`;
  const lines = [
    "Pilot Protocol Agent",
    ...indentedColumns([
      ["Node ID:", String(info.node_id)],
      ["Address:", info.address],
      ["Hostname:", info.hostname === "" ? "none" : info.hostname],
      ["Uptime:", formatUptime(info.uptime_secs)],
      ["Connections:", String(info.connections)],
      ["Ports:", String(info.ports)],
      ["Peers:", String(info.peers)],
      ["Encryption:", encryption],
      ["Identity:", `${info.identity ? "persistent" : "ephemeral"}${key}`],
      ...(info.owner === "" ? [] : [["Owner:", info.owner]]),
      ["Traffic:", `${formatSize(info.bytes_sent)} sent, ${formatSize(info.bytes_recv)} received`],
      ["Packets:", `${info.pkts_sent} sent, ${info.pkts_recv} received`],
      ...networkRows(info),
      ["Version:", info.version],
    ]),
  ];
  if (info.conn_list.length > 0) lines.push("", ...connectionLines(info.conn_list));
  return lines.join("\n");
}

function connectionLines(connections: readonly ClientConnection[]): string[] {
  if (connections.length === 0) return [];
  const rows = connections.slice(0, MAX_ROWS).map((connection) => [
    String(connection.id),
    String(connection.local_port),
    connection.remote_addr,
    String(connection.remote_port),
    connection.state + (connection.in_recovery ? " [RECOVERY]" : ""),
    formatSize(connection.cong_win),
    formatSize(connection.in_flight),
    formatMilliseconds(connection.srtt_ms),
    formatSize(connection.bytes_sent),
    formatSize(connection.bytes_recv),
    String(connection.retransmits),
  ]);
  const head = [
    "ID",
    "LOCAL",
    "REMOTE ADDR",
    "RPORT",
    "STATE",
    "CWND",
    "FLIGHT",
    "SRTT",
    "SENT",
    "RECEIVED",
    "RETX",
  ];
  return [...columns([head, ...rows]), ...moreLine(connections.length)];
}

function heading(connections: readonly ClientConnection[]): string {
  const closing = connections.filter(({ state }) => state === "TIME_WAIT" || state === "CLOSED").length;
  const note = closing === 0 ? "" : ` (and ${closing} closed lately)`;
  return `Active connections: ${connections.length - closing}${note}`;
}

function moreLine(total: number): string[] {
  return total > MAX_ROWS ? [`... and ${total - MAX_ROWS} more (--json shows all)`] : [];
}
