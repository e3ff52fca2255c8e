/** Starts the relay over WebSocket of a beacon from its settings. */

import type { BeaconEvent } from "../../lib/beacon/event.ts";
import { resolveHost } from "../../lib/io/addresses.ts";
import { type Endpoint, formatEndpoint, splitHostPort } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { NodeKeys } from "./node_keys.ts";
import { RelayServer, type RelayServerOptions } from "./wss.ts";

/** What the operator says about the relay. */
export interface RelayServing {
  /** `HOST:PORT` or `:PORT`. */
  readonly listen: string;
  /** PEM files; both or none. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** Whether to serve in the clear on other addresses than loopback. */
  readonly cleartext?: boolean | undefined;
}

/** A relay at work. */
export interface ServedRelay {
  readonly port: number;
  readonly finished: Promise<void>;
  handle(event: BeaconEvent): void;
}

/** What the relay needs of its beacon. */
export type RelaySurroundings =
  & Pick<RelayServerOptions, "beacon" | "maxSessions" | "now" | "wake" | "log" | "signal">
  & { readonly registry: Endpoint | undefined };

/**
 * Serves the relay, or does nothing without settings.
 *
 * @throws PilotError `invalid_argument` for settings that do not fit together, `not_found` for a missing file,
 * `already_exists` for a port in use
 */
export async function serveRelay(
  settings: RelayServing | undefined,
  around: RelaySurroundings,
): Promise<ServedRelay | undefined> {
  if (settings === undefined) return undefined;
  const { registry, log, signal } = around;
  if (registry === undefined) {
    throw new PilotError("invalid_argument", "--wss needs --registry", {
      hint: "who logs in must show the key that the registry has for the node",
    });
  }
  const { host, port } = await resolveListen(settings.listen);
  const tls = await readTls(settings);
  if (tls === undefined && settings.cleartext !== true && !isLoopback(host)) {
    throw new PilotError("invalid_argument", "--wss without a certificate on a public address", {
      hint: "give --tls-cert and --tls-key, or --wss-cleartext when something in front of it encrypts",
    });
  }
  const keys = new NodeKeys(registry);
  try {
    const relay = new RelayServer({ ...around, host, port, tls, keys });
    const { server } = relay;
    const address = formatEndpoint({ host: server.address, port: server.port });
    log.info("relay over WebSocket listening", { address, encrypted: tls !== undefined });
    signal.addEventListener("abort", () => keys.close(), { once: true });
    return { port: server.port, finished: server.finished, handle: (event) => relay.handle(event) };
  } catch (error) {
    keys.close();
    throw error;
  }
}

async function resolveListen(text: string): Promise<Endpoint> {
  const parts = splitHostPort(text);
  const host = parts === undefined
    ? undefined
    : parts.host === ""
    ? "0.0.0.0"
    : await resolveHost(parts.host);
  if (parts !== undefined && host !== undefined) return { host, port: parts.port };
  throw new PilotError("invalid_argument", `malformed address for --wss: ${text}`, {
    hint: "write HOST:PORT, such as 0.0.0.0:443",
  });
}

async function readTls(settings: RelayServing): Promise<{ cert: string; key: string } | undefined> {
  const { certificate, key } = settings;
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined) {
    throw new PilotError("invalid_argument", "--tls-cert and --tls-key belong together");
  }
  return { cert: await readPem(certificate), key: await readPem(key) };
}

async function readPem(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new PilotError(
      "not_found",
      `cannot read ${path}: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}
