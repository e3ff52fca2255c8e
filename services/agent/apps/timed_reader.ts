/**
 * Reading from a stream with a time limit that does not lose bytes: a read that took too long stays in flight and
 * answers the next call.
 */

import type { AgentStream } from "../api.ts";

/** Reads the pieces of one stream. Only one read may be in flight at a time. */
export class TimedReader {
  readonly #stream: Pick<AgentStream, "read">;
  #pending: Promise<Uint8Array | null> | undefined;

  constructor(stream: Pick<AgentStream, "read">) {
    this.#stream = stream;
  }

  /** The next bytes, `null` at the peer's end, or `"timeout"` after so many milliseconds. Rejects as the stream. */
  async read(milliseconds: number): Promise<Uint8Array | null | "timeout"> {
    this.#pending ??= this.#stream.read();
    const result = await within(this.#pending, milliseconds);
    if (result !== "timeout") this.#pending = undefined;
    return result;
  }
}

/** The value of `promise`, or `"timeout"` when it takes longer than so many milliseconds. */
export async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | "timeout"> {
  const { promise: expired, resolve } = Promise.withResolvers<"timeout">();
  const timer = setTimeout(() => resolve("timeout"), milliseconds);
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
