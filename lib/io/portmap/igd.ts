/**
 * The documents of an internet gateway device: its description, and the calls of its connection service by SOAP
 * (UPnP Device Architecture 1.1, sections 2 and 3; WANIPConnection:1 and :2, WANPPPConnection:1).
 *
 * ```text
 * <root> ... <service>
 *   <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
 *   <controlURL>/ctl/IPConn</controlURL>
 *
 * <s:Envelope><s:Body><u:ACTION xmlns:u="SERVICE TYPE"> <Argument>value</Argument> ...
 * <s:Envelope><s:Body><u:ACTIONResponse>                <Argument>value</Argument> ...
 * <s:Envelope><s:Body><s:Fault><detail><UPnPError>      <errorCode>718</errorCode> ...
 * ```
 */

import { parseGatewayUrl } from "./gateway_url.ts";
import { printable } from "./method.ts";
import { childText, escapeXml, findElements, parseXml } from "./xml.ts";

/** Services that map ports, the preferred one first. */
const SERVICE_TYPES: readonly string[] = [
  "urn:schemas-upnp-org:service:WANIPConnection:2",
  "urn:schemas-upnp-org:service:WANIPConnection:1",
  "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/** Services of one device that are tried; a router with more uplinks than that has an operator. */
const MAX_SERVICES = 4;

/** Error codes that a client treats in a way of its own (WANIPConnection:1 table 2, :2 table 2-19). */
export const UpnpError = {
  NO_SUCH_ENTRY: 714,
  CONFLICT: 718,
  SAME_PORT_VALUES_REQUIRED: 724,
  ONLY_PERMANENT_LEASES: 725,
  CONFLICT_WITH_OTHER_MECHANISMS: 729,
} as const;

/** A service that can be called. */
export interface ConnectionService {
  readonly type: string;
  readonly control: URL;
}

/** What a call came to: the arguments of its response, or the error of the device. */
export type SoapAnswer =
  | { readonly kind: "response"; readonly values: ReadonlyMap<string, string> }
  | { readonly kind: "fault"; readonly code: number; readonly text: string };

/**
 * Reads a device description: its connection services, the preferred one first. `malformed` when it is no such
 * document, `none` when no service in it maps ports, or only at other addresses than the gateway's.
 */
export function readDescription(
  document: string,
  { gateway, location }: { readonly gateway: string; readonly location: URL },
): readonly ConnectionService[] | "malformed" | "none" {
  const root = parseXml(document);
  if (typeof root === "string" || root.name !== "root") return "malformed";
  // URLBase is of UPnP 1.0; without it, or with a useless one, URLs are relative to the description.
  const base = parseGatewayUrl(childText(root, "URLBase") ?? "", { gateway }) ?? location;
  const services = findElements(root, "service").flatMap((service) => {
    const type = childText(service, "serviceType");
    const control = parseGatewayUrl(childText(service, "controlURL") ?? "", { gateway, base });
    return type !== undefined && SERVICE_TYPES.includes(type) && control !== undefined
      ? [{ type, control }]
      : [];
  });
  if (services.length === 0) return "none";
  return services
    .toSorted((a, b) => SERVICE_TYPES.indexOf(a.type) - SERVICE_TYPES.indexOf(b.type))
    .slice(0, MAX_SERVICES);
}

/** The body of a call; arguments in the order that the service declares. */
export function encodeCall(
  service: string,
  action: string,
  args: Readonly<Record<string, string | number>>,
): string {
  const values = Object.entries(args).map(([name, value]) => `<${name}>${escapeXml(`${value}`)}</${name}>`)
    .join("");
  return `<?xml version="1.0"?>\r\n` +
    `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ` +
    `s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">` +
    `<s:Body><u:${action} xmlns:u="${service}">${values}</u:${action}></s:Body></s:Envelope>\r\n`;
}

/** Reads the answer to a call. */
export function decodeAnswer(document: string, action: string): SoapAnswer | "malformed" {
  const root = parseXml(document);
  if (typeof root === "string" || root.name !== "Envelope") return "malformed";
  const body = root.children.find(({ name }) => name === "Body");
  const content = body?.children[0];
  if (content === undefined) return "malformed";
  if (content.name === `${action}Response`) {
    return { kind: "response", values: new Map(content.children.map(({ name, text }) => [name, text])) };
  }
  const [error] = content.name === "Fault" ? findElements(content, "UPnPError") : [];
  const code = error === undefined ? undefined : childText(error, "errorCode");
  if (error === undefined || code === undefined || !/^[0-9]{3}$/.test(code)) return "malformed";
  return { kind: "fault", code: Number(code), text: printable(childText(error, "errorDescription") ?? "") };
}
