/**
 * The default gateway, from the routing table of the system.
 */

import { ipFromBytes, ipToBytes } from "../../wire/ip.ts";
import { readRoutes, type Route } from "../routes.ts";

/** IPv4 or IPv6. */
export type IpFamily = 4 | 6;

/** Longest wait for a command that prints the routes, milliseconds. */
const COMMAND_MS = 2_000;

/**
 * The address of the default gateway; `undefined` when there is none or it cannot be found out. A link-local IPv6
 * address carries its zone: `fe80::1%eth0`. Reads `/proc` on Linux, and asks `ip route` or `route` elsewhere.
 */
export async function defaultGateway(family: IpFamily): Promise<string | undefined> {
  const routes = await readRoutes(family);
  if (routes !== undefined) return gatewayOf(routes);
  const flag = family === 4 ? "-inet" : "-inet6";
  const text = Deno.build.os === "linux"
    ? await run("ip", [`-${family}`, "route", "show", "default"])
    : await run("route", ["-n", "get", flag, "default"]);
  return text === undefined ? undefined : parseRouteOutput(text, family);
}

/** The gateway of the default route with the lowest metric. */
export function gatewayOf(routes: readonly Route[]): string | undefined {
  const defaults = routes.filter(({ prefixLength, gateway }) => prefixLength === 0 && gateway !== undefined);
  const [best] = defaults.toSorted((a, b) => a.metric - b.metric);
  return best?.gateway === undefined ? undefined : withZone(best.gateway, best.device);
}

/** The gateway in what `ip route show default` (Linux) or `route -n get default` (BSD, macOS) prints. */
export function parseRouteOutput(text: string, family: IpFamily): string | undefined {
  const address = /^default via ([0-9a-fA-F.:]+)(?: |$)/m.exec(text)?.[1] ??
    /^\s*gateway: ([0-9a-fA-F.:]+)(?:%\S+)?\s*$/m.exec(text)?.[1];
  const device = /^default via \S+ dev (\S+)/m.exec(text)?.[1] ?? /^\s*interface: (\S+)\s*$/m.exec(text)?.[1];
  const bytes = address === undefined ? undefined : ipToBytes(address);
  if (bytes === undefined || (bytes.length === 4) !== (family === 4)) return undefined;
  return withZone(ipFromBytes(bytes), device ?? "");
}

function withZone(host: string, device: string): string {
  return /^fe[89ab]/.test(host) && device !== "" ? `${host}%${device}` : host;
}

async function run(command: string, args: string[]): Promise<string | undefined> {
  if (Deno.permissions.querySync({ name: "run", command }).state !== "granted") return undefined;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), COMMAND_MS);
  try {
    const options = { args, stdin: "null", stderr: "null", signal: limit.signal } as const;
    const { success, stdout } = await new Deno.Command(command, options).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
