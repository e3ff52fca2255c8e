/**
 * `events`: what happens in the agent, as it happens.
 */

import { printable } from "../../../lib/cli/columns.ts";
import type { Command } from "../../../lib/cli/command.ts";
import { formatMilliseconds } from "../../../lib/cli/duration.ts";
import type { ClientEvent } from "../../../lib/client/events.ts";
import { PLACE_FLAGS, wholeNumber, withAgent } from "./common.ts";
import { reasonWords } from "./path_words.ts";

/** Follows the agent until the user interrupts. */
export const eventsCommand: Command = {
  name: "events",
  summary: "Show what happens as it happens: paths, peers, trust, the NAT, the beacon",
  args: [],
  flags: [
    { name: "count", kind: "number", default: "0", summary: "End after so many events; 0: go on for ever" },
    ...PLACE_FLAGS,
  ],
  returns: "one line per event: {type, time, ...}, without an envelope",
  examples: ["events", "events --json"],
  async run(context) {
    const count = wholeNumber(context, "count", { min: 0, max: 1_000_000_000 });
    await withAgent(context, async (client) => {
      const events = client.events({ signal: context.signal });
      await events.ready;
      context.out.progress("listening for events; end with Ctrl-C");
      let seen = 0;
      for await (const event of events) {
        if (context.json) writeLine(jsonOf(event));
        else context.out.text(`${clockTime(event.time)}  ${eventWords(event)}`);
        if (count > 0 && ++seen >= count) break;
      }
      context.signal.throwIfAborted();
    });
  },
};

/** Straight to standard output: the lines of a stream have no envelope. */
function writeLine(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

/** An event as a line of JSON; one that this version does not know goes through as it came. */
export function jsonOf(event: ClientEvent): string {
  return event.type === "other" ? event.json : JSON.stringify(event);
}

/** An event in words. */
export function eventWords(event: ClientEvent): string {
  switch (event.type) {
    case "path": {
      const rtt = event.rtt_ms === null ? "" : `, RTT ${formatMilliseconds(event.rtt_ms)}`;
      const at = event.endpoint === "" ? "" : ` ${event.path === "relay" ? "by" : "to"} ${event.endpoint}`;
      return `path     ${nameOf(event)}: ${event.method}${at}${rtt} (${reasonWords(event.reason)})`;
    }
    case "peer":
      return `peer     ${nameOf(event)}: ${event.state}`;
    case "punch":
      return `punch    ${nameOf(event)}: hole punch requested`;
    case "trust": {
      const detail = event.detail === "" ? "" : `: ${printable(event.detail)}`;
      return `trust    ${nameOf(event)}: ${event.event} (${event.via})${detail}`;
    }
    case "nat":
      return `nat      ${event.nat_type}, seen at ${event.endpoint === "" ? "no endpoint" : event.endpoint}`;
    case "beacon":
      return `beacon   ${event.address} ${event.reachable ? "answers" : "does not answer"}`;
    case "transport":
      return `network  beacon reached over ${event.transport}`;
    case "lost":
      return `lost     ${event.count} events came faster than they were read`;
    case "other":
      return `${printable(event.name).padEnd(8)} ${printable(event.json)}`;
  }
}

function nameOf({ node_id, hostname }: { readonly node_id: number; readonly hostname: string }): string {
  return hostname === "" ? `node ${node_id}` : printable(hostname);
}

function clockTime(unixMs: number): string {
  const date = new Date(unixMs - new Date(unixMs).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(11, 23);
}
