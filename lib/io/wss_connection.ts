/**
 * One logged-in connection to the relay of a beacon over WebSocket: login, datagrams out and in, signs of life.
 */

// @ts-types="../../types/ws.d.ts"
import { WebSocket } from "ws";
import { type Identity, signText } from "../crypto/identity.ts";
import { ConnDuplex } from "./conn_duplex.ts";
import {
  COMPAT_LOGIN_MS,
  COMPAT_MAX_MESSAGE,
  COMPAT_PING_MS,
  COMPAT_PONG_MS,
  COMPAT_PROTOCOL,
  compatProof,
  decodeCompat,
  encodeCompat,
} from "../wire/compat.ts";
import { PilotError } from "../wire/error.ts";

/** Bytes that may wait to leave; what comes on top is lost, as on any full link. */
const MAX_BUFFERED = 256 * 1024;

/** Something answers in place of the relay, as in networks that want a login. */
export class CaptivePortalError extends PilotError {
  constructor(host: string, status: number) {
    super("connection_failed", `something else than a beacon answers for ${host} (${status})`, {
      hint: "the network may want a login: open a page in a browser; the agent keeps trying",
    });
  }
}

/** How to log in, and who hears what arrives. */
export interface WssLogin {
  /** The relay, `wss://host:port/path`; the connection leads there and is encrypted already. */
  readonly url: URL;
  readonly identity: Identity;
  readonly node: number;
  readonly signal: AbortSignal;
  readonly onDatagram: (data: Uint8Array) => void;
  /** Times replaced by tests, milliseconds. */
  readonly times?: { readonly login?: number; readonly ping?: number; readonly pong?: number };
}

/** A connection on which datagrams pass. */
export class WssConnection {
  /** Resolves with the reason when the connection is over. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Datagrams lost because too much waited. */
  dropped = 0;
  readonly #ws: WebSocket;
  readonly #login: WssLogin;
  readonly #ready = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<{ code: number; reason: string }>();
  #state: "opening" | "challenged" | "up" | "over" = "opening";
  #heard = 0;
  #pinger: ReturnType<typeof setInterval> | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;

  /**
   * Logs in on a connection, which belongs to the connection from now on.
   *
   * @throws PilotError `connection_failed` when it is no relay or refuses, `timeout`; or the reason of `signal`
   */
  static async open(conn: Deno.Conn, login: WssLogin): Promise<WssConnection> {
    const connection = new WssConnection(new ConnDuplex(conn), login);
    const { signal, times } = login;
    const abort = () => connection.#ready.reject(signal.reason);
    const late = () => connection.#ready.reject(timedOut(login.url));
    const timer = setTimeout(late, times?.login ?? COMPAT_LOGIN_MS);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      await connection.#ready.promise;
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  private constructor(socket: ConnDuplex, login: WssLogin) {
    this.#login = login;
    this.closed = this.#over.promise;
    const { url } = login;
    // Encrypted already: what remains is plain HTTP on the given socket.
    this.#ws = new WebSocket(`ws://${url.host}${url.pathname}${url.search}`, COMPAT_PROTOCOL, {
      createConnection: () => socket,
      headers: { Host: url.host },
      maxPayload: COMPAT_MAX_MESSAGE,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#ws.on("message", (data, isBinary) => {
      this.#heard++;
      if (isBinary) this.#takeDatagram(data);
      else if (this.#state !== "up") this.#takeText(data.toString());
    });
    this.#ws.on("pong", () => this.#heard++);
    this.#ws.on("ping", () => this.#heard++);
    this.#ws.on("unexpected-response", (request, response) => {
      const status = response.statusCode ?? 0;
      request.destroy();
      socket.destroy();
      this.#fail(noRelay(url, status));
    });
    this.#ws.on("error", (error) => this.#fail(lost(url, error.message, error)));
    this.#ws.on("close", (code, reason) => this.#end(code, reason.toString()));
  }

  /** Sends one datagram; false when it is lost. */
  send(data: Uint8Array): boolean {
    if (this.#state !== "up") return false;
    if (this.#ws.bufferedAmount + data.length > MAX_BUFFERED) {
      this.dropped++;
      return false;
    }
    this.#ws.send(data, { binary: true });
    return true;
  }

  /** Ends it at once. */
  close(): void {
    this.#ws.terminate();
    this.#end(1006, "closed here");
  }

  #takeDatagram(data: Uint8Array): void {
    if (this.#state !== "up") return this.#fail(lost(this.#login.url, "it sends data before the login"));
    this.#login.onDatagram(new Uint8Array(data.buffer, data.byteOffset, data.length));
  }

  #takeText(text: string): void {
    const { url, identity, node } = this.#login;
    const message = decodeCompat(text);
    if (message?.type === "auth_challenge" && this.#state === "opening") {
      this.#state = "challenged";
      const signature = signText(identity, compatProof(node, message));
      const { publicKey } = identity;
      this.#ws.send(encodeCompat({ type: "auth_reply", node, publicKey, signature }));
    } else if (message?.type === "auth_ok" && this.#state === "challenged") {
      this.#state = "up";
      this.#pinger = setInterval(() => this.#ping(), this.#login.times?.ping ?? COMPAT_PING_MS);
      this.#ready.resolve();
    } else if (message?.type === "error") {
      this.#fail(lost(url, `it refuses the login: ${printable(message.reason)}`));
    } else this.#fail(lost(url, "its login is not that of a Pilot beacon"));
  }

  #ping(): void {
    const heard = this.#heard;
    this.#ws.ping();
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      if (this.#heard === heard) this.#fail(lost(this.#login.url, "it does not answer any more"));
    }, this.#login.times?.pong ?? COMPAT_PONG_MS);
  }

  #fail(error: PilotError): void {
    this.#ready.reject(error);
    this.#ready.promise.catch(() => {});
    this.#ws.terminate();
    this.#end(1006, error.message);
  }

  #end(code: number, reason: string): void {
    if (this.#state === "over") return;
    const wasUp = this.#state === "up";
    this.#state = "over";
    clearInterval(this.#pinger);
    clearTimeout(this.#patience);
    if (!wasUp) {
      const why = reason === "" ? `it hung up (${code})` : `it hung up: ${printable(reason)}`;
      this.#ready.reject(lost(this.#login.url, why));
      this.#ready.promise.catch(() => {});
    }
    this.#over.resolve({ code, reason: printable(reason) });
  }
}

/** Text of a stranger, fit for a log. */
function printable(text: string): string {
  return text.replace(/[^ -~]/g, "?").slice(0, 200);
}

function timedOut(url: URL): PilotError {
  return new PilotError("timeout", `${url.host} did not finish the login in time`, {
    hint: "the agent keeps trying",
  });
}

function lost(url: URL, reason: string, cause?: Error): PilotError {
  return new PilotError("connection_failed", `no relay at ${url.host}: ${reason}`, {
    hint: "check the address given with --compat-url; the agent keeps trying",
    ...(cause === undefined ? {} : { cause }),
  });
}

function noRelay(url: URL, status: number): PilotError {
  const isPortal = status === 200 || status === 511 || (status >= 300 && status < 400);
  if (isPortal) return new CaptivePortalError(url.host, status);
  return lost(url, `it answers ${status}`);
}
