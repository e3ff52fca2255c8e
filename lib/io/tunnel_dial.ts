/**
 * TCP and TLS connections to a host by its name, through an HTTP proxy where there is one.
 *
 * With a proxy the name is never looked up here: the proxy does that, and the resolver of a locked-in computer may lie.
 */

import { encodeBase64, encodeUtf8 } from "../wire/bytes.ts";
import { PilotError } from "../wire/error.ts";
import type { Proxy } from "./proxy.ts";
import type { ProxySource } from "./proxy_source.ts";

/** Time for each step of connecting, milliseconds. */
const STEP_MS = 10_000;
/** Longest answer of a proxy, bytes. */
const MAX_ANSWER = 16_384;

/** Where to connect to, and how. */
export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly proxies?: ProxySource | undefined;
  /** Certificates of authorities that are trusted beside those of the system, PEM. */
  readonly authorities?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * A connection, encrypted and verified when `tls` is set.
 *
 * @throws PilotError `connection_failed` (nobody there, refused by the proxy, certificate not trusted), `timeout`,
 * `invalid_argument` or `unavailable` for the proxy; or the reason of `signal`
 */
export async function dial(options: DialOptions): Promise<Deno.Conn> {
  const { proxies, signal } = options;
  const proxy = await proxies?.get(options, { signal });
  if (proxy === undefined) return await secure(await openTcp(options, signal, place(options)), options);
  try {
    return await secure(await openThrough(proxy, options), options);
  } catch (error) {
    if (!(error instanceof ProxyRefusal) || error.status !== 407 || proxies?.isRefreshable !== true) {
      throw error;
    }
  }
  const renewed = await proxies.get(options, { signal, fresh: true });
  return await secure(
    renewed === undefined
      ? await openTcp(options, signal, place(options))
      : await openThrough(renewed, options),
    options,
  );
}

/** The proxy answered, and would not connect. */
class ProxyRefusal extends PilotError {
  readonly status: number;

  constructor(status: number, reason: string, where: string) {
    const needs = status === 407 ? "wants other credentials" : `answers ${status} ${reason}`.trimEnd();
    super("connection_failed", `${where} ${needs}`, {
      hint: status === 407
        ? "give them in the URL of the proxy, or a command that knows them with --proxy-cmd"
        : "ask whoever runs the proxy whether it lets this host through",
    });
    this.status = status;
  }
}

async function openThrough(proxy: Proxy, options: DialOptions): Promise<Deno.TcpConn> {
  const { host, port, signal } = options;
  const where = `the proxy ${place(proxy)}`;
  const conn = await openTcp(proxy, signal, where);
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const authorization = proxy.credentials === undefined
    ? ""
    : `Proxy-Authorization: Basic ${encodeBase64(encodeUtf8(proxy.credentials))}\r\n`;
  const request = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`;
  return await step(conn, { where, signal }, async () => {
    await conn.write(encodeUtf8(request));
    const answer = await readHead(conn, where);
    const [, status = "", reason = ""] = /^HTTP\/1\.[01] (\d{3}) ?([ -~]{0,80})/.exec(answer) ?? [];
    if (status === "") throw failed(where, "its answer is not that of an HTTP proxy");
    if (!status.startsWith("2")) throw new ProxyRefusal(Number(status), reason.trim(), where);
    return conn;
  });
}

/** Reads an HTTP answer up to its empty line, byte by byte near the end: what follows belongs to somebody else. */
async function readHead(conn: Deno.Conn, where: string): Promise<string> {
  let head = "";
  while (!head.endsWith("\r\n\r\n")) {
    // So many bytes are missing at least.
    const ending = ["\r\n\r", "\r\n", "\r"].find((part) => head.endsWith(part)) ?? "";
    const buffer = new Uint8Array(4 - ending.length);
    const length = await conn.read(buffer);
    if (length === null) throw failed(where, "the connection was closed");
    head += String.fromCharCode(...buffer.subarray(0, length));
    if (head.length > MAX_ANSWER) throw failed(where, "its answer is too long");
  }
  return head;
}

async function openTcp(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
  where: string,
): Promise<Deno.TcpConn> {
  const late = AbortSignal.timeout(STEP_MS);
  try {
    const conn = await Deno.connect({ hostname: host, port, signal: AbortSignal.any([signal, late]) });
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
    return conn;
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) throw timedOut(where);
    throw explained(error, where);
  }
}

async function secure(conn: Deno.TcpConn, options: DialOptions): Promise<Deno.Conn> {
  const { host, tls, authorities, signal } = options;
  if (!tls) return conn;
  const caCerts = authorities === undefined ? [] : [authorities];
  const encrypted = await Deno.startTls(conn, { hostname: host, caCerts, alpnProtocols: ["http/1.1"] });
  return await step(encrypted, { where: place(options), signal }, async () => {
    await encrypted.handshake();
    return encrypted;
  });
}

/** Does something on a connection, which is closed when that fails, takes too long or is aborted. */
async function step<T>(
  conn: Deno.Conn,
  { where, signal }: { readonly where: string; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  let isLate = false;
  const close = () => {
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  };
  const timer = setTimeout(() => {
    isLate = true;
    close();
  }, STEP_MS);
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  try {
    return await work();
  } catch (error) {
    close();
    signal.throwIfAborted();
    if (isLate) throw timedOut(where);
    throw explained(error, where);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", close);
  }
}

function timedOut(where: string): PilotError {
  return new PilotError("timeout", `${where} did not answer within ${STEP_MS / 1_000} s`);
}

function explained(error: unknown, where: string): PilotError {
  if (error instanceof PilotError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (reason.includes("CaUsedAsEndEntity")) {
    return new PilotError("connection_failed", `${where} shows the certificate of an authority as its own`, {
      hint: "whoever runs it makes another: openssl req -x509 -addext basicConstraints=critical,CA:FALSE ...",
      cause: error,
    });
  }
  if (!/certificate|UnknownIssuer|NotValidForName/i.test(reason)) return failed(where, reason, error);
  return new PilotError("connection_failed", `the certificate of ${where} is not trusted: ${reason}`, {
    hint: "something on the way may inspect TLS, or wants a login; give its authority with --tls-ca FILE",
    cause: error,
  });
}

function failed(where: string, reason: string, cause?: unknown): PilotError {
  return new PilotError("connection_failed", `no connection to ${where}: ${reason}`, {
    hint: "check the network, and the proxy if there is one",
    ...(cause === undefined ? {} : { cause }),
  });
}

function place({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
