/**
 * The routing tables of Linux, as `/proc/net/route` and `/proc/net/ipv6_route` print them.
 *
 * ```text
 * route       Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT   addresses as words of the CPU
 * ipv6_route  destination length source length next-hop metric refcount use flags iface        all hex, no header
 * ```
 */

import { fromHex } from "../wire/bytes.ts";
import { ipFromBytes, ipToBytes } from "../wire/ip.ts";

/** RTF_UP, RTF_GATEWAY and RTF_REJECT of linux/route.h. */
const UP = 0x1;
const GATEWAY = 0x2;
const REJECT = 0x200;

/** A host with tables longer than this is a router itself; the default routes come first. */
const MAX_ROUTES = 4096;

/** One route of the main table. */
export interface Route {
  /** Canonical text of the destination. */
  readonly destination: string;
  /** Bits of the destination that count: 0 for the default route. */
  readonly prefixLength: number;
  /** Next hop; `undefined` when the destination is on the link. */
  readonly gateway: string | undefined;
  /** The lowest wins among equal prefixes. */
  readonly metric: number;
  /** Name of the interface. */
  readonly device: string;
}

/** The usable routes of this computer; `undefined` when it keeps no such files. */
export async function readRoutes(family: 4 | 6): Promise<Route[] | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  try {
    return family === 4
      ? parseIpv4Routes(await Deno.readTextFile("/proc/net/route"))
      : parseIpv6Routes(await Deno.readTextFile("/proc/net/ipv6_route"));
  } catch {
    return undefined;
  }
}

/** Reads `/proc/net/route`; lines that make no sense are passed over. */
export function parseIpv4Routes(text: string): Route[] {
  return text.split("\n", MAX_ROUTES).flatMap((line) => {
    const [device = "", destination = "", gateway = "", flags = "", , , metric = "", mask = ""] = line.split(
      "\t",
    );
    const words = [destination, gateway, mask].map((word) => word.trim());
    if (!words.every((word) => /^[0-9A-F]{8}$/i.test(word)) || !/^[0-9]+$/.test(metric)) return [];
    const bits = Number.parseInt(flags, 16);
    if ((bits & UP) === 0 || (bits & REJECT) !== 0) return [];
    const [to = "", via = "", netmask = ""] = words;
    return [{
      destination: fromWord(to),
      prefixLength: Number.parseInt(netmask, 16).toString(2).replaceAll("0", "").length,
      gateway: (bits & GATEWAY) === 0 ? undefined : fromWord(via),
      metric: Number(metric),
      device: device.trim(),
    }];
  });
}

/** Reads `/proc/net/ipv6_route`; lines that make no sense are passed over. */
export function parseIpv6Routes(text: string): Route[] {
  return text.split("\n", MAX_ROUTES).flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [destination = "", length = "", , , gateway = "", metric = "", , , flags = "", device = ""] =
      fields;
    if (![destination, gateway].every((address) => /^[0-9a-f]{32}$/i.test(address))) return [];
    const bits = Number.parseInt(flags, 16);
    const prefixLength = Number.parseInt(length, 16);
    const rank = Number.parseInt(metric, 16);
    if (!(prefixLength <= 128) || Number.isNaN(rank) || (bits & UP) === 0 || (bits & REJECT) !== 0) {
      return [];
    }
    return [{
      destination: ipFromBytes(fromHex(destination)),
      prefixLength,
      gateway: (bits & GATEWAY) === 0 ? undefined : ipFromBytes(fromHex(gateway)),
      metric: rank,
      device,
    }];
  });
}

/** The route that holds for a destination: the longest prefix, then the lowest metric. */
export function routeTo(routes: readonly Route[], host: string): Route | undefined {
  const target = ipToBytes(host);
  if (target === undefined) return undefined;
  const fitting = routes.filter((route) => covers(route, target));
  return fitting.toSorted((a, b) => b.prefixLength - a.prefixLength || a.metric - b.metric)[0];
}

function covers({ destination, prefixLength }: Route, target: Uint8Array): boolean {
  const bytes = ipToBytes(destination);
  if (bytes === undefined || bytes.length !== target.length) return false;
  return bytes.every((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefixLength - 8 * i));
    return ((byte ^ (target[i] ?? 0)) >> (8 - bits)) === 0;
  });
}

/** An IPv4 address in the order of the CPU, which is little-endian wherever this program runs. */
function fromWord(hex: string): string {
  return ipFromBytes(fromHex(hex).reverse());
}
