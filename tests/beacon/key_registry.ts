/** A registry that knows keys of nodes and nothing else. */

import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { encodeLengthPrefixed, FrameSplitter } from "../../lib/wire/framing.ts";
import { decodeJson, encodeJson } from "../../lib/wire/registry.ts";
import { at } from "../e2e/process.ts";

/** Answers look-ups from `keys`, which may be changed at any time. */
export class KeyRegistry {
  readonly keys = new Map<number, Uint8Array>();
  /** How often it was asked. */
  asked = 0;
  #closed = false;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.Conn>();
  readonly #loop = this.#accept();

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    await this.#loop;
  }

  async #accept(): Promise<void> {
    const answering: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      answering.push(
        this.#answer(connection).finally(() => {
          // Closed by `close` otherwise.
          if (this.#connections.delete(connection)) connection.close();
        }),
      );
    }
    await Promise.all(answering);
  }

  async #answer(connection: Deno.Conn): Promise<void> {
    const splitter = new FrameSplitter(1 << 20);
    const buffer = new Uint8Array(4_096);
    try {
      for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
        const bodies = splitter.push(buffer.slice(0, n));
        if (bodies === "too-long") return;
        for (const body of bodies) {
          await connection.write(encodeLengthPrefixed(encodeJson(this.#reply(body))));
        }
      }
    } catch {
      // Closed.
    }
  }

  #reply(body: Uint8Array): unknown {
    this.asked++;
    const node = Number(at(decodeJson(body), "node_id"));
    const key = this.keys.get(node);
    if (key === undefined) return { type: "error", error: "node not found" };
    return {
      type: "lookup_ok",
      node_id: node,
      address: "0:0000.0000.0001",
      networks: [0],
      public_key: encodeBase64(key),
      public: false,
      polo_score: 0,
    };
  }
}
