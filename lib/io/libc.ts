/** The calls of the C library of 64-bit Linux that fast sockets need, on those that the runtime opened. */

import type { Endpoint } from "../wire/endpoint.ts";
import { openLibc } from "./ffi.ts";
import { NAME_WORDS, SOL_UDP, UDP_GRO, UDP_SEGMENT } from "./udp_messages.ts";
import { AF_INET, AF_INET6, NameReader } from "./udp_names.ts";

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  recvmmsg: { parameters: ["i32", "buffer", "u32", "i32", "pointer"], result: "i32" },
} as const;

/** The loaded C library. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** Constants of Linux: sys/socket.h, fcntl.h, netinet/in.h. */
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const F_DUPFD_CLOEXEC = 1030;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IPV6 = 41;
const IPV6_MTU_DISCOVER = 23;
/** Sets DF and ignores what the kernel believes of the path: `IP_PMTUDISC_PROBE`, the same number for IPv6. */
const PMTUDISC_PROBE = 3;
/** Descriptors looked at to find the socket; it is among the first unless thousands of files are open. */
const MAX_DESCRIPTOR = 16_384;

/** A descriptor of a socket, and the family of its addresses. */
export interface Descriptor {
  readonly fd: number;
  readonly family: typeof AF_INET | typeof AF_INET6;
}

const libc = openLibc(SYMBOLS);

/** The C library; `undefined` when this is not a Linux with glibc or native code is not allowed. */
export function loadLibc(): Libc | undefined {
  return libc;
}

/**
 * A duplicate of the descriptor of the UDP socket bound to `endpoint`. Being our own, it cannot come to mean another
 * file when the runtime closes its one. `undefined` when there is no such socket.
 */
export function duplicateSocket(libc: Libc, endpoint: Endpoint): Descriptor | undefined {
  const found = findSocket(libc, endpoint, SOCK_DGRAM);
  if (found === undefined) return undefined;
  const own = libc.fcntl(found.fd, F_DUPFD_CLOEXEC, 3);
  return own < 0 ? undefined : { fd: own, family: found.family };
}

/**
 * Lets the connections that will be accepted at `endpoint` send small pieces at once (`TCP_NODELAY`, which they inherit).
 * For listeners whose connections the runtime gives no such choice. Returns whether it worked.
 */
export function acceptWithoutDelay(libc: Libc, endpoint: Endpoint): boolean {
  const found = findSocket(libc, endpoint, SOCK_STREAM);
  return found !== undefined &&
    writeOption(libc, found.fd, { level: IPPROTO_TCP, name: TCP_NODELAY, value: 1 });
}

/** The runtime's descriptor of a socket of this type that is bound to `endpoint`. */
function findSocket(libc: Libc, endpoint: Endpoint, type: number): Descriptor | undefined {
  const name = new Uint32Array(NAME_WORDS);
  const size = new Uint32Array(1);
  const reader = new NameReader();
  for (let fd = 3; fd < MAX_DESCRIPTOR; fd++) {
    size[0] = NAME_WORDS * 4;
    if (libc.getsockname(fd, name, size) !== 0) continue;
    const family = (name[0] ?? 0) & 0xffff;
    if (family !== AF_INET && family !== AF_INET6) continue;
    const bound = reader.read(name, 0);
    if (bound.port !== endpoint.port || bound.host !== endpoint.host) continue;
    if (readOption(libc, fd, { level: SOL_SOCKET, name: SO_TYPE }) === type) return { fd, family };
  }
  return undefined;
}

/** Asks for kernel buffers of `bytes` each way; without privileges the system may grant less. */
export function enlargeBuffers(libc: Libc, fd: number, bytes: number): void {
  for (const [force, plain] of [[SO_RCVBUFFORCE, SO_RCVBUF], [SO_SNDBUFFORCE, SO_SNDBUF]] as const) {
    if (!writeOption(libc, fd, { level: SOL_SOCKET, name: force, value: bytes })) {
      writeOption(libc, fd, { level: SOL_SOCKET, name: plain, value: bytes });
    }
  }
}

/** Lets the network drop what is too long for it, instead of fragmenting. Returns whether it worked. */
export function forbidFragments(libc: Libc, { fd, family }: Descriptor): boolean {
  const value = PMTUDISC_PROBE;
  const v4 = writeOption(libc, fd, { level: IPPROTO_IP, name: IP_MTU_DISCOVER, value });
  if (family === AF_INET) return v4;
  return writeOption(libc, fd, { level: IPPROTO_IPV6, name: IPV6_MTU_DISCOVER, value });
}

/** Whether this kernel splits a long message into datagrams (Linux 4.18). */
export function canSegment(libc: Libc, fd: number): boolean {
  return readOption(libc, fd, { level: SOL_UDP, name: UDP_SEGMENT }) === 0;
}

/** Lets the kernel join datagrams, or no more. Returns whether it can (Linux 5.0). */
export function setJoining(libc: Libc, fd: number, on: boolean): boolean {
  return writeOption(libc, fd, { level: SOL_UDP, name: UDP_GRO, value: on ? 1 : 0 });
}

function readOption(
  libc: Libc,
  fd: number,
  option: { readonly level: number; readonly name: number },
): number | undefined {
  const value = new Int32Array(1);
  const size = new Uint32Array([4]);
  return libc.getsockopt(fd, option.level, option.name, value, size) === 0 ? value[0] : undefined;
}

function writeOption(
  libc: Libc,
  fd: number,
  option: { readonly level: number; readonly name: number; readonly value: number },
): boolean {
  return libc.setsockopt(fd, option.level, option.name, new Int32Array([option.value]), 4) === 0;
}
