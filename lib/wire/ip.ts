/** IP addresses as text and bytes. The text is canonical: IPv4 dotted, IPv6 as of RFC 5952, mapped IPv4 as IPv4. */

import { viewOf } from "./uint.ts";

/** Four or sixteen bytes of an IP literal without brackets or zone; `undefined` when it is none. */
export function ipToBytes(host: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = host.includes(":") ? parseIpv6(host) : parseIpv4(host);
  return bytes !== undefined && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/**
 * Canonical text of an address in network order.
 *
 * @throws RangeError when there are neither four nor sixteen bytes
 */
export function ipFromBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  return isMapped(bytes) ? bytes.subarray(12).join(".") : formatIpv6(bytes);
}

/** ::ffff:0:0/96, IPv4 seen through an IPv6 socket (RFC 4291 section 2.5.5.2). */
function isMapped(bytes: Uint8Array): boolean {
  return bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 0xff && bytes[11] === 0xff;
}

/** Four decimal numbers without leading zeros, which some parsers read as octal (RFC 6943 section 3.1.1). */
function parseIpv4(text: string): Uint8Array<ArrayBuffer> | undefined {
  const groups = text.split(".");
  if (groups.length !== 4 || !groups.every((group) => /^(0|[1-9][0-9]{0,2})$/.test(group))) return undefined;
  const numbers = groups.map(Number);
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : undefined;
}

function parseIpv6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const [head = "", tail, surplus] = text.split("::");
  if (surplus !== undefined) return undefined;
  const before = parseGroups(head);
  const after = tail === undefined ? [] : parseGroups(tail);
  if (before === undefined || after === undefined) return undefined;
  if (tail !== undefined && head.includes(".")) return undefined;
  const length = before.length + after.length;
  if (tail === undefined ? length !== 16 : length > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(before);
  bytes.set(after, 16 - after.length);
  return bytes;
}

/** Bytes of colon-separated groups; the last one may be a dotted IPv4 address (RFC 4291 section 2.2). */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else {
      const dotted = i === groups.length - 1 ? parseIpv4(group) : undefined;
      if (dotted === undefined) return undefined;
      bytes.push(...dotted);
    }
  }
  return bytes.length <= 16 ? bytes : undefined;
}

/** Lower case, no leading zeros, the first longest run of two or more zero groups as "::" (RFC 5952 section 4). */
function formatIpv6(bytes: Uint8Array): string {
  const view = viewOf(bytes);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i));
  let start = 0;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (groups[i + run] === 0) run++;
    if (run > longest) [start, longest] = [i, run];
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (longest === 1) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + longest))}`;
}
