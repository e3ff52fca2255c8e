/** A driver that speaks bytes: what it sends and expects is written as in the documents. */

import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import { Log } from "../../lib/io/log.ts";
import { type LocalOptions, serveLocal } from "../../services/agent/local/serve.ts";
import { assertEquals } from "../assert.ts";
import { FakeAgent } from "./fake_agent.ts";

/** One socket, read frame by frame. */
export class RawClient {
  readonly conn: Deno.Conn;
  #buffer = new Uint8Array(0);

  constructor(conn: Deno.Conn) {
    this.conn = conn;
  }

  static async connect(path: string): Promise<RawClient> {
    return new RawClient(await Deno.connect({ transport: "unix", path }));
  }

  /** Sends bytes as they are. `"text"` parts in quotes stand for UTF-8. */
  async raw(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? parse(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** Sends one message with its length in front. */
  async send(message: string | Uint8Array): Promise<void> {
    const body = typeof message === "string" ? parse(message) : message;
    const frame = new Uint8Array(4 + body.length);
    new DataView(frame.buffer).setUint32(0, body.length);
    frame.set(body, 4);
    await this.raw(frame);
  }

  /** The next message without its length, `null` at the end. */
  async next(): Promise<Uint8Array | null> {
    const prefix = await this.#take(4);
    if (prefix === null) return null;
    return await this.#take(new DataView(prefix.buffer).getUint32(0));
  }

  /** Asserts what the next message is. */
  async expect(message: string): Promise<void> {
    const got = await this.next();
    assertEquals(got === null ? "end" : toHex(got), toHex(parse(message)), `expected ${message}`);
  }

  /** Asserts that the next message is an Error with code 1 and this text. */
  async expectError(text: string): Promise<void> {
    const got = await this.next();
    const shown = got === null ? "end" : new TextDecoder().decode(got.subarray(3));
    assertEquals(shown, text);
    assertEquals(toHex((got ?? new Uint8Array(0)).subarray(0, 3)), "0a0001");
  }

  /** The next message as JSON behind this command byte. */
  async expectJson(command: number): Promise<Record<string, unknown>> {
    const got = await this.next();
    assertEquals(got?.[0], command);
    return JSON.parse(new TextDecoder().decode(got?.subarray(1)));
  }

  async expectEnd(): Promise<void> {
    assertEquals(await this.next(), null);
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // Already closed.
    }
  }

  async #take(length: number): Promise<Uint8Array<ArrayBuffer> | null> {
    while (this.#buffer.length < length) {
      const chunk = new Uint8Array(65536);
      const count = await this.conn.read(chunk).catch(() => null);
      if (count === null) return null;
      const grown = new Uint8Array(this.#buffer.length + count);
      grown.set(this.#buffer);
      grown.set(chunk.subarray(0, count), this.#buffer.length);
      this.#buffer = grown;
    }
    const taken = this.#buffer.slice(0, length);
    this.#buffer = this.#buffer.slice(length);
    return taken;
  }
}

/** Hex with spaces, and text in double quotes. */
function parse(text: string): Uint8Array {
  const parts = text.split('"').map((part, i) =>
    i % 2 === 0 ? fromHex(part) : new TextEncoder().encode(part)
  );
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** What a test gets. */
export interface World {
  readonly agent: FakeAgent;
  readonly path: string;
  connect(): Promise<RawClient>;
}

/** Runs `body` against a served fake agent, then stops everything. */
export async function withServer(
  body: (world: World) => Promise<void>,
  options: Partial<LocalOptions> & { agent?: FakeAgent } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pl" });
  const path = `${folder}/s`;
  const stop = new AbortController();
  const agent = options.agent ?? new FakeAgent();
  const clients: RawClient[] = [];
  const service = await serveLocal(agent, { path, log: Log.silent, signal: stop.signal, ...options });
  const connect = async () => {
    const client = await RawClient.connect(path);
    clients.push(client);
    return client;
  };
  try {
    await body({ agent, path, connect });
  } finally {
    for (const client of clients) client.close();
    stop.abort();
    await service.finished;
    await Deno.remove(folder, { recursive: true });
  }
}

/** Resolves when `condition` holds; rejects after thirty seconds. */
export async function until(condition: () => boolean, what = "condition"): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await delay(5);
  }
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
