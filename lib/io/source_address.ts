/**
 * Which address of this computer the system would send from.
 */

import { networkInterfaces } from "node:os";
import type { Endpoint } from "../wire/endpoint.ts";
import { ipFromBytes, ipToBytes } from "../wire/ip.ts";
import { addressScope } from "./address_scope.ts";
import { openLibc } from "./ffi.ts";
import { readRoutes, routeTo } from "./routes.ts";
import { NAME_WORDS } from "./udp_messages.ts";
import { AF_INET, AF_INET6, NameReader, NameWriter } from "./udp_names.ts";

/** sys/socket.h of Linux. */
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
/** Any port: connecting a UDP socket sends nothing (this one is the discard protocol, RFC 863). */
const PORT = 9;

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

const libc = openLibc(SYMBOLS);

/**
 * The address of this computer that datagrams to `host` (an IP literal, a zone allowed) leave from; `undefined` when
 * it has no way there. Sends nothing and takes well below a millisecond, so one may ask every second to notice that
 * the network changed.
 *
 * The kernel is asked where native code is allowed (Linux). Elsewhere the answer is made from routes and interfaces:
 * exact for IPv4 with one address for each interface, a good guess for more.
 */
export async function sourceAddressTowards(host: string): Promise<string | undefined> {
  const [address = "", zone] = host.split("%");
  const bytes = ipToBytes(address);
  if (bytes === undefined) return undefined;
  const to = ipFromBytes(bytes);
  if (libc !== undefined && zone === undefined) return askKernel(libc, { host: to, port: PORT });
  return await guessSource(to, zone);
}

/** `sourceAddressTowards` without the kernel's help. */
export async function guessSource(host: string, zone?: string): Promise<string | undefined> {
  if (addressScope(host) === "loopback") return host.includes(":") ? "::1" : host;
  const family = host.includes(":") ? 6 : 4;
  const routes = await readRoutes(family);
  const device = zone ?? (routes === undefined ? undefined : routeTo(routes, host)?.device);
  if (routes !== undefined && device === undefined) return undefined;
  const target = ipToBytes(host);
  const candidates = Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
    (entries ?? []).flatMap(({ address, netmask, internal }) => {
      const own = ipToBytes(address);
      const mask = ipToBytes(netmask);
      if (own === undefined || mask === undefined || target === undefined || internal) return [];
      if (own.length !== target.length || (device !== undefined && name !== device)) return [];
      const text = ipFromBytes(own);
      const same = mask.every((bits, i) => (((own[i] ?? 0) ^ (target[i] ?? 0)) & bits) === 0);
      return [{ text, same, scope: addressScope(text) }];
    })
  );
  // The subnet of the target, else the scope of the target, else whatever is not bound to the link.
  const usable = candidates.filter(({ scope }) => scope !== "link" || family === 4);
  const wanted = addressScope(host);
  return (usable.find(({ same }) => same) ?? usable.find(({ scope }) => scope === wanted) ?? usable[0])?.text;
}

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

function askKernel(libc: Libc, to: Endpoint): string | undefined {
  const family = to.host.includes(":") ? AF_INET6 : AF_INET;
  const writer = new NameWriter(family);
  const name = writer.name(to);
  if (name === undefined) return undefined;
  const fd = libc.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    const bound = new Uint32Array(NAME_WORDS);
    const size = new Uint32Array([NAME_WORDS * 4]);
    if (libc.connect(fd, name, writer.size) !== 0) return undefined;
    if (libc.getsockname(fd, bound, size) !== 0) return undefined;
    return new NameReader().read(bound, 0).host;
  } finally {
    libc.close(fd);
  }
}
