/**
 * A client of UPnP internet gateway devices for one mapping (WANIPConnection:1 and :2, WANPPPConnection:1).
 */

import { addressScope } from "../address_scope.ts";
import { ask, withoutZone } from "./ask.ts";
import { checkedLease } from "./checked_lease.ts";
import { fetchFromGateway } from "./http.ts";
import {
  type ConnectionService,
  decodeAnswer,
  encodeCall,
  readDescription,
  type SoapAnswer,
  UpnpError,
} from "./igd.ts";
import {
  failure,
  isFailure,
  type Lease,
  type MappingClient,
  type MappingFailure,
  type MapRequest,
} from "./method.ts";
import type { GatewayLink, MappingNetwork } from "./network.ts";
import { decodeSearchAnswer, encodeSearch, GATEWAY_DEVICES } from "./ssdp.ts";

/** How often the entry is looked at. It costs two HTTP requests, which small routers feel. */
const CHECK_MS = 300_000;
/** External ports tried when others have the wanted one. */
const MAX_PORTS = 4;
/** What operators see in the list of their router. */
const DESCRIPTION = "pilot";
/** Ports that no well-known service claims (RFC 6335 section 6). */
const FIRST_PORT = 1024;

/** Speaks UPnP to one gateway. */
export class UpnpClient implements MappingClient {
  readonly method = "upnp";
  readonly checkEveryMs = CHECK_MS;
  readonly #link: GatewayLink;
  readonly #network: MappingNetwork;
  #service: ConnectionService | undefined;

  constructor(link: GatewayLink, network: MappingNetwork) {
    this.#link = link;
    this.#network = network;
  }

  async probe(signal: AbortSignal): Promise<MappingFailure | undefined> {
    const services = await this.#discover(signal);
    if (isFailure(services)) return services;
    let problem = failure("no-address", "UPnP: no connection of the router has an external address");
    for (const service of services) {
      const address = await externalAddress(service, signal);
      if (typeof address === "string") {
        this.#service = service;
        return undefined;
      }
      problem = address;
    }
    return problem;
  }

  async map(request: MapRequest, signal: AbortSignal): Promise<Lease | MappingFailure> {
    return await this.#withService(signal, (service) => this.#map(service, request, signal));
  }

  async check({ internal, external }: Lease, signal: AbortSignal): Promise<"kept" | "lost" | "silent"> {
    const args = mappingName(external.port);
    const entry = await this.#withService(
      signal,
      (service) => call(service, "GetSpecificPortMappingEntry", { args, signal }),
    );
    const service = this.#service;
    if (isFailure(entry) || service === undefined) return "silent";
    if (entry.kind === "fault") {
      // Other faults come from routers that do not know the call; renewing is enough for those.
      return entry.code === UpnpError.NO_SUCH_ENTRY ? "lost" : "kept";
    }
    const { values } = entry;
    if (values.get("NewInternalClient") !== internal.host) return "lost";
    if (values.get("NewInternalPort") !== `${internal.port}`) return "lost";
    const address = await externalAddress(service, signal);
    if (typeof address !== "string") return "silent";
    return address === external.host ? "kept" : "lost";
  }

  async unmap({ external }: Lease, signal: AbortSignal): Promise<void> {
    if (this.#service === undefined) return;
    await call(this.#service, "DeletePortMapping", { args: mappingName(external.port), signal });
  }

  /** Calls the service; where nobody takes the call, looks for it again once: routers that restart change ports. */
  async #withService<Result extends object>(
    signal: AbortSignal,
    use: (service: ConnectionService) => Promise<Result | MappingFailure>,
  ): Promise<Result | MappingFailure> {
    if (this.#service !== undefined) {
      const result = await use(this.#service);
      if (!isFailure(result) || result.reason !== "unreachable") return result;
      this.#service = undefined;
    }
    const problem = await this.probe(signal);
    if (problem !== undefined) return problem;
    return this.#service === undefined
      ? failure("unsupported", "UPnP: no service found")
      : await use(this.#service);
  }

  async #map(
    service: ConnectionService,
    request: MapRequest,
    signal: AbortSignal,
  ): Promise<Lease | MappingFailure> {
    const granted = service.type.endsWith("WANIPConnection:2")
      ? await this.#addAny(service, request, signal)
      : await this.#addSpecific(service, request, signal);
    if (isFailure(granted)) return granted;
    const host = await externalAddress(service, signal);
    if (typeof host !== "string") return host;
    const { internal, lifetimeSecs } = request;
    return checkedLease({ internal, external: { host, port: granted.port }, lifetimeSecs });
  }

  async #discover(signal: AbortSignal): Promise<readonly ConnectionService[] | MappingFailure> {
    const { source } = this.#link;
    const gateway = withoutZone(this.#link.gateway);
    const location = await ask<URL>({
      from: source,
      to: this.#network.ssdp(gateway),
      data: GATEWAY_DEVICES.map(encodeSearch),
      answersFrom: { host: gateway, port: undefined },
      read: (data) => {
        const url = decodeSearchAnswer(data, gateway);
        return typeof url === "string" ? undefined : url;
      },
      delays: this.#network.retransmitMs,
      signal,
    });
    if (location === "no-answer") return failure(location, "the gateway does not answer to UPnP");
    if (location === "unreachable") return failure(location, "nothing can be sent to the gateway");
    const response = await fetchFromGateway({ url: location, signal });
    if (typeof response === "string" || response.status !== 200) {
      const reason = typeof response === "string" ? response : `HTTP ${response.status}`;
      return failure("malformed", `UPnP: no description of the router (${reason})`);
    }
    const services = readDescription(response.body, { gateway, location });
    if (services === "malformed") {
      return failure("malformed", "UPnP: the description of the router is not readable");
    }
    return services === "none" ? failure("unsupported", "UPnP: the router maps no ports") : services;
  }

  /** WANIPConnection:2: the gateway chooses the port when the wanted one is taken. */
  async #addAny(
    service: ConnectionService,
    request: MapRequest,
    signal: AbortSignal,
  ): Promise<{ port: number } | MappingFailure> {
    const wanted = request.external?.port ?? request.internal.port;
    const args = mappingArguments(request, { port: wanted, permanent: false });
    const answer = await call(service, "AddAnyPortMapping", { args, signal });
    if (isFailure(answer)) return answer;
    // Gateways announce version 2 and do version 1.
    if (answer.kind === "fault") return this.#addSpecific(service, request, signal);
    const reserved = answer.values.get("NewReservedPort") ?? "";
    const port = /^[0-9]{1,5}$/.test(reserved) ? Number(reserved) : 0;
    return port > 0 && port <= 65_535 ? { port } : failure("malformed", "UPnP: the router names no port");
  }

  /** WANIPConnection:1: we choose until it fits. */
  async #addSpecific(
    service: ConnectionService,
    request: MapRequest,
    signal: AbortSignal,
  ): Promise<{ port: number } | MappingFailure> {
    let port = request.external?.port ?? request.internal.port;
    let permanent = false;
    for (let tried = 1;;) {
      const args = mappingArguments(request, { port, permanent });
      const answer = await call(service, "AddPortMapping", { args, signal });
      if (isFailure(answer)) return answer;
      if (answer.kind === "response") return { port };
      const { code, text } = answer;
      const taken = code === UpnpError.CONFLICT || code === UpnpError.CONFLICT_WITH_OTHER_MECHANISMS;
      if (code === UpnpError.ONLY_PERMANENT_LEASES && !permanent) permanent = true;
      else if (code === UpnpError.SAME_PORT_VALUES_REQUIRED && port !== request.internal.port) {
        port = request.internal.port;
      } else if (taken && tried++ < MAX_PORTS) port = this.#randomPort();
      else return failure("refused", `UPnP: error ${code} ${text}`.trim());
    }
  }

  #randomPort(): number {
    const [high = 0, low = 0] = this.#network.random(new Uint8Array(2));
    return FIRST_PORT + (high << 8 | low) % (65_536 - FIRST_PORT);
  }
}

/** The arguments that name a mapping: any remote host, an external port, UDP. */
function mappingName(port: number): Readonly<Record<string, string | number>> {
  return { NewRemoteHost: "", NewExternalPort: port, NewProtocol: "UDP" };
}

function mappingArguments(
  { internal, lifetimeSecs }: MapRequest,
  { port, permanent }: { readonly port: number; readonly permanent: boolean },
): Readonly<Record<string, string | number>> {
  return {
    ...mappingName(port),
    NewInternalPort: internal.port,
    NewInternalClient: internal.host,
    NewEnabled: 1,
    NewPortMappingDescription: DESCRIPTION,
    NewLeaseDuration: permanent ? 0 : lifetimeSecs,
  };
}

async function externalAddress(
  service: ConnectionService,
  signal: AbortSignal,
): Promise<string | MappingFailure> {
  const answer = await call(service, "GetExternalIPAddress", { args: {}, signal });
  if (isFailure(answer)) return answer;
  if (answer.kind === "fault") return failure("refused", `UPnP: error ${answer.code} ${answer.text}`.trim());
  const host = answer.values.get("NewExternalIPAddress") ?? "";
  return !host.includes(":") && addressScope(host) !== "none"
    ? host
    : failure("no-address", "UPnP: the router has no external address");
}

async function call(
  service: ConnectionService,
  action: string,
  { args, signal }: {
    readonly args: Readonly<Record<string, string | number>>;
    readonly signal: AbortSignal;
  },
): Promise<SoapAnswer | MappingFailure> {
  const response = await fetchFromGateway({
    url: service.control,
    headers: { "Content-Type": 'text/xml; charset="utf-8"', SOAPAction: `"${service.type}#${action}"` },
    body: encodeCall(service.type, action, args),
    signal,
  });
  if (response === "timeout") return failure("no-answer", "UPnP: the router does not answer");
  if (response === "unreachable") return failure(response, "UPnP: the router takes no connection");
  if (typeof response === "string") return failure("malformed", `UPnP: the answer is ${response}`);
  const answer = decodeAnswer(response.body, action);
  if (answer !== "malformed") return answer;
  const reason = response.status === 200 ? "malformed" : "refused";
  return failure(reason, `UPnP: HTTP ${response.status} without a readable answer`);
}
