/** What a measured stream must be able to do, whatever carries it. */

/** A reliable stream to a peer. */
export interface Wire {
  /** The next bytes, `null` at the end. */
  read(): Promise<Uint8Array | null>;
  /** Hands over everything that comes until the end. A chunk is valid only during its call. */
  readAll(take: (chunk: Uint8Array) => void): Promise<void>;
  /** Resolves when there is room for more. */
  write(data: Uint8Array): Promise<void>;
  /** Ends the sending side after everything written. */
  closeWrite(): Promise<void>;
  /** Ends both sides in order. */
  close(): Promise<void>;
}

/** Something that opens streams. */
export interface Transport {
  /** Serves every stream that comes in on `port`. */
  listen(port: number, serve: (wire: Wire) => Promise<void>): Promise<void>;
  /** @throws Error when there is no stream to be had */
  dial(peer: number, port: number): Promise<Wire>;
}

/** Reads exactly `length` bytes. @throws Error when the stream ends before */
export async function readExactly(
  wire: Pick<Wire, "read">,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const result = new Uint8Array(length);
  for (let got = 0; got < length;) {
    const chunk = await wire.read();
    if (chunk === null) throw new Error(`the stream ended after ${got} of ${length} bytes`);
    if (chunk.length > length - got) throw new Error("more came than was sent");
    result.set(chunk, got);
    got += chunk.length;
  }
  return result;
}
