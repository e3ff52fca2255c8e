/**
 * Finding an internet gateway device with SSDP (UPnP Device Architecture 1.1, section 1.3).
 *
 * ```text
 * M-SEARCH * HTTP/1.1        to 239.255.255.250:1900, by UDP
 * HOST, MAN, MX, ST
 *
 * HTTP/1.1 200 OK            from the device, to whoever searched
 * LOCATION: http://192.168.1.1:5000/rootDesc.xml
 * ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1
 * ```
 */

import { decodeUtf8, encodeUtf8 } from "../../wire/bytes.ts";
import { parseGatewayUrl } from "./gateway_url.ts";

/** What is searched for; devices of version 2 answer to both. */
export const GATEWAY_DEVICES: readonly string[] = [
  "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];

/** The port of SSDP. */
export const SSDP_PORT = 1900;

/** The multicast address of SSDP. */
export const SSDP_MULTICAST = "239.255.255.250";

/** Seconds within which devices shall spread their answers; the least that may be asked for. */
const MX_SECS = 1;

/** Longest answer looked at, bytes. */
const MAX_ANSWER = 2048;

/** Why a datagram is not the answer of a gateway. `url`: it sends us to another address than its own. */
export type SsdpProblem = "malformed" | "status" | "target" | "url";

/** The datagram that searches for devices of a type. */
export function encodeSearch(target: string): Uint8Array<ArrayBuffer> {
  return encodeUtf8([
    "M-SEARCH * HTTP/1.1",
    `HOST: ${SSDP_MULTICAST}:${SSDP_PORT}`,
    'MAN: "ssdp:discover"',
    `MX: ${MX_SECS}`,
    `ST: ${target}`,
    "",
    "",
  ].join("\r\n"));
}

/** Reads an answer to a search: the address of the device description, which must be on the gateway itself. */
export function decodeSearchAnswer(data: Uint8Array, gateway: string): URL | SsdpProblem {
  if (data.length > MAX_ANSWER) return "malformed";
  const [status = "", ...lines] = decodeUtf8(data).split(/\r?\n/);
  if (!/^HTTP\/1\.[01] 200(?: |$)/.test(status)) return "status";
  const headers = new Map<string, string>();
  for (const line of lines) {
    if (line === "") break;
    const colon = line.indexOf(":");
    if (colon <= 0) return "malformed";
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const isGateway = GATEWAY_DEVICES.includes(headers.get("st") ?? "");
  if (!isGateway) return "target";
  return parseGatewayUrl(headers.get("location") ?? "", { gateway }) ?? "url";
}
