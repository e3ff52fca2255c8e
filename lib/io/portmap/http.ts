/**
 * One HTTP request to a gateway: HTTP/1.1, one connection, no redirect, no proxy, and an end to everything.
 *
 * ```text
 * POST /ctl/IPConn HTTP/1.1          HTTP/1.1 200 OK
 * Host: 192.168.1.1:5000             Content-Length: 312   or   Transfer-Encoding: chunked
 * Content-Length: 640                                      or   whatever comes until the end
 * Connection: close
 * ```
 */

import { concatBytes, decodeUtf8, encodeUtf8 } from "../../wire/bytes.ts";
import { VERSION } from "../../wire/version.ts";

/** Longest response, head and chunk headers included, bytes. */
export const MAX_RESPONSE = 65_536;
/** Longest head of a response, bytes. */
const MAX_HEAD = 4_096;
/** Longest wait for a whole response, milliseconds. */
const LIMIT_MS = 2_000;

/** A request. */
export interface GatewayRequest {
  readonly url: URL;
  /** Values must hold no line breaks. */
  readonly headers?: Readonly<Record<string, string>>;
  /** With a body it is a POST, else a GET. */
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** A response, whatever its status. */
export interface GatewayResponse {
  readonly status: number;
  readonly body: string;
}

/** Why there is none. */
export type HttpProblem = "unreachable" | "timeout" | "too-large" | "malformed";

/** Sends a request and reads the response. Never rejects. */
export async function fetchFromGateway(request: GatewayRequest): Promise<GatewayResponse | HttpProblem> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), LIMIT_MS);
  const signal = AbortSignal.any([request.signal, limit.signal]);
  let socket: Deno.TcpConn | undefined;
  const close = () => {
    try {
      socket?.close();
    } catch {
      // Closed already.
    }
  };
  signal.addEventListener("abort", close);
  try {
    const { hostname, port } = request.url;
    socket = await Deno.connect({
      hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port === "" ? 80 : Number(port),
      signal,
    });
    await writeAll(socket, encodeRequest(request));
    const data = await readAll(socket);
    return data === "too-large" ? data : decodeResponse(data);
  } catch {
    return signal.aborted ? "timeout" : "unreachable";
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", close);
    close();
  }
}

/**
 * Reads a whole response. `malformed` when it is none, or when less has come than it announces.
 */
export function decodeResponse(data: Uint8Array): GatewayResponse | "malformed" {
  const end = headEnd(data);
  if (end === undefined) return "malformed";
  const [statusLine = "", ...lines] = decodeUtf8(data.subarray(0, end)).trimEnd().split(/\r?\n/);
  const status = /^HTTP\/1\.[01] ([1-5][0-9][0-9])(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) return "malformed";
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) return "malformed";
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const body = bodyOf(data.subarray(end), headers);
  return body === undefined ? "malformed" : { status: Number(status), body: decodeUtf8(body) };
}

function encodeRequest({ url, headers = {}, body }: GatewayRequest): Uint8Array {
  const content = encodeUtf8(body ?? "");
  const head = [
    `${body === undefined ? "GET" : "POST"} ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    `User-Agent: pilot/${VERSION} UPnP/1.1`,
    "Connection: close",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${content.length}`]),
  ];
  // One write: some routers answer to the first segment that arrives.
  return concatBytes(encodeUtf8(`${head.join("\r\n")}\r\n\r\n`), content);
}

async function writeAll(socket: Deno.TcpConn, data: Uint8Array): Promise<void> {
  for (let written = 0; written < data.length;) written += await socket.write(data.subarray(written));
}

async function readAll(socket: Deno.TcpConn): Promise<Uint8Array | "too-large"> {
  const data = new Uint8Array(MAX_RESPONSE);
  for (let length = 0;;) {
    if (length === data.length) return "too-large";
    const count = await socket.read(data.subarray(length));
    if (count === null) return data.subarray(0, length);
    length += count;
    // Some routers keep the connection open all the same, so the announced length counts, too.
    if (isWhole(data.subarray(0, length))) return data.subarray(0, length);
  }
}

/**
 * Whether a response that announces its length has come in full. Looks at no more than the head and the last bytes,
 * as it is asked after every segment.
 */
function isWhole(data: Uint8Array): boolean {
  const end = headEnd(data);
  if (end === undefined) return false;
  const head = decodeUtf8(data.subarray(0, end));
  const length = /^content-length:[ \t]*([0-9]{1,6})[ \t]*\r?$/im.exec(head)?.[1];
  if (length !== undefined) return data.length >= end + Number(length);
  return /^transfer-encoding:/im.test(head) && decodeUtf8(data.subarray(-5)) === "0\r\n\r\n";
}

/** Where the body begins; `undefined` when the head is not complete, or too long. */
function headEnd(data: Uint8Array): number | undefined {
  const start = data.subarray(0, MAX_HEAD);
  for (let at = start.indexOf(10); at >= 0; at = start.indexOf(10, at + 1)) {
    if (data[at + 1] === 10) return at + 2;
    if (data[at + 1] === 13 && data[at + 2] === 10) return at + 3;
  }
  return undefined;
}

function bodyOf(data: Uint8Array, headers: ReadonlyMap<string, string>): Uint8Array | undefined {
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") return joinChunks(data);
  const announced = headers.get("content-length");
  if (announced === undefined) return data;
  const length = /^[0-9]{1,6}$/.test(announced) ? Number(announced) : Infinity;
  return length <= data.length ? data.subarray(0, length) : undefined;
}

/** The content of chunks: a length in hex, CR LF, so many bytes, CR LF, until a length of 0 (RFC 9112 section 7.1). */
function joinChunks(data: Uint8Array): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (let at = 0;;) {
    const lineEnd = data.indexOf(10, at);
    if (lineEnd < 0) return undefined;
    const size = /^([0-9a-fA-F]{1,6})[ \t]*(?:;.*)?\r?$/.exec(decodeUtf8(data.subarray(at, lineEnd)))?.[1];
    if (size === undefined) return undefined;
    const length = Number.parseInt(size, 16);
    if (length === 0) return concatBytes(...parts);
    const start = lineEnd + 1;
    if (start + length > data.length) return undefined;
    parts.push(data.subarray(start, start + length));
    at = start + length;
    if (data[at] === 13) at++;
    if (data[at++] !== 10) return undefined;
  }
}
