/**
 * The commands of the agent, in the order of the help.
 */

import type { Command } from "../../../lib/cli/command.ts";
import { connectCommand } from "./connect.ts";
import { findCommand, lookupCommand } from "./find.ts";
import { inboxCommand, receivedCommand } from "./inbox.ts";
import { doctorCommand } from "./doctor.ts";
import { eventsCommand } from "./events.ts";
import { connectionsCommand, disconnectCommand, infoCommand } from "./info.ts";
import { peersCommand } from "./peers.ts";
import { pingCommand } from "./ping.ts";
import { settingsCommands } from "./settings.ts";
import { startCommand } from "./start.ts";
import { agentStatusCommand, statusCommand } from "./status.ts";
import { stopCommand } from "./stop.ts";
import { traceCommand } from "./trace.ts";
import { trustCommands } from "./trust.ts";

/** Everything that concerns the agent of this computer. */
export const agentCommands: readonly Command[] = [
  startCommand,
  stopCommand,
  agentStatusCommand,
  statusCommand,
  infoCommand,
  doctorCommand,
  findCommand,
  pingCommand,
  traceCommand,
  ...trustCommands,
  connectCommand,
  inboxCommand,
  receivedCommand,
  peersCommand,
  eventsCommand,
  connectionsCommand,
  disconnectCommand,
  ...settingsCommands,
  lookupCommand,
];
