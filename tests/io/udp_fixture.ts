import type { Transmit } from "../../lib/core/machine.ts";
import { type BatchSocket, openSocket } from "../../lib/io/driver_socket.ts";
import { openFfiSocket } from "../../lib/io/udp_ffi.ts";
import { type Libc, loadLibc } from "../../lib/io/libc.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";

/** A socket on a C library some of whose functions are replaced. */
export function openWith(replaced: Partial<Libc>): BatchSocket {
  const libc = loadLibc();
  if (libc === undefined) throw new Error("no C library");
  const plain = openSocket({ host: "127.0.0.1", port: 0, udp: "deno" });
  const socket = openFfiSocket(plain, { dontFragment: false, libc: { ...libc, ...replaced } });
  if (socket === undefined) throw new Error("no batches here");
  return socket;
}

/** Datagrams whose bytes tell their number and length. */
export function numbered(to: Endpoint, sizes: readonly number[]): Transmit[] {
  return sizes.map((size, i) => ({ to, data: new Uint8Array(size).fill(i + size) }));
}

/** The memory of a machine's transmits: what is reused is ruined, so that whoever still needs it sends nonsense. */
export class LentMemory {
  readonly #lent: Uint8Array[] = [];

  /** `transmit` with data that `reuse` ruins. */
  lend(transmit: Transmit | undefined): Transmit | undefined {
    if (transmit === undefined) return undefined;
    const data = transmit.data.slice();
    this.#lent.push(data);
    return { ...transmit, data };
  }

  reuse(): void {
    for (const data of this.#lent.splice(0)) data.fill(0xee);
  }
}
