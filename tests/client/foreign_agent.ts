/** An agent of another make: answers as scripted, knows none of our additions unless it is told to say so. */

import { encodeLengthPrefixed, FrameSplitter } from "../../lib/wire/framing.ts";

/** What every old agent says to the greeting. */
const OLD_GREETING: Answer = (_, socket) => socket.error("unknown command: 0x21");

type Answer = (message: Uint8Array, socket: ForeignSocket) => Promise<void>;

/** One socket of the client under test. */
export class ForeignSocket {
  /** All messages received, in order. */
  readonly received: Uint8Array[] = [];
  readonly #conn: Deno.Conn;
  #closed = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Whether either side has closed it. */
  get closed(): boolean {
    return this.#closed;
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
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // The client was faster.
    }
  }

  /** Reads until the end. */
  async run(answer: Answer, greet: Answer): Promise<void> {
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
          await (message[0] === 0x21 ? greet : answer)(message, this);
        }
      }
    } catch {
      // The client has closed its socket.
    }
    this.close();
  }
}

/** Runs `body` against a scripted agent; `greet` answers the greeting. */
export async function withForeignAgent(
  answer: Answer,
  body: (path: string, sockets: readonly ForeignSocket[]) => Promise<void>,
  greet: Answer = OLD_GREETING,
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
      running.push(socket.run(answer, greet));
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
