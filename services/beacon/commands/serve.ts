/** `pilot beacon serve`. */

import type { Command, Context } from "../../../lib/cli/command.ts";
import { LOG_FLAGS, logSettings } from "../../../lib/cli/log_flags.ts";
import { PilotError } from "../../../lib/wire/error.ts";

/** Runs a beacon in the foreground until Ctrl-C. */
export const serveCommand: Command = {
  name: "beacon serve",
  summary: "Run a beacon: it helps agents behind NATs reach each other, and relays for those that cannot",
  args: [],
  flags: [
    {
      name: "listen",
      kind: "string",
      summary:
        "UDP address to listen on, port 0 picks a free one; a second address lets agents tell more of their NATs",
      default: ":9001",
      placeholder: "HOST:PORT",
      repeatable: true,
    },
    {
      name: "alt-port",
      kind: "number",
      summary:
        "Second port of every address, for the examination of NATs; default the next one, if it is free",
      placeholder: "PORT",
    },
    {
      name: "beacon-id",
      kind: "number",
      summary: "Number of this beacon among its peers; 0 is a beacon on its own",
      default: "0",
      placeholder: "N",
    },
    {
      name: "peers",
      kind: "string",
      summary: "Beacons to exchange node lists with, separated by commas",
      placeholder: "HOST:PORT,...",
      repeatable: true,
    },
    {
      name: "registry",
      kind: "string",
      summary: "Registry to announce this beacon to and to find peers at (needs --beacon-id)",
      placeholder: "HOST:PORT",
    },
    {
      name: "advertise",
      kind: "string",
      summary:
        "Address to announce, if others reach this beacon at another one than it listens on; one per --listen",
      placeholder: "HOST:PORT",
      repeatable: true,
    },
    {
      name: "wss",
      kind: "string",
      summary: "TCP address to serve agents without UDP at, by a relay over WebSocket (needs --registry)",
      placeholder: "HOST:PORT",
    },
    { name: "tls-cert", kind: "string", summary: "Certificate chain for --wss, PEM", placeholder: "FILE" },
    { name: "tls-key", kind: "string", summary: "Private key of --tls-cert, PEM", placeholder: "FILE" },
    {
      name: "wss-cleartext",
      kind: "boolean",
      summary: "Serve --wss without TLS on other addresses than loopback: something in front of it encrypts",
    },
    ...LOG_FLAGS,
  ],
  returns: '{"address":string,"port":number,"alt_port":number,"listen":[string],"wss_port":number?}',
  examples: [
    "beacon serve",
    "beacon serve --listen 127.0.0.1:0",
    "beacon serve --listen 203.0.113.1:9001 --listen 203.0.113.2:9001",
  ],
  run,
};

async function run(context: Context): Promise<void> {
  const { serveBeacon } = await import("../serve.ts");
  const { Log } = await import("../../../lib/io/log.ts");
  const { formatEndpoint } = await import("../../../lib/wire/endpoint.ts");
  const { flags, out, signal } = context;
  const registry = flags.string("registry");
  const altPort = flags.number("alt-port");
  const wss = flags.string("wss");
  const server = await serveBeacon({
    listen: flags.strings("listen"),
    ...(altPort !== undefined && { altPort: portNumber(altPort) }),
    id: beaconId(flags.number("beacon-id") ?? 0),
    peers: flags.strings("peers").flatMap((list) => list.split(",")).map((peer) => peer.trim())
      .filter((peer) => peer !== ""),
    ...(registry !== undefined && { registry }),
    advertise: flags.strings("advertise"),
    ...(wss !== undefined && {
      relay: {
        listen: wss,
        certificate: flags.string("tls-cert"),
        key: flags.string("tls-key"),
        cleartext: flags.boolean("wss-cleartext"),
      },
    }),
    log: new Log(logSettings(flags)),
    signal,
  });
  const { address, port, altPort: alt_port, relayPort } = server;
  const listen = server.endpoints.map(formatEndpoint);
  out.result(
    { address, port, alt_port, listen, ...(relayPort !== undefined && { wss_port: relayPort }) },
    () =>
      [
        `✓ Beacon listening on ${listen.join(", ")}`,
        ...(relayPort === undefined ? [] : [`✓ Relay over WebSocket on port ${relayPort}`]),
      ].join("\n"),
  );
  await server.finished;
}

function portNumber(value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  throw new PilotError("invalid_argument", `${value} is not a port`, { hint: "ports are 1 to 65535" });
}

function beaconId(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return value;
  throw new PilotError("invalid_argument", `beacon id ${value} is not a 32-bit number`, {
    hint: "choose a number from 1 to 4294967295, or 0 for a beacon on its own",
  });
}
