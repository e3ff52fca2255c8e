/** The UDP sockets that a driver can work with, and how one is opened. */

import type { Transmit } from "../core/machine.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { PilotError } from "../wire/error.ts";
import { readEnv } from "./ffi.ts";
import { openFfiSocket } from "./udp_ffi.ts";

/** The part of a UDP socket that every driver needs; `Deno.listenDatagram` gives one. */
export interface DatagramSocket {
  readonly addr: Deno.Addr;
  receive(buffer?: Uint8Array): Promise<[Uint8Array, Deno.Addr]>;
  send(data: Uint8Array, to: Deno.Addr): Promise<number>;
  close(): void;
}

/** Takes one received datagram. `data` is lent until it returns, and may be written to. */
export type DatagramSink = (from: Endpoint, data: Uint8Array) => void;

/** A socket that moves many datagrams with one call of the kernel. */
export interface BatchSocket extends DatagramSocket {
  /** Whether datagrams too long for the path are lost instead of fragmented. */
  readonly dontFragment: boolean;
  /**
   * Gives datagrams that wait in the kernel to `sink`, a few hundred at most, and returns how many. Never waits:
   * 0 means that there is none, or that only `receive()` can tell what is wrong.
   */
  receiveBatch(sink: DatagramSink): number;
  /**
   * Hands `transmits` from index `start` on to the kernel, in order, and returns how many it took. Never waits: when
   * some are left, the first of them needs `send()`, which waits for room or tells what is wrong with it.
   */
  sendBatch(transmits: readonly Transmit[], start: number): number;
  /** Lets the kernel join datagrams; `receiveBatch` splits them again, `receive()` does not and must not be called. */
  startJoining(): void;
  /**
   * Ends that, and returns whether it did: not while datagrams wait, which may be joined and must be taken by
   * `receiveBatch` before.
   */
  stopJoining(): boolean;
}

/** How to talk to the kernel: `deno` by the runtime's own socket, `ffi` with batches, `auto` the fastest that works. */
export type UdpMode = "auto" | "deno" | "ffi";

/** What to open. */
export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  /** Default: `PILOT_UDP` of the environment, else `auto`. */
  readonly udp?: UdpMode;
  /**
   * Whether datagrams longer than the path allows are lost instead of fragmented (RFC 8899 section 3), as path-MTU
   * discovery wants it. Works with batches only.
   */
  readonly dontFragment?: boolean;
}

/** Whether a socket has the batch forms. */
export function isBatchSocket(socket: DatagramSocket | BatchSocket): socket is BatchSocket {
  return "sendBatch" in socket;
}

/**
 * Opens a UDP socket.
 *
 * @throws {PilotError} `already_exists` when the port is taken, `invalid_argument` when the address is not one of
 * this computer or the mode has no such name, `unavailable` when `ffi` does not work here, else `connection_failed`
 */
export function openSocket(options: SocketOptions): DatagramSocket {
  const mode = options.udp ?? readEnv("PILOT_UDP") ?? "auto";
  if (mode !== "auto" && mode !== "deno" && mode !== "ffi") {
    throw new PilotError("invalid_argument", `there is no UDP mode named ${mode}`, {
      hint: "PILOT_UDP is auto, deno or ffi",
    });
  }
  const socket = listen(options.host, options.port);
  if (mode === "deno") return socket;
  const batch = openFfiSocket(socket, { dontFragment: options.dontFragment ?? false });
  if (batch !== undefined) return batch;
  if (mode === "auto") return socket;
  socket.close();
  throw new PilotError("unavailable", "UDP through native code does not work here", {
    hint: "it needs Linux and leave to call native code (--allow-ffi); PILOT_UDP=auto falls back by itself",
  });
}

function listen(host: string, port: number): Deno.DatagramConn {
  try {
    return Deno.listenDatagram({ transport: "udp", hostname: host, port });
  } catch (cause) {
    const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    if (cause instanceof Deno.errors.AddrInUse) {
      throw new PilotError("already_exists", `UDP port ${port} is already in use on ${host}`, {
        hint: "stop the program that uses it, or choose another port (0 lets the system choose)",
        cause,
      });
    }
    if (cause instanceof Deno.errors.AddrNotAvailable) {
      throw new PilotError("invalid_argument", `${host} is not an address of this computer`, {
        hint: "use 0.0.0.0 to listen on every IPv4 address",
        cause,
      });
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PilotError("connection_failed", `cannot open UDP socket ${where}: ${reason}`, { cause });
  }
}

/** The endpoint of an address of the runtime, IPv4-mapped ones as IPv4. */
export function toEndpoint(addr: Deno.Addr): Endpoint {
  if (addr.transport !== "udp" && addr.transport !== "tcp") return { host: "0.0.0.0", port: 0 };
  const mapped = addr.hostname.startsWith("::ffff:") && addr.hostname.includes(".");
  return { host: mapped ? addr.hostname.slice(7) : addr.hostname, port: addr.port };
}
