/** `pilot registry serve`. */

import type { Command, Context } from "../../../lib/cli/command.ts";
import { LOG_FLAGS, logSettings } from "../../../lib/cli/log_flags.ts";
import { PilotError } from "../../../lib/wire/error.ts";

/** Runs a registry in the foreground until Ctrl-C. */
export const serveCommand: Command = {
  name: "registry serve",
  summary: "Run a registry: it gives out addresses and keeps names and trust",
  args: [],
  flags: [
    {
      name: "listen",
      kind: "string",
      summary: "TCP address to listen on; port 0 picks a free one",
      default: ":9000",
      placeholder: "HOST:PORT",
    },
    {
      name: "store",
      kind: "string",
      summary: "Database file (default ~/.pilot/registry.db)",
      placeholder: "PATH",
    },
    ...LOG_FLAGS,
    {
      name: "legacy-trust",
      kind: "boolean",
      summary: "Let one side's word make a pair trusted, as older registries do",
    },
  ],
  returns: '{"address":string,"port":number,"store":string}',
  examples: ["registry serve", "registry serve --listen 127.0.0.1:0 --store ./registry.db"],
  run,
};

async function run(context: Context): Promise<void> {
  const { serveRegistry } = await import("../serve.ts");
  const { Log } = await import("../../../lib/io/log.ts");
  const { formatEndpoint } = await import("../../../lib/wire/endpoint.ts");
  const { flags, out, signal } = context;
  const store = storePath(context);
  const server = await serveRegistry({
    listen: flags.string("listen") ?? ":9000",
    store,
    log: new Log(logSettings(flags)),
    signal,
    policy: { legacyTrust: flags.boolean("legacy-trust") },
  });
  const { address, port } = server;
  out.result({ address, port, store }, () => {
    return `✓ Registry listening on ${formatEndpoint({ host: address, port })}\n  store ${store}`;
  });
  await server.finished;
}

function storePath(context: Context): string {
  const chosen = context.flags.string("store");
  const home = context.env("HOME") ?? context.env("USERPROFILE");
  if (chosen !== undefined && chosen !== "") {
    return home !== undefined && chosen.startsWith("~/") ? `${home}${chosen.slice(1)}` : chosen;
  }
  const folder = context.env("PILOT_HOME") ?? (home === undefined ? undefined : `${home}/.pilot`);
  if (folder === undefined) {
    throw new PilotError("invalid_argument", "no folder for the store: HOME is not set", {
      hint: "give the file with --store PATH",
    });
  }
  return `${folder}/registry.db`;
}
