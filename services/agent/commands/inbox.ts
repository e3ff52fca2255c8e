/**
 * `inbox` and `received`: what peers sent. Both read files and need no agent.
 */

import { columns, printable } from "../../../lib/cli/columns.ts";
import type { Command, Flag } from "../../../lib/cli/command.ts";
import type { HomePaths } from "../paths.ts";
import { formatSize, PLACE_FLAGS, placeSources } from "./common.ts";

const CLEAR: Flag = { name: "clear", kind: "boolean", summary: "Delete them instead of showing them" };

/** Characters of a message shown in the list. */
const PREVIEW_LENGTH = 80;

/** Messages. */
export const inboxCommand: Command = {
  name: "inbox",
  summary: "List the messages that arrived",
  args: [],
  flags: [CLEAR, ...PLACE_FLAGS],
  returns: "{messages: [{type, from, data, bytes, received_at}], total, dir}, or {cleared}",
  async run(context) {
    const [{ clearInbox, listInbox }, paths] = await Promise.all([
      import("../inbox_reader.ts"),
      homeOf(placeSources(context)),
    ]);
    if (context.flags.boolean("clear")) {
      const cleared = await clearInbox(paths.inbox);
      context.out.result({ cleared }, () => `cleared ${count(cleared, "message")}`);
      return;
    }
    const messages = await listInbox(paths.inbox);
    context.out.result({ messages, total: messages.length, dir: paths.inbox }, () => {
      if (messages.length === 0) return "inbox is empty";
      const lines = [`Inbox (${count(messages.length, "message")}):`];
      for (const message of messages) {
        lines.push(`  [${message.received_at}] from ${printable(message.from)} type=${message.type}`);
        lines.push(`    ${preview(message.data)}`);
      }
      return lines.join("\n");
    });
  },
};

/** Files. */
export const receivedCommand: Command = {
  name: "received",
  summary: "List the files that arrived",
  args: [],
  flags: [CLEAR, ...PLACE_FLAGS],
  returns: "{files: [{name, bytes, modified, path}], total, dir}, or {cleared}",
  async run(context) {
    const [{ clearReceived, listReceived }, paths] = await Promise.all([
      import("../inbox_reader.ts"),
      homeOf(placeSources(context)),
    ]);
    if (context.flags.boolean("clear")) {
      const cleared = await clearReceived(paths.received);
      context.out.result({ cleared }, () => `cleared ${count(cleared, "received file")}`);
      return;
    }
    const files = await listReceived(paths.received);
    context.out.result({ files, total: files.length, dir: paths.received }, () => {
      if (files.length === 0) return `no received files in ${paths.received}`;
      const rows = files.map((file) => [printable(file.name), formatSize(file.bytes), file.modified]);
      return [
        `Received files in ${paths.received}:`,
        ...columns([["NAME", "SIZE", "RECEIVED"], ...rows]),
        `total: ${files.length}`,
      ].join("\n");
    });
  },
};

async function homeOf(sources: Parameters<typeof import("../paths.ts").resolveHome>[0]): Promise<HomePaths> {
  const { homePaths, resolveHome } = await import("../paths.ts");
  return homePaths(resolveHome(sources));
}

function preview(data: string): string {
  const line = printable(data).replaceAll(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length <= PREVIEW_LENGTH ? line : `${characters.slice(0, PREVIEW_LENGTH).join("")}...`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
