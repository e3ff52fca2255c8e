/** An agent of another make: answers as scripted, knows none of our additions. */

import { encodeLengthPrefixed, FrameSplitter } from "../../lib/wire/framing.ts";

/** One socket of the client under test. */
export class ForeignSocket {
  /** All messages received, in order. */
  readonly received: Uint8Array[] = [];
  readonly #conn: Deno.Conn;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Sends messages in one piece. */
  async send(...messages: readonly Uint8Array[]): Promise<void> {
    const bytes = new Uint8Array(messages.flatMap((message) => [...encodeLengthPrefixed(message)]));
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  async error(text: string): Promise<void> {
    await this.send(Uint8Array.of(0x0a, 0, 1, ...new TextEncoder().encode(text)));
  }

  async json(command: number, value: unknown): Promise<void> {
    await this.send(Uint8Array.of(command, ...new TextEncoder().encode(JSON.stringify(value))));
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // The client was faster.
    }
  }

  /** Reads until the end. */
  async run(answer: (message: Uint8Array, socket: ForeignSocket) => Promise<void>): Promise<void> {
    const splitter = new FrameSplitter(1 << 20);
    const buffer = new Uint8Array(65536);
    try {
      for (;;) {
        const count = await this.#conn.read(buffer);
        if (count === null) break;
        const messages = splitter.push(buffer.subarray(0, count));
        if (messages === "too-long") break;
        for (const message of messages) {
          this.received.push(message);
          // What every old agent says to the greeting.
          if (message[0] === 0x21) await this.error("unknown command: 0x21");
          else await answer(message, this);
        }
      }
    } catch {
      // The client has closed its socket.
    }
    this.close();
  }
}

/** Runs `body` against a scripted agent. */
export async function withForeignAgent(
  answer: (message: Uint8Array, socket: ForeignSocket) => Promise<void>,
  body: (path: string, sockets: readonly ForeignSocket[]) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pl" });
  const path = `${folder}/s`;
  const listener = Deno.listen({ transport: "unix", path });
  const sockets: ForeignSocket[] = [];
  const running: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      const socket = new ForeignSocket(conn);
      sockets.push(socket);
      running.push(socket.run(answer));
    }
  })();
  try {
    await body(path, sockets);
  } finally {
    listener.close();
    await accepting.catch(() => {});
    for (const socket of sockets) socket.close();
    await Promise.all(running);
    await Deno.remove(folder, { recursive: true });
  }
}
