/**
 * The settings of an agent, from four sources: flag, then environment, then `config.json` in the home, then built-in.
 */

import { MAX_BEACONS } from "../../lib/core/beacons.ts";
import { BASE_DATAGRAM } from "../../lib/core/tunnel/pmtu.ts";
import { writeAtomically } from "../../lib/io/files.ts";
import { LOG_LEVELS, type LogFormat, type LogLevel } from "../../lib/io/log.ts";
import { splitHostPort } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { resolveTransport, type TransportFlags, type TransportOptions } from "./transport_options.ts";
import {
  absolutePath,
  type HomePaths,
  homePaths,
  parentFolder,
  type PathSources,
  resolveHome,
  resolveSocket,
} from "./paths.ts";

/** Where the registry is when nothing says otherwise. */
export const DEFAULT_REGISTRY = "127.0.0.1:9000";
/** Where the beacon is when nothing says otherwise. */
export const DEFAULT_BEACON = "127.0.0.1:9001";

/** Largest UDP payload of IPv4, bytes (RFC 791: a 16-bit total length, less 28 bytes of headers). */
const LARGEST_DATAGRAM = 65_507;

/** A host name or IP literal with a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const LOG_FORMATS: readonly LogFormat[] = ["text", "json"];

/** Whether the agent does something when it sees a use for it (`auto`), or never (`off`). */
export const SWITCH_MODES = ["auto", "off"] as const;

/** One of `SWITCH_MODES`. */
export type SwitchMode = typeof SWITCH_MODES[number];

/** Everything an agent needs to run. All paths are absolute. */
export interface AgentOptions {
  readonly home: string;
  readonly socket: string;
  readonly identity: string;
  /** The trust book, next to the identity it belongs to. */
  readonly trust: string;
  /** The file with the UDP port used last. */
  readonly udpPort: string;
  /** Messages that arrived. */
  readonly inbox: string;
  /** Files that arrived. */
  readonly received: string;
  readonly registry: HostPort;
  /** One or more, the preferred one first. */
  readonly beacons: readonly HostPort[];
  /** Where the tunnel socket binds; host `""` means every address, port 0 any free one. */
  readonly listen: HostPort;
  /** Empty when none is wanted. */
  readonly hostname: string;
  /** Label sent at registration, empty for none. */
  readonly owner: string;
  /** Whether strangers may learn the endpoint. */
  readonly public: boolean;
  /** Longest datagram, bytes of UDP payload; `undefined`: whatever the path carries. */
  readonly maxDatagram: number | undefined;
  /** Whether to ask the router for a public port. */
  readonly portMapping: SwitchMode;
  /** Whether to search ports with peers behind NATs that map by destination. */
  readonly portSearch: SwitchMode;
  readonly transport: TransportOptions;
  readonly log: {
    readonly level: LogLevel;
    readonly format: LogFormat;
    /** `undefined`: standard error. */
    readonly file: string | undefined;
  };
}

/** The values of the flags, `undefined` where a flag was not given. */
export interface AgentFlags extends PathSources, TransportFlags {
  readonly registry?: string | undefined;
  /** Each may name several, separated by commas. */
  readonly beacons?: readonly string[] | undefined;
  readonly listen?: string | undefined;
  readonly identity?: string | undefined;
  readonly hostname?: string | undefined;
  readonly owner?: string | undefined;
  readonly public?: boolean | undefined;
  readonly portMapping?: string | undefined;
  readonly portSearch?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
  /** Where the log goes; `undefined` for standard error. */
  readonly logFile?: string | undefined;
}

/** What `config.json` may set. Other members are kept and ignored. */
export interface ConfigFile {
  readonly registry?: string;
  /** In the file a text or a list of texts; here separated by commas. */
  readonly beacon?: string;
  readonly socket?: string;
  readonly hostname?: string;
}

const CONFIG_KEYS = ["registry", "beacon", "socket", "hostname"] as const;

/** Home, socket and files for a command that only talks to an agent. */
export interface AgentPlace {
  readonly paths: HomePaths;
  readonly socket: string;
}

/**
 * Finds the home and the socket.
 *
 * @throws PilotError `corrupt_file` when the configuration cannot be read as such
 */
export function resolvePlace(sources: PathSources): AgentPlace {
  const paths = homePaths(resolveHome(sources));
  return {
    paths,
    socket: resolveSocket(sources, { home: paths.home, configured: readConfig(paths.config).socket }),
  };
}

/**
 * Puts the settings of an agent together.
 *
 * @throws PilotError `invalid_argument` for a value that does not parse, `corrupt_file` for the configuration file
 */
export function resolveAgentOptions(flags: AgentFlags): AgentOptions {
  const paths = homePaths(resolveHome(flags));
  const file = readConfig(paths.config);
  const identity = flags.identity === undefined
    ? existingIdentity(paths)
    : absolutePath(flags.identity, flags.env);
  const beacons = beaconList(flags.beacons ?? [flags.env("PILOT_BEACON") ?? file.beacon ?? DEFAULT_BEACON]);
  return {
    home: paths.home,
    socket: resolveSocket(flags, { home: paths.home, configured: file.socket }),
    identity,
    trust: `${parentFolder(identity)}/trust.json`,
    udpPort: paths.udpPort,
    inbox: paths.inbox,
    received: paths.received,
    registry: hostPort(
      "registry",
      flags.registry ?? flags.env("PILOT_REGISTRY") ?? file.registry ?? DEFAULT_REGISTRY,
    ),
    beacons,
    listen: hostPort("listen", flags.listen ?? ":0"),
    hostname: flags.hostname ?? file.hostname ?? "",
    owner: flags.owner ?? "",
    public: flags.public ?? false,
    maxDatagram: datagramSize(flags.env("PILOT_MAX_DATAGRAM")),
    portMapping: oneOf(
      SWITCH_MODES,
      "port-mapping",
      flags.portMapping ?? (flags.env("PILOT_PORT_MAPPING") || "auto"),
    ),
    portSearch: oneOf(
      SWITCH_MODES,
      "port-search",
      flags.portSearch ?? (flags.env("PILOT_PORT_SEARCH") || "auto"),
    ),
    transport: resolveTransport(flags, { env: flags.env, beaconHost: beacons[0]?.host ?? "" }),
    log: {
      level: oneOf(LOG_LEVELS, "log-level", flags.logLevel ?? "info"),
      format: oneOf(LOG_FORMATS, "log-format", flags.logFormat ?? "text"),
      file: flags.logFile === undefined ? undefined : absolutePath(flags.logFile, flags.env),
    },
  };
}

/**
 * Reads `config.json`; a missing one counts as empty.
 *
 * @throws PilotError `corrupt_file` naming the file
 */
export function readConfig(path: string): ConfigFile {
  const members = readMembers(path);
  const config: Partial<Record<typeof CONFIG_KEYS[number], string>> = {};
  for (const key of CONFIG_KEYS) {
    let value = members.get(key);
    if (value === undefined) continue;
    if (key === "beacon" && Array.isArray(value) && value.every((each) => typeof each === "string")) {
      value = value.join(",");
    }
    if (typeof value !== "string") throw corrupt(path, `"${key}" is not text`);
    if (value !== "") config[key] = value;
  }
  return config;
}

/**
 * Sets a member of `config.json`, or removes it when `value` is `undefined`, and keeps all others.
 *
 * @throws PilotError `corrupt_file` when the present file cannot be understood; it is then left as it is
 */
export async function updateConfig(
  path: string,
  change: { key: keyof ConfigFile; value: string | undefined },
): Promise<void> {
  const members = readMembers(path);
  if (change.value === undefined) members.delete(change.key);
  else members.set(change.key, change.value);
  await writeAtomically(path, `${JSON.stringify(Object.fromEntries(members), null, 2)}\n`, { mode: 0o600 });
}

function readMembers(path: string): Map<string, unknown> {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map();
    throw new PilotError(
      "internal",
      `cannot read ${path}: ${error instanceof Error ? error.message : error}`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw corrupt(path, "it is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw corrupt(path, "it is not an object");
  }
  return new Map(Object.entries(value));
}

function corrupt(path: string, reason: string): PilotError {
  return new PilotError("corrupt_file", `cannot use ${path}: ${reason}`, {
    hint: "correct the file or move it away; it has not been changed",
  });
}

function existingIdentity(paths: HomePaths): string {
  const installed = `${paths.home}/identity.json`;
  return !isFile(paths.identity) && isFile(installed) ? installed : paths.identity;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function hostPort(what: string, text: string): HostPort {
  const parsed = splitHostPort(text);
  if (parsed !== undefined && (what === "listen" || (parsed.host !== "" && parsed.port !== 0))) return parsed;
  const sample = what === "listen" ? ":4000" : what === "registry" ? DEFAULT_REGISTRY : DEFAULT_BEACON;
  throw new PilotError("invalid_argument", `${what} is not HOST:PORT: ${text}`, {
    hint: `write it like ${sample}`,
  });
}

function beaconList(texts: readonly string[]): HostPort[] {
  const parts = texts.flatMap((text) => text.split(",")).map((part) => part.trim());
  const beacons = new Map(parts.map((part) => [part, hostPort("beacon", part)]));
  if (beacons.size > MAX_BEACONS) {
    throw new PilotError("invalid_argument", `${beacons.size} beacons are more than ${MAX_BEACONS}`, {
      hint: "name those that are nearest to this computer",
    });
  }
  return [...beacons.values()];
}

function datagramSize(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  const bytes = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (bytes >= BASE_DATAGRAM && bytes <= LARGEST_DATAGRAM) return bytes;
  throw new PilotError("invalid_argument", `PILOT_MAX_DATAGRAM is not a size of datagrams: ${text}`, {
    hint: `bytes of UDP payload, from ${BASE_DATAGRAM} to ${LARGEST_DATAGRAM}`,
  });
}

function oneOf<T extends string>(choices: readonly T[], what: string, text: string): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new PilotError("invalid_argument", `${what} is not one of ${choices.join(", ")}: ${text}`);
}
