/**
 * What the registry shows of this agent: name, visibility, presence.
 */

import type { Command, Context } from "../../../lib/cli/command.ts";
import { PLACE_FLAGS, placeSources, required, withAgent } from "./common.ts";

const setHostname: Command = {
  name: "set-hostname",
  summary: "Give the agent a name, now and for later starts",
  args: [{ name: "hostname", summary: "Lower-case letters, digits and hyphens; empty clears" }],
  flags: [...PLACE_FLAGS],
  returns: "{hostname, node_id}",
  async run(context) {
    const hostname = required(context, "hostname");
    const node_id = await changeHostname(context, hostname);
    context.out.result(
      { hostname, node_id },
      () => hostname === "" ? "hostname cleared" : `hostname set: ${hostname}`,
    );
  },
};

const clearHostname: Command = {
  name: "clear-hostname",
  summary: "Take the agent's name away",
  args: [],
  flags: [...PLACE_FLAGS],
  returns: '{hostname: ""}',
  async run(context) {
    await changeHostname(context, "");
    context.out.result({ hostname: "" }, () => "hostname cleared");
  },
};

const setPublic: Command = {
  name: "set-public",
  summary: "Let everybody see the endpoint of the agent",
  args: [],
  flags: [...PLACE_FLAGS],
  returns: "{node_id, visibility}",
  run: (context) => changeVisibility(context, true),
};

const setPrivate: Command = {
  name: "set-private",
  summary: "Show the endpoint of the agent to trusted peers only",
  args: [],
  flags: [...PLACE_FLAGS],
  returns: "{node_id, visibility}",
  run: (context) => changeVisibility(context, false),
};

const deregister: Command = {
  name: "deregister",
  summary: "Remove the agent from the registry; it keeps running",
  args: [],
  flags: [...PLACE_FLAGS],
  returns: "{type}",
  run: (context) =>
    withAgent(context, async (client) => {
      await client.deregister();
      context.out.result({ type: "deregister_ok" }, () => "deregistered");
    }),
};

/** All of them. */
export const settingsCommands: readonly Command[] = [
  setHostname,
  clearHostname,
  setPublic,
  setPrivate,
  deregister,
];

/** Changes the name at the registry, then in the configuration. Resolves with the own node id. */
async function changeHostname(context: Context, hostname: string): Promise<number> {
  const { resolvePlace, updateConfig } = await import("../config.ts");
  // Read first: a configuration that cannot be read must stop the change before it is half done.
  const { paths } = resolvePlace(placeSources(context));
  return await withAgent(context, async (client) => {
    await client.setHostname(hostname);
    await updateConfig(paths.config, { key: "hostname", value: hostname === "" ? undefined : hostname });
    return (await client.info()).node_id;
  });
}

async function changeVisibility(context: Context, isPublic: boolean): Promise<void> {
  await withAgent(context, async (client) => {
    await client.setVisibility(isPublic);
    const { node_id } = await client.info();
    const visibility = isPublic ? "public" : "private";
    context.out.result(
      { type: "set_visibility_ok", node_id, visibility },
      () => `visibility set: ${visibility}`,
    );
  });
}
