/**
 * Where an agent keeps its files. One folder, the home, holds everything that belongs to one agent.
 */

import { PilotError } from "../../lib/wire/error.ts";

/** Local socket of the agent in the default home, as programs written for Pilot Protocol expect it. */
export const DEFAULT_SOCKET = "/tmp/pilot.sock";

/** Longest path of a Unix socket in bytes: `sun_path` of macOS (104) less its final zero; Linux allows 107. */
const MAX_SOCKET_PATH = 103;

/** The files of one home. All paths are absolute. */
export interface HomePaths {
  readonly home: string;
  readonly config: string;
  readonly identity: string;
  readonly pid: string;
  /** The UDP port used last. */
  readonly udpPort: string;
  readonly log: string;
  readonly inbox: string;
  readonly received: string;
}

/** What decides the home and the socket: the flags given and the environment. */
export interface PathSources {
  /** Value of `--home`. */
  readonly home?: string | undefined;
  /** Value of `--socket`. */
  readonly socket?: string | undefined;
  readonly env: (name: string) => string | undefined;
}

/**
 * The home: `--home`, `PILOT_HOME`, then `~/.pilot`.
 *
 * @throws PilotError `invalid_argument` when neither a home nor `HOME` is known
 */
export function resolveHome(sources: PathSources): string {
  const chosen = sources.home ?? sources.env("PILOT_HOME");
  if (chosen !== undefined && chosen !== "") return absolutePath(chosen, sources.env);
  const home = defaultHome(sources.env);
  if (home === undefined) {
    throw new PilotError("invalid_argument", "no home folder: HOME is not set", {
      hint: "give one with --home DIR",
    });
  }
  return home;
}

/** The files below `home`. */
export function homePaths(home: string): HomePaths {
  return {
    home,
    config: `${home}/config.json`,
    identity: `${home}/identity.key`,
    pid: `${home}/pilot.pid`,
    udpPort: `${home}/udp-port`,
    log: `${home}/pilot.log`,
    inbox: `${home}/inbox`,
    received: `${home}/received`,
  };
}

/**
 * The local socket: `--socket`, `PILOT_SOCKET`, `configured`, then `/tmp/pilot.sock` for the default home and
 * `pilot.sock` inside any other.
 *
 * @throws PilotError `invalid_argument` when the path is too long for a socket
 */
export function resolveSocket(
  sources: PathSources,
  options: { home: string; configured: string | undefined },
): string {
  const chosen = sources.socket ?? sources.env("PILOT_SOCKET") ?? options.configured;
  const path = chosen !== undefined && chosen !== ""
    ? absolutePath(chosen, sources.env)
    : options.home === defaultHome(sources.env)
    ? DEFAULT_SOCKET
    : `${options.home}/pilot.sock`;
  if (new TextEncoder().encode(path).length > MAX_SOCKET_PATH) {
    throw new PilotError("invalid_argument", `socket path is longer than ${MAX_SOCKET_PATH} bytes: ${path}`, {
      hint: "give a shorter one with --socket PATH",
    });
  }
  return path;
}

/** `path` made absolute, with a leading `~/` replaced and no trailing or double slashes. */
export function absolutePath(path: string, env: (name: string) => string | undefined): string {
  const home = env("HOME");
  const expanded = home !== undefined && (path === "~" || path.startsWith("~/"))
    ? `${home}${path.slice(1)}`
    : path;
  const joined = expanded.startsWith("/") ? expanded : `${Deno.cwd()}/${expanded}`;
  const parts: string[] = [];
  for (const part of joined.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** The folder that holds `path`. */
export function parentFolder(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function defaultHome(env: (name: string) => string | undefined): string | undefined {
  const home = env("HOME");
  return home === undefined ? undefined : absolutePath(`${home}/.pilot`, env);
}
