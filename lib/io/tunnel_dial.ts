/**
 * TCP and TLS connections to a host by its name, through an HTTP proxy where there is one.
 *
 * With a proxy the name is never looked up here: the proxy does that, and the resolver of a locked-in computer may lie.
 */

import { Buffer } from "node:buffer";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, rootCertificates } from "node:tls";
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
export async function dial(options: DialOptions): Promise<Socket> {
  const { proxies, signal } = options;
  const proxy = await proxies?.get(options, { signal });
  if (proxy === undefined) return await secure(await openTcp(options, signal), options);
  try {
    return await secure(await openThrough(proxy, options), options);
  } catch (error) {
    if (!(error instanceof ProxyRefusal) || error.status !== 407 || proxies?.isRefreshable !== true) {
      throw error;
    }
  }
  const renewed = await proxies.get(options, { signal, fresh: true });
  return await secure(
    renewed === undefined ? await openTcp(options, signal) : await openThrough(renewed, options),
    options,
  );
}

/** The proxy answered, and would not connect. */
class ProxyRefusal extends PilotError {
  readonly status: number;

  constructor(status: number, reason: string, where: string) {
    const needs = status === 407 ? "wants other credentials" : `answers ${status} ${reason}`.trimEnd();
    super("connection_failed", `the proxy ${where} ${needs}`, {
      hint: status === 407
        ? "give them in the URL of the proxy, or a command that knows them with --proxy-cmd"
        : "ask whoever runs the proxy whether it lets this host through",
    });
    this.status = status;
  }
}

async function openThrough(proxy: Proxy, options: DialOptions): Promise<Socket> {
  const { host, port, signal, authorities } = options;
  const plain = await openTcp(proxy, signal, "the proxy ");
  const socket = proxy.tls
    ? await secure(plain, { host: proxy.host, port: proxy.port, tls: true, authorities, signal })
    : plain;
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const authorization = proxy.credentials === undefined
    ? ""
    : `Proxy-Authorization: Basic ${encodeBase64(encodeUtf8(proxy.credentials))}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`);
  const where = place(proxy);
  const answer = await step<string>(
    socket,
    signal,
    `the proxy ${where}`,
    (settle) => readHead(socket, where, settle),
  );
  const [, status = "", reason = ""] = /^HTTP\/1\.[01] (\d{3}) ?([ -~]{0,80})/.exec(answer) ?? [];
  if (/^2/.test(status)) return socket;
  socket.destroy();
  if (status === "") throw failed(`the proxy ${where}`, "its answer is not that of an HTTP proxy");
  throw new ProxyRefusal(Number(status), reason.trim(), where);
}

/** Reads up to the empty line of an HTTP answer; a peer that waits for us says nothing beyond. */
function readHead(socket: Socket, where: string, settle: Settle<string>): () => void {
  let head = "";
  const onData = (chunk: Uint8Array) => {
    head += Buffer.from(chunk).toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end === head.length - 4) settle.resolve(head);
    else if (end >= 0 && /^HTTP\/1\.[01] 2/.test(head)) {
      settle.reject(failed(`the proxy ${where}`, "it speaks before it is asked"));
    } else if (end >= 0 || head.length > MAX_ANSWER) settle.resolve(head.slice(0, MAX_ANSWER));
  };
  socket.on("data", onData);
  return () => {
    socket.off("data", onData);
    socket.pause();
  };
}

function openTcp(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
  what = "",
): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connectTcp({ host, port, noDelay: true, keepAlive: true });
  return step<Socket>(socket, signal, `${what}${place({ host, port })}`, ({ resolve }) => {
    const onConnect = () => resolve(socket);
    socket.once("connect", onConnect);
    return () => socket.off("connect", onConnect);
  });
}

async function secure(plain: Socket, options: Omit<DialOptions, "proxies">): Promise<Socket> {
  const { host, tls, authorities, signal } = options;
  // Reading was stopped behind the answer of a proxy, and nobody speaks before we do.
  if (!tls) return plain.resume();
  const socket = connectTls({
    socket: plain,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(authorities === undefined ? {} : { ca: [...rootCertificates, authorities] }),
  });
  socket.once("close", () => plain.destroy());
  return await step<Socket>(socket, signal, place(options), ({ resolve }) => {
    const onSecure = () => resolve(socket);
    socket.once("secureConnect", onSecure);
    return () => socket.off("secureConnect", onSecure);
  });
}

interface Settle<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** Waits for one thing to happen on a socket, which is destroyed when anything else does. */
async function step<T>(
  socket: Socket,
  signal: AbortSignal,
  where: string,
  listen: (settle: Settle<T>) => () => void,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const unlisten = listen({ resolve, reject });
  const onError = (error: Error) => reject(explained(error, where));
  const onClose = () => reject(failed(where, "the connection was closed"));
  const onAbort = () => reject(signal.reason);
  const timer = setTimeout(
    () => reject(new PilotError("timeout", `${where} did not answer within ${STEP_MS / 1_000} s`)),
    STEP_MS,
  );
  socket.on("error", onError).on("close", onClose);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await promise;
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    unlisten();
    socket.off("error", onError).off("close", onClose);
    signal.removeEventListener("abort", onAbort);
  }
}

function explained(error: Error, where: string): PilotError {
  if (!/cert|issuer|self.signed|UnknownIssuer|NotValidForName/i.test(error.message)) {
    return failed(where, error.message, error);
  }
  return new PilotError("connection_failed", `the certificate of ${where} is not trusted: ${error.message}`, {
    hint: "something on the way may inspect TLS, or wants a login; give its authority with --tls-ca FILE",
    cause: error,
  });
}

function failed(where: string, reason: string, cause?: Error): PilotError {
  return new PilotError("connection_failed", `no connection to ${where}: ${reason}`, {
    hint: "check the network, and the proxy if there is one",
    ...(cause === undefined ? {} : { cause }),
  });
}

function place({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
