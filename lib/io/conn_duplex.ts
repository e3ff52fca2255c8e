/** A connection of the runtime as a stream of Node.js, for libraries that want one. */

import { Duplex } from "node:stream";
import { concatBytes } from "../wire/bytes.ts";

/** Bytes read at a time. */
const READ_SIZE = 65_536;

/** The stream of a connection, which belongs to it from now on. */
export class ConnDuplex extends Duplex {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(READ_SIZE);

  constructor(conn: Deno.Conn) {
    super({ allowHalfOpen: false });
    this.#conn = conn;
  }

  override _read(): void {
    this.#conn.read(this.#buffer).then(
      (length) => this.push(length === null ? null : this.#buffer.slice(0, length)),
      (error) => this.destroy(error),
    );
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#writeAll(chunk).then(() => done(), done);
  }

  /** A message of several pieces leaves as one. */
  override _writev(
    pieces: readonly { readonly chunk: Uint8Array }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#writeAll(concatBytes(...pieces.map(({ chunk }) => chunk))).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
    done(error);
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let written = 0; written < chunk.length;) {
      written += await this.#conn.write(chunk.subarray(written));
    }
  }
}
