/** How the agent reaches its beacon: settings of the transport. */

import type { RegistryTls } from "../../lib/io/registry_connection.ts";
import { ProxySource } from "../../lib/io/proxy_source.ts";
import { parseProxy } from "../../lib/io/proxy.ts";
import { COMPAT_PATH } from "../../lib/wire/compat.ts";
import { PilotError } from "../../lib/wire/error.ts";

/** `auto` takes UDP where it works; `wss` is the relay over WebSocket. */
export const TRANSPORTS = ["auto", "udp", "wss"] as const;

/** One of `TRANSPORTS`. */
export type TransportChoice = typeof TRANSPORTS[number];

/** The flags as given, `undefined` where one was not. */
export interface TransportFlags {
  readonly transport?: string | undefined;
  readonly compatUrl?: string | undefined;
  /** `auto`, `off` or a URL. */
  readonly proxy?: string | undefined;
  readonly proxyCommand?: string | undefined;
  /** PEM file of authorities that are trusted beside those of the system. */
  readonly tlsCa?: string | undefined;
  /** Whether the registry is behind TLS. */
  readonly registryTls?: boolean | undefined;
}

/** The settings, checked. */
export interface TransportOptions {
  readonly transport: TransportChoice;
  readonly compatUrl: URL;
  readonly proxies: ProxySource;
  /** PEM text. */
  readonly authorities: string | undefined;
  /** How to reach the registry, unless it speaks in the clear. */
  readonly registryTls: RegistryTls | undefined;
  /** The flags that lead to the same settings in another process, the URL of the proxy left out: it may be secret. */
  readonly line: readonly string[];
  /** The environment for the same purpose. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Puts the settings together: flag, then environment, then built-in.
 *
 * @throws PilotError `invalid_argument` for a value that does not parse, `not_found` for a missing file of authorities
 */
export function resolveTransport(
  flags: TransportFlags,
  around: { readonly env: (name: string) => string | undefined; readonly beaconHost: string },
): TransportOptions {
  const env = (name: string) => around.env(name) || undefined;
  const transport = choice(flags.transport ?? env("PILOT_TRANSPORT") ?? "auto");
  const compatUrl = relayUrl(flags.compatUrl ?? env("PILOT_COMPAT_URL") ?? defaultUrl(around.beaconHost));
  const proxy = flags.proxy ?? env("PILOT_PROXY") ?? "auto";
  if (proxy !== "auto" && proxy !== "off") parseProxy(proxy);
  const command = flags.proxyCommand ?? env("PILOT_PROXY_CMD");
  const file = flags.tlsCa ?? env("PILOT_TLS_CA");
  const authorities = file === undefined ? undefined : readAuthorities(file);
  const proxies = new ProxySource({ proxy, command, env: around.env });
  const registryTls = flags.registryTls ?? env("PILOT_REGISTRY_TLS") === "true";
  return {
    transport,
    compatUrl,
    proxies,
    authorities,
    registryTls: registryTls ? { proxies, authorities } : undefined,
    line: [
      `--transport=${transport}`,
      `--compat-url=${compatUrl.href}`,
      ...(file === undefined ? [] : [`--tls-ca=${absolute(file)}`]),
      `--registry-tls=${registryTls}`,
    ],
    env: {
      PILOT_PROXY: proxy,
      ...(command === undefined ? {} : { PILOT_PROXY_CMD: command }),
    },
  };
}

function choice(text: string): TransportChoice {
  const found = TRANSPORTS.find((each) => each === text);
  if (found !== undefined) return found;
  throw new PilotError("invalid_argument", `transport is not one of ${TRANSPORTS.join(", ")}: ${text}`);
}

function defaultUrl(host: string): string {
  return `wss://${host.includes(":") ? `[${host}]` : host}${COMPAT_PATH}`;
}

function relayUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isRelay = url !== undefined && (url.protocol === "wss:" || url.protocol === "ws:") &&
    url.hostname !== "";
  if (isRelay && url.username === "" && url.hash === "") return url;
  throw new PilotError("invalid_argument", `compat-url is not the URL of a relay: ${text}`, {
    hint: `write it like wss://beacon.example${COMPAT_PATH}`,
  });
}

function readAuthorities(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PilotError("not_found", `cannot read ${path}: ${reason}`);
  }
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}
