/**
 * A foreign beacon's relay over WebSocket, made of the runtime's own server and the bytes of the protocol, and an HTTP
 * proxy in front of it that knows the name `relay.test`, which no resolver does.
 */

import { verify } from "../../lib/crypto/identity.ts";
import { decodeBase64, encodeUtf8, toHex } from "../../lib/wire/bytes.ts";
import { at, until } from "../e2e/process.ts";
import type { Certificates } from "./certificates.ts";

const NONCE = "00112233445566778899aabbccddeeff";

/** How the relay behaves; may be changed at any time. */
export interface RelayManners {
  /** First text of a connection; `undefined` says nothing. */
  challenge: string | undefined;
  /** Answer to the login; the default judges it. */
  verdict: ((reply: string) => string) | undefined;
  /** Answers every request with this instead. */
  status: number | undefined;
}

/** One relay on 127.0.0.1. */
export class ForeignRelay {
  readonly manners: RelayManners = {
    challenge: JSON.stringify({ type: "auth_challenge", nonce: NONCE, ts: 1_800_000_000 }),
    verdict: undefined,
    status: undefined,
  };
  /** Open connections that have logged in, oldest first. */
  readonly sockets: WebSocket[] = [];
  #open = 0;
  /** Logins so far. */
  logins = 0;
  /** Datagrams in hex. */
  readonly heard: string[] = [];
  /** The last login text. */
  reply = "";
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(tls?: Pick<Certificates, "cert" | "key">) {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    const handler = (request: Request) => this.#answer(request);
    this.#server = tls === undefined
      ? Deno.serve(options, handler)
      : Deno.serve({ ...options, cert: tls.cert, key: tls.key }, handler);
  }

  get port(): number {
    return this.#server.addr.port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.close();
    await until("all connections of the relay are closed", () => this.#open === 0);
    await this.#server.shutdown();
  }

  #answer(request: Request): Response {
    const { status } = this.manners;
    if (status !== undefined) return new Response("", { status });
    const isOurs = new URL(request.url).pathname === "/v1/compat" &&
      request.headers.get("sec-websocket-protocol") === "pilot.v1";
    if (!isOurs || request.headers.get("upgrade") !== "websocket") return new Response("", { status: 426 });
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "pilot.v1", idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    this.#open++;
    socket.onopen = () => {
      if (this.manners.challenge !== undefined) socket.send(this.manners.challenge);
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return void this.heard.push(toHex(new Uint8Array(data)));
      this.reply = data;
      const verdict = this.manners.verdict?.(data) ?? judge(data);
      if (verdict === `{"type":"auth_ok"}`) {
        this.logins++;
        this.sockets.push(socket);
      }
      socket.send(verdict);
    };
    socket.onclose = () => {
      this.#open--;
      const index = this.sockets.indexOf(socket);
      if (index >= 0) this.sockets.splice(index, 1);
    };
    socket.onerror = () => {};
    return response;
  }
}

function judge(text: string): string {
  const reply: unknown = JSON.parse(text);
  const challenge = `compat_auth:${at(reply, "node_id")}:1800000000:${NONCE}`;
  const key = decodeBase64(String(at(reply, "public_key"))) ?? new Uint8Array(0);
  const signature = decodeBase64(String(at(reply, "sig"))) ?? new Uint8Array(0);
  const isRight = at(reply, "type") === "auth_reply" && verify(key, encodeUtf8(challenge), signature);
  return isRight ? `{"type":"auth_ok"}` : `{"type":"auth_error","error":"bad signature"}`;
}

/** A proxy that connects by CONNECT, to one port on 127.0.0.1 whatever the name. */
export class ConnectProxy {
  /** Takes bytes from everybody and passes none on, as a network that has died. */
  isFrozen = false;
  /** What it wants in Proxy-Authorization, `undefined` for nothing. */
  credentials: string | undefined;
  /** Answers with this status instead of connecting. */
  status: number | undefined;
  /** Request lines so far. */
  readonly requests: string[] = [];
  readonly #target: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #loop = this.#accept();

  constructor(target: number) {
    this.#target = target;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async close(): Promise<void> {
    this.#listener.close();
    for (const conn of this.#open) drop(conn);
    await this.#loop;
  }

  async #accept(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const conn of this.#listener) serving.push(this.#serve(conn));
    await Promise.all(serving);
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    this.#open.add(conn);
    try {
      let head = "";
      const buffer = new Uint8Array(4_096);
      while (!head.includes("\r\n\r\n")) {
        const length = await conn.read(buffer);
        if (length === null) return;
        head += new TextDecoder().decode(buffer.subarray(0, length));
      }
      this.requests.push(head.split("\r\n", 1)[0] ?? "");
      const given = /^Proxy-Authorization: Basic (.*)$/m.exec(head)?.[1]?.trim();
      const isAllowed = this.credentials === undefined || given === btoa(this.credentials);
      const status = this.status ?? (isAllowed ? 200 : 407);
      await conn.write(new TextEncoder().encode(`HTTP/1.1 ${status} \r\n\r\n`));
      if (status !== 200) return;
      const onward = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
      this.#open.add(onward);
      const passes = () => !this.isFrozen;
      await Promise.all([pump(conn, onward, passes), pump(onward, conn, passes)]);
      this.#open.delete(onward);
    } catch {
      // Somebody hung up.
    } finally {
      this.#open.delete(conn);
      drop(conn);
    }
  }
}

/** Accepts TLS and passes what is inside on to a port on 127.0.0.1. */
export class TlsFront {
  readonly #target: number;
  readonly #listener: Deno.TlsListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #loop: Promise<void>;

  constructor(target: number, { cert, key }: Certificates) {
    this.#target = target;
    this.#listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
    this.#loop = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async close(): Promise<void> {
    this.#listener.close();
    for (const conn of this.#open) drop(conn);
    await this.#loop;
  }

  async #accept(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const conn of this.#listener) serving.push(this.#serve(conn));
    await Promise.all(serving);
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    this.#open.add(conn);
    const onward = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    this.#open.add(onward);
    await Promise.all([pump(conn, onward), pump(onward, conn)]);
  }
}

async function pump(from: Deno.Conn, to: Deno.Conn, passes = () => true): Promise<void> {
  const buffer = new Uint8Array(16_384);
  try {
    for (let length = await from.read(buffer); length !== null; length = await from.read(buffer)) {
      for (let sent = passes() ? 0 : length; sent < length;) {
        sent += await to.write(buffer.subarray(sent, length));
      }
    }
  } catch {
    // Somebody hung up.
  }
  drop(from);
  drop(to);
}

function drop(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
