/**
 * Which proxy a connection goes through: settings, environment, or a command that knows the credentials of the hour.
 */

import { ipToBytes, splitHostPort } from "../wire/endpoint.ts";
import { PilotError } from "../wire/error.ts";

/** An HTTP proxy that connects by CONNECT (RFC 9110 section 9.3.6). */
export interface Proxy {
  readonly host: string;
  readonly port: number;
  /** `user:password`, percent-decoded. Never logged. */
  readonly credentials: string | undefined;
}

/** What the user wants: `auto` asks the environment, `off` connects directly, anything else names the proxy. */
export interface ProxySettings {
  /** `auto`, `off` or a URL. */
  readonly proxy: string;
  /** A shell command that prints the URL of the proxy. */
  readonly command?: string | undefined;
  readonly env: (name: string) => string | undefined;
}

const HINT = "write it like http://user:password@proxy.example:3128";

/**
 * Reads the URL of a proxy. The scheme may be left out. Everything up to the last `@` is user and password.
 *
 * @throws PilotError `invalid_argument`; the message never has the password in it
 */
export function parseProxy(text: string): Proxy {
  const [, scheme = "http", rest = ""] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text.trim()) ?? [];
  const kind = scheme.toLowerCase();
  if (kind !== "http") {
    throw new PilotError("invalid_argument", `proxies of kind ${kind} are not supported`, { hint: HINT });
  }
  const at = rest.lastIndexOf("@");
  const authority = (rest.slice(at + 1).split(/[/?#]/, 1)[0] ?? "").toLowerCase();
  const place = splitHostPort(authority) ?? splitHostPort(`${authority}:80`);
  if (place === undefined || place.host === "" || place.port === 0) {
    throw new PilotError("invalid_argument", "the proxy is not a URL with a host", { hint: HINT });
  }
  const credentials = at < 0 ? undefined : percentDecode(rest.slice(0, at));
  return { ...place, credentials };
}

/**
 * The proxy for connections to `host`, `undefined` for none.
 *
 * @throws PilotError `invalid_argument` as `parseProxy`
 */
export function proxyFor(target: { readonly host: string; readonly port: number }, settings: ProxySettings) {
  const { proxy, env } = settings;
  if (proxy === "off") return undefined;
  if (proxy !== "auto") return parseProxy(proxy);
  const text = first(env, ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]);
  if (text === undefined || isExempt(target, first(env, ["NO_PROXY", "no_proxy"]) ?? "")) return undefined;
  return parseProxy(text);
}

/** Whether `NO_PROXY` names the target: `*`, a host, a domain and all below it, an address, or a range of addresses. */
export function isExempt(
  { host, port }: { readonly host: string; readonly port: number },
  list: string,
): boolean {
  const name = host.toLowerCase();
  const bytes = ipToBytes(name);
  if (name === "localhost" || name === "::1" || (bytes?.length === 4 && bytes[0] === 127)) return true;
  return list.split(/[,\s]+/).some((entry) => {
    const text = entry.toLowerCase();
    if (text === "") return false;
    if (text === "*") return true;
    if (text.includes("/")) return bytes !== undefined && isInside(bytes, text);
    const parts = splitHostPort(text);
    if (parts !== undefined && parts.port !== port) return false;
    const domain = (parts?.host ?? text).replace(/^\*?\./, "").replace(/^\[|\]$/g, "");
    return name === domain || (bytes === undefined && name.endsWith(`.${domain}`));
  });
}

function isInside(bytes: Uint8Array, range: string): boolean {
  const [network = "", length = ""] = range.split("/");
  const base = ipToBytes(network);
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : NaN;
  if (base === undefined || base.length !== bytes.length || !(bits <= 8 * bytes.length)) return false;
  return bytes.every((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - 8 * index));
    const mask = 0xff00 >> kept & 0xff;
    return (byte & mask) === ((base[index] ?? 0) & mask);
  });
}

/** Sequences that are none stay as they are: passwords may have a bare `%`. */
function percentDecode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}

function first(env: (name: string) => string | undefined, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = env(name);
    if (value !== undefined && value !== "") return value;
  }
  return undefined;
}
