/**
 * A WebSocket server for one path, encrypted or behind something that encrypts. Bounded from the first byte: number of
 * connections in all and per address, time and size of a request, size of a message, data that waits to be sent.
 */

// @ts-types="../../types/ws.d.ts"
import { type WebSocket, WebSocketServer } from "ws";
import type { Duplex } from "node:stream";
import { ipFromBytes, ipToBytes } from "../wire/endpoint.ts";
import { PilotError } from "../wire/error.ts";
import { decodeHttpHead, type HttpHead, listElements } from "../wire/http_head.ts";
import { ConnDuplex } from "./conn_duplex.ts";
import { toEndpoint } from "./driver_socket.ts";
import { acceptWithoutDelay, loadLibc } from "./libc.ts";

/** Time for the request, the handshake of TLS included, milliseconds. */
const REQUEST_MS = 10_000;
/** Longest request, bytes. */
const MAX_REQUEST = 8_192;

/** How to serve. */
export interface WssServerOptions {
  readonly host: string;
  readonly port: number;
  /** PEM; absent: in the clear. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly path: string;
  readonly protocol: string;
  /** Longest message, bytes. */
  readonly maxMessage: number;
  /** Bytes that may wait for one client; what comes on top is lost. */
  readonly maxBuffered: number;
  readonly maxConnections: number;
  readonly maxPerHost: number;
  /** Takes a client; called before anything of it is read. */
  readonly onClient: (client: WssClient) => WssClientHooks;
  readonly signal: AbortSignal;
}

/** What a client does. */
export interface WssClientHooks {
  text(text: string): void;
  binary(data: Uint8Array): void;
  /** A ping or pong. */
  alive(): void;
  closed(): void;
}

/** One client. */
export interface WssClient {
  /** The address it comes from. */
  readonly host: string;
  sendText(text: string): void;
  /** Sends a message; false when it is lost because too much waits. */
  sendBinary(data: Uint8Array): boolean;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** A server at work. */
export interface WssServer {
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  readonly finished: Promise<void>;
}

/**
 * Starts to serve.
 *
 * @throws PilotError `already_exists` for a port in use, `invalid_argument` for an address that is not ours or a
 * certificate that does not fit its key
 */
export function serveWss(options: WssServerOptions): WssServer {
  return new Server(options);
}

class Server implements WssServer {
  readonly #options: WssServerOptions;
  readonly #listener: Deno.Listener;
  readonly #upgrades: WebSocketServer;
  readonly #open = new Set<ConnDuplex>();
  readonly #perHost = new Map<string, number>();
  readonly finished: Promise<void>;

  constructor(options: WssServerOptions) {
    this.#options = options;
    this.#listener = listen(options);
    this.#upgrades = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: options.maxMessage,
      perMessageDeflate: false,
      handleProtocols: () => options.protocol,
    });
    this.finished = this.#accept();
  }

  get address(): string {
    const { addr } = this.#listener;
    return addr.transport === "tcp" ? addr.hostname : "";
  }

  get port(): number {
    const { addr } = this.#listener;
    return addr.transport === "tcp" ? addr.port : 0;
  }

  get connections(): number {
    return this.#open.size;
  }

  async #accept(): Promise<void> {
    const { signal } = this.#options;
    const close = () => {
      this.#listener.close();
      for (const socket of this.#open) socket.destroy();
    };
    if (signal.aborted) close();
    signal.addEventListener("abort", close, { once: true });
    const serving = new Set<Promise<void>>();
    while (!signal.aborted) {
      try {
        const conn = await this.#listener.accept();
        const served = this.#serve(conn).finally(() => serving.delete(served));
        serving.add(served);
      } catch {
        // Closed, out of file numbers, or a client that was gone before it was accepted: the next one may be well.
        if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    await Promise.all(serving);
  }

  /** One connection from beginning to end. Never throws. */
  async #serve(conn: Deno.Conn): Promise<void> {
    // Small messages do not wait for the acknowledgement of others (RFC 9293 section 3.7.4).
    if ("setNoDelay" in conn && typeof conn.setNoDelay === "function") conn.setNoDelay(true);
    const socket = new ConnDuplex(conn);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.on("close", () => resolve());
    socket.on("error", () => {});
    const peer = conn.remoteAddr.transport === "tcp" ? canonical(conn.remoteAddr.hostname) : "";
    if (this.#open.size >= this.#options.maxConnections) socket.destroy();
    else {
      this.#open.add(socket);
      const request = await readRequest(socket);
      if (request === undefined) socket.destroy();
      else this.#answer(socket, { ...request, host: this.#origin(peer, request.head) });
    }
    await closed;
    this.#open.delete(socket);
  }

  /** Behind something that encrypts on this computer, every client comes from there; it says where it really is. */
  #origin(peer: string, head: HttpHead): string {
    const isForwarder = this.#options.tls === undefined && (peer.startsWith("127.") || peer === "::1");
    const forwarded = isForwarder ? listElements(head.headers["x-forwarded-for"]).at(-1) : undefined;
    const bytes = forwarded === undefined ? undefined : ipToBytes(forwarded);
    return bytes === undefined ? peer : ipFromBytes(bytes);
  }

  #answer(socket: ConnDuplex, request: Request): void {
    const { head, rest, host } = request;
    const { path, protocol, maxPerHost } = this.#options;
    if (head.method !== "GET" && head.method !== "HEAD") {
      return refuse(socket, head, "405 Method Not Allowed");
    }
    if (head.path === "/healthz") return refuse(socket, head, "200 OK", "ok");
    if (head.path !== path) return refuse(socket, head, "404 Not Found");
    const isUpgrade = listElements(head.headers["upgrade"]).includes("websocket");
    if (!isUpgrade || head.method !== "GET") return refuse(socket, head, "426 Upgrade Required");
    if (!listElements(head.headers["sec-websocket-protocol"]).includes(protocol)) {
      return refuse(socket, head, "400 Bad Request", `the subprotocol is ${protocol}`);
    }
    const count = this.#perHost.get(host) ?? 0;
    if (count >= maxPerHost) return refuse(socket, head, "429 Too Many Requests");
    this.#perHost.set(host, count + 1);
    socket.on("close", () => {
      const left = (this.#perHost.get(host) ?? 1) - 1;
      if (left > 0) this.#perHost.set(host, left);
      else this.#perHost.delete(host);
    });
    const upgrade = { method: head.method, url: head.path, headers: head.headers };
    this.#upgrades.handleUpgrade(upgrade, socket, rest, (ws) => this.#welcome(ws, host));
    // Reading was stopped behind the request.
    socket.resume();
  }

  #welcome(ws: WebSocket, host: string): void {
    const { onClient, maxBuffered } = this.#options;
    const hooks = onClient({
      host,
      sendText: (text) => ws.send(text),
      sendBinary: (data) => {
        if (ws.bufferedAmount + data.length > maxBuffered) return false;
        ws.send(data, { binary: true });
        return true;
      },
      close: (code, reason) => ws.close(code, reason),
      terminate: () => ws.terminate(),
    });
    ws.on("message", (data, isBinary) => {
      if (isBinary) hooks.binary(new Uint8Array(data.buffer, data.byteOffset, data.length));
      else hooks.text(data.toString());
    });
    ws.on("ping", () => hooks.alive());
    ws.on("pong", () => hooks.alive());
    ws.on("error", () => ws.terminate());
    ws.on("close", () => hooks.closed());
  }
}

interface Request {
  readonly head: HttpHead;
  /** What came behind the head. */
  readonly rest: Uint8Array;
  readonly host: string;
}

/** Reads a request, `undefined` when none comes in time. */
async function readRequest(socket: Duplex): Promise<Omit<Request, "host"> | undefined> {
  const { promise, resolve } = Promise.withResolvers<Omit<Request, "host"> | undefined>();
  let bytes = new Uint8Array(0);
  const onData = (chunk: Uint8Array) => {
    const joined = new Uint8Array(bytes.length + chunk.length);
    joined.set(bytes);
    joined.set(chunk, bytes.length);
    bytes = joined;
    const text = new TextDecoder("latin1").decode(bytes);
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      if (bytes.length > MAX_REQUEST) resolve(undefined);
      return;
    }
    const head = end > MAX_REQUEST ? undefined : decodeHttpHead(text.slice(0, end));
    resolve(head === undefined ? undefined : { head, rest: bytes.subarray(end + 4) });
    socket.off("data", onData);
    socket.pause();
  };
  const onClose = () => resolve(undefined);
  const timer = setTimeout(onClose, REQUEST_MS);
  socket.on("data", onData);
  socket.on("close", onClose);
  const request = await promise;
  clearTimeout(timer);
  socket.off("data", onData);
  socket.off("close", onClose);
  return request;
}

function refuse(socket: Duplex, head: HttpHead, status: string, text = ""): void {
  const body = head.method === "HEAD" ? "" : text;
  const upgrade = status.startsWith("426") ? "Upgrade: websocket\r\n" : "";
  socket.end(
    `HTTP/1.1 ${status}\r\n${upgrade}Connection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${text.length}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function listen({ host, port, tls }: WssServerOptions): Deno.Listener {
  try {
    if (tls === undefined) return Deno.listen({ hostname: host, port });
    const listener = Deno.listenTls({ hostname: host, port, ...tls, alpnProtocols: ["http/1.1"] });
    const libc = loadLibc();
    if (libc !== undefined) acceptWithoutDelay(libc, toEndpoint(listener.addr));
    return listener;
  } catch (error) {
    const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new PilotError("already_exists", `${where} is in use`, {
        hint: "choose another port with --wss",
      });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new PilotError("invalid_argument", `cannot serve at ${where}: ${reason}`, {
      hint: "check the address, and that certificate and key are PEM and belong together",
    });
  }
}

function canonical(host: string): string {
  const bytes = ipToBytes(host);
  return bytes === undefined ? host : ipFromBytes(bytes);
}
