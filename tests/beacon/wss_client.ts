/** A foreign node on the relay over WebSocket: the runtime's own WebSocket, spoken to by hand. */

import { type Identity, signBase64 } from "../../lib/crypto/identity.ts";
import { encodeBase64, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { at, soon, until } from "../e2e/process.ts";

/** One connection. */
export class WssNode {
  /** Texts and datagrams in hex, as they arrived. */
  readonly heard: string[] = [];
  /** Code and reason once it is closed. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) =>
      this.heard.push(typeof data === "string" ? data : toHex(new Uint8Array(data)));
    socket.onclose = ({ code, reason }) => this.closed = { code, reason };
  }

  /** Connects. @throws Error when that fails */
  static async connect(
    url: string,
    options: { client?: Deno.HttpClient; protocol?: string } = {},
  ): Promise<WssNode> {
    const { client, protocol = "pilot.v1" } = options;
    const socket = new WebSocket(url, { protocols: [protocol], ...(client === undefined ? {} : { client }) });
    const node = new WssNode(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.onopen = () => resolve();
    socket.onerror = (event) => reject(new Error(event instanceof ErrorEvent ? event.message : "error"));
    await promise;
    socket.onerror = null;
    return node;
  }

  /** Connects and logs in. */
  static async logIn(url: string, who: { node: number; identity: Identity }): Promise<WssNode> {
    const node = await WssNode.connect(url);
    await node.answer(who);
    await until("the login is taken", () => node.heard.includes(`{"type":"auth_ok"}`));
    node.heard.length = 0;
    return node;
  }

  /** The challenge. */
  async challenge(): Promise<{ nonce: string; ts: number }> {
    await until("a challenge comes", () => this.heard.length > 0);
    const json: unknown = JSON.parse(this.heard[0] ?? "");
    return { nonce: String(at(json, "nonce")), ts: Number(at(json, "ts")) };
  }

  /** Answers the challenge. */
  async answer(who: { node: number; identity: Identity; sig?: string }): Promise<string> {
    const { nonce, ts } = await this.challenge();
    const { node, identity, sig = signBase64(identity, `compat_auth:${node}:${ts}:${nonce}`) } = who;
    const public_key = encodeBase64(identity.publicKey);
    this.socket.send(JSON.stringify({ type: "auth_reply", node_id: node, public_key, sig }));
    return sig;
  }

  /** Sends a datagram. */
  say(hex: string): void {
    this.socket.send(fromHex(hex));
  }

  /** The next thing heard. */
  async hears(): Promise<string> {
    await until("something is heard", () => this.heard.length > 0);
    return this.heard.shift() ?? "";
  }

  /** Waits for the end. */
  async gone(): Promise<{ readonly code: number; readonly reason: string }> {
    await until("the connection is closed", () => this.closed !== undefined);
    return this.closed ?? { code: 0, reason: "" };
  }

  async close(): Promise<void> {
    this.socket.close();
    await soon("the connection closes", this.gone());
  }
}
