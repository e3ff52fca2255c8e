/**
 * The commands of the agent, in the order of the help.
 */

import type { Command } from "../../../lib/cli/command.ts";
import { connectCommand } from "./connect.ts";
import { findCommand, lookupCommand } from "./find.ts";
import { inboxCommand, receivedCommand } from "./inbox.ts";
import { connectionsCommand, disconnectCommand, infoCommand, peersCommand } from "./info.ts";
import { pingCommand } from "./ping.ts";
import { settingsCommands } from "./settings.ts";
import { startCommand } from "./start.ts";
import { agentStatusCommand, statusCommand } from "./status.ts";
import { stopCommand } from "./stop.ts";
import { trustCommands } from "./trust.ts";

/** Everything that concerns the agent of this computer. */
export const agentCommands: readonly Command[] = [
  startCommand,
  stopCommand,
  agentStatusCommand,
  statusCommand,
  infoCommand,
  findCommand,
  pingCommand,
  ...trustCommands,
  connectCommand,
  inboxCommand,
  receivedCommand,
  peersCommand,
  connectionsCommand,
  disconnectCommand,
  ...settingsCommands,
  lookupCommand,
];
