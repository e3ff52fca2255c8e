/**
 * `find` and `lookup`: what the registry knows about others.
 */

import { columns } from "../../../lib/cli/columns.ts";
import type { Command } from "../../../lib/cli/command.ts";
import { pretty } from "../../../lib/cli/output.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import { PLACE_FLAGS, placeSources, required, withAgent } from "./common.ts";
import { orNotFound } from "./peer.ts";

/** Name to address. */
export const findCommand: Command = {
  name: "find",
  summary: "Find a peer by its hostname",
  args: [{ name: "hostname", summary: "Name of the peer" }],
  flags: [...PLACE_FLAGS],
  returns: "{hostname, node_id, address, public}",
  run: (context) =>
    withAgent(context, async (client) => {
      const name = required(context, "hostname");
      const found = await orNotFound(name, () => client.resolveHostname(name));
      const { hostname, node_id, address } = found;
      context.out.result({ hostname, node_id, address, public: found.public }, () =>
        columns([
          ["Hostname:", hostname],
          ["Node ID:", String(node_id)],
          ["Address:", address],
          ["Visible:", found.public ? "public" : "private"],
        ]).join("\n"));
    }),
};

/** What the registry holds about a node. */
export const lookupCommand: Command = {
  name: "lookup",
  summary: "Show what the registry tells everybody about a node",
  args: [{ name: "node_id", summary: "Number of the node" }],
  flags: [
    {
      name: "registry",
      kind: "string",
      placeholder: "HOST:PORT",
      summary: "Registry (else PILOT_REGISTRY, ...)",
    },
    ...PLACE_FLAGS,
  ],
  returns: "{type, node_id, address, networks, public_key, public, hostname, real_addr for public nodes}",
  async run(context) {
    const text = required(context, "node_id");
    if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffff_ffff) {
      throw new PilotError("invalid_argument", `not a node id: ${text}`, {
        hint: "a node id is a number; `pilot find NAME` gives it for a hostname",
      });
    }
    const [{ resolveAgentOptions }, { RegistryClient }] = await Promise.all([
      import("../config.ts"),
      import("../../../lib/io/registry_client.ts"),
    ]);
    const { registry } = resolveAgentOptions({
      ...placeSources(context),
      registry: context.flags.string("registry"),
    });
    const client = new RegistryClient({ address: registry });
    try {
      const request = { type: "lookup", node_id: Number(text) } as const;
      const reply = await client.request(request, { signal: context.signal });
      if (reply.type === "error") {
        throw new PilotError("connection_failed", `lookup of node ${text} failed: ${reply.error}`, {
          hint: "is the number right? `pilot find NAME` gives it for a hostname",
        });
      }
      context.out.result(reply, () => pretty(reply));
    } finally {
      client.close();
    }
  },
};
