/** A router at home on 127.0.0.1: PCP, NAT-PMP and UPnP over one table of mappings, with faults to order. */

import { encodeUtf8, equalBytes } from "../../../lib/wire/bytes.ts";
import { type Endpoint, ipToBytes } from "../../../lib/wire/endpoint.ts";
import { viewOf } from "../../../lib/wire/uint.ts";
import { escapeXml, findElements, parseXml } from "../../../lib/io/portmap/xml.ts";

const LOOPBACK = "127.0.0.1";

/** An entry of the table. */
export interface Entry {
  readonly method: "pcp" | "nat-pmp" | "upnp";
  readonly internalPort: number;
  readonly externalPort: number;
  readonly lifetimeSecs: number;
  readonly nonce?: Uint8Array;
}

/** What a router is like; all may change while it runs. */
export interface RouterTraits {
  pcp: boolean;
  natPmp: boolean;
  upnp: boolean;
  external: string;
  /** Result code of PCP and NAT-PMP, 0 for success. */
  result: number;
  /** Longest lifetime granted, seconds. */
  maxLifetimeSecs: number;
  /** UPnP: version of the WANIPConnection service. */
  version: 1 | 2;
  /** UPnP: error code that AddPortMapping gives to a lease, to a port; `undefined` for none. */
  fault: (args: ReadonlyMap<string, string>) => number | undefined;
  /** UPnP: the LOCATION it announces; `undefined` for the right one. */
  location: string | undefined;
  /** UPnP: rewrites every HTTP response. */
  http: (response: string) => string;
  /** Rewrites every answer of PCP and NAT-PMP; several datagrams may go out. */
  answer: (data: Uint8Array) => readonly Uint8Array[];
  /** The socket that answers of PCP and NAT-PMP leave from; `undefined` for the one that was asked. */
  mouth: Deno.DatagramConn | undefined;
}

/** A running router. Ports are random, `log` has what it was asked. */
export class FakeRouter {
  readonly table = new Map<number, Entry>();
  readonly log: string[] = [];
  readonly traits: RouterTraits = {
    pcp: true,
    natPmp: true,
    upnp: true,
    external: "203.0.113.5",
    result: 0,
    maxLifetimeSecs: 7200,
    version: 1,
    fault: () => undefined,
    location: undefined,
    http: (response) => response,
    answer: (data) => [data],
    mouth: undefined,
  };
  /** The counter that restarts with the router, seconds. */
  epochSecs = 1000;
  readonly #control = Deno.listenDatagram({ transport: "udp", hostname: LOOPBACK, port: 0 });
  readonly #ssdp = Deno.listenDatagram({ transport: "udp", hostname: LOOPBACK, port: 0 });
  #http = Deno.listen({ hostname: LOOPBACK, port: 0 });
  readonly #finished = [
    serveUdp(this.#control, (data) => this.#handleControl(data), () => this.traits.mouth),
    serveUdp(this.#ssdp, (data) => this.#handleSearch(data)),
    this.#serveHttp(this.#http),
  ];

  constructor(traits: Partial<RouterTraits> = {}) {
    Object.assign(this.traits, traits);
  }

  get controlPort(): number {
    return portOf(this.#control);
  }

  get ssdp(): Endpoint {
    return { host: LOOPBACK, port: portOf(this.#ssdp) };
  }

  get httpPort(): number {
    return this.#http.addr.port;
  }

  /** Forgets everything, as after a power cut, and serves HTTP at another port. */
  restart(): void {
    this.table.clear();
    this.epochSecs = 0;
    const old = this.#http;
    this.#http = Deno.listen({ hostname: LOOPBACK, port: 0 });
    this.#finished.push(this.#serveHttp(this.#http));
    old.close();
  }

  async close(): Promise<void> {
    this.#control.close();
    this.#ssdp.close();
    this.#http.close();
    await Promise.all(this.#finished);
  }

  #handleControl(data: Uint8Array): readonly Uint8Array[] {
    const { pcp, natPmp, answer } = this.traits;
    if (data[0] === 2 && pcp) return answer(this.#handlePcp(data));
    if (data[0] === 0 && natPmp) return answer(this.#handleNatPmp(data));
    // Version errors: RFC 6887 appendix A, RFC 6886 section 3.5.
    if (data[0] === 0 && pcp) {
      return answer(Uint8Array.of(2, 0x80 | (data[1] ?? 0), 0, 1, ...new Uint8Array(20)));
    }
    if (natPmp) return answer(Uint8Array.of(0, 0x80 | (data[1] ?? 0), 0, 1, 0, 0, 0, 9));
    return [];
  }

  #handlePcp(data: Uint8Array): Uint8Array {
    const response = data.slice();
    const view = viewOf(response);
    response[1] = 0x80 | (data[1] ?? 0);
    response[3] = this.traits.result;
    view.setUint32(8, this.epochSecs);
    response.fill(0, 12, 24);
    if (data[1] === 0 || this.traits.result !== 0) {
      this.log.push(`pcp ${data[1] === 0 ? "announce" : "map"}`);
      return response;
    }
    const internalPort = view.getUint16(40);
    const lifetimeSecs = Math.min(view.getUint32(4), this.traits.maxLifetimeSecs);
    const nonce = data.slice(24, 36);
    const entry = this.table.get(internalPort);
    if (entry?.nonce !== undefined && !equalBytes(entry.nonce, nonce)) {
      this.log.push("pcp not-authorized");
      response[3] = 2;
      return response;
    }
    this.log.push(lifetimeSecs === 0 ? "pcp delete" : "pcp map");
    const externalPort = view.getUint16(42) === 0 ? internalPort : view.getUint16(42);
    if (lifetimeSecs === 0) this.table.delete(internalPort);
    else this.table.set(internalPort, { method: "pcp", internalPort, externalPort, lifetimeSecs, nonce });
    view.setUint32(4, lifetimeSecs);
    view.setUint16(42, externalPort);
    response.set([...new Uint8Array(10), 0xff, 0xff, ...ipToBytes(this.traits.external) ?? []], 44);
    return response;
  }

  #handleNatPmp(data: Uint8Array): Uint8Array {
    const operation = data[1] ?? 0;
    const response = new Uint8Array(operation === 0 ? 12 : 16);
    const view = viewOf(response);
    response[1] = 0x80 | operation;
    view.setUint16(2, this.traits.result);
    view.setUint32(4, this.epochSecs);
    if (this.traits.result !== 0) {
      this.log.push("nat-pmp refused");
      return response.subarray(0, 8);
    }
    if (operation === 0) {
      this.log.push("nat-pmp address");
      response.set(ipToBytes(this.traits.external) ?? [], 8);
      return response;
    }
    const request = viewOf(data);
    const internalPort = request.getUint16(4);
    const externalPort = request.getUint16(6);
    const lifetimeSecs = Math.min(request.getUint32(8), this.traits.maxLifetimeSecs);
    this.log.push(lifetimeSecs === 0 ? "nat-pmp delete" : "nat-pmp map");
    if (lifetimeSecs === 0) this.table.delete(internalPort);
    else this.table.set(internalPort, { method: "nat-pmp", internalPort, externalPort, lifetimeSecs });
    view.setUint16(8, internalPort);
    view.setUint16(10, externalPort);
    view.setUint32(12, lifetimeSecs);
    return response;
  }

  #handleSearch(data: Uint8Array): readonly Uint8Array[] {
    const target = /^ST: (.*)\r$/m.exec(new TextDecoder().decode(data))?.[1] ?? "";
    if (!this.traits.upnp || !target.endsWith("InternetGatewayDevice:1")) return [];
    const location = this.traits.location ?? `http://${LOOPBACK}:${this.httpPort}/desc.xml`;
    return [encodeUtf8(`HTTP/1.1 200 OK\r\nST: ${target}\r\nLocation: ${location}\r\nEXT:\r\n\r\n`)];
  }

  async #serveHttp(listener: Deno.TcpListener): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const socket of listener) serving.push(this.#serveConnection(socket).catch(() => {}));
    await Promise.all(serving);
  }

  async #serveConnection(socket: Deno.TcpConn): Promise<void> {
    try {
      const buffer = new Uint8Array(16_384);
      let text = "";
      for (let length; (length = await socket.read(buffer)) !== null;) {
        text += new TextDecoder().decode(buffer.subarray(0, length));
        const [head = "", body] = text.split("\r\n\r\n");
        if (body === undefined || body.length < Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)) {
          continue;
        }
        await socket.write(encodeUtf8(this.traits.http(this.#handleHttp(head, body))));
        return;
      }
    } finally {
      socket.close();
    }
  }

  #handleHttp(head: string, body: string): string {
    if (head.startsWith("GET /desc.xml ")) return ok(this.#description());
    const action = /^SOAPAction: "(urn:[^#"]+)#(\w+)"\r?$/im.exec(head);
    const root = parseXml(body);
    if (action === null || typeof root === "string") {
      return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    }
    const [, type = "", name = ""] = action;
    this.log.push(`upnp ${name}`);
    const [call] = findElements(root, name);
    const args = new Map((call?.children ?? []).map((child) => [child.name, child.text]));
    const answer = this.#handleCall(name, args);
    if (typeof answer === "number") return soapFault(answer);
    const values = Object.entries(answer).map(([key, value]) => `<${key}>${escapeXml(value)}</${key}>`).join(
      "",
    );
    return ok(envelope(`<u:${name}Response xmlns:u="${type}">${values}</u:${name}Response>`));
  }

  #handleCall(name: string, args: ReadonlyMap<string, string>): Record<string, string> | number {
    const externalPort = Number(args.get("NewExternalPort"));
    const entry = [...this.table.values()].find((candidate) => candidate.externalPort === externalPort);
    switch (name) {
      case "GetExternalIPAddress":
        return { NewExternalIPAddress: this.traits.external };
      case "GetSpecificPortMappingEntry":
        return entry === undefined
          ? 714
          : { NewInternalPort: `${entry.internalPort}`, NewInternalClient: LOOPBACK, NewEnabled: "1" };
      case "DeletePortMapping":
        if (entry === undefined) return 714;
        this.table.delete(entry.internalPort);
        return {};
      case "AddAnyPortMapping":
        if (this.traits.version !== 2) return 401;
        // Falls through to a port that the router chooses.
        this.#add(args, externalPort + 1);
        return { NewReservedPort: `${externalPort + 1}` };
      case "AddPortMapping": {
        const fault = this.traits.fault(args);
        if (fault === undefined) this.#add(args, externalPort);
        return fault ?? {};
      }
      default:
        return 401;
    }
  }

  #add(args: ReadonlyMap<string, string>, externalPort: number): void {
    const internalPort = Number(args.get("NewInternalPort"));
    const lifetimeSecs = Number(args.get("NewLeaseDuration"));
    this.table.set(internalPort, { method: "upnp", internalPort, externalPort, lifetimeSecs });
  }

  #description(): string {
    const type = `urn:schemas-upnp-org:service:WANIPConnection:${this.traits.version}`;
    return `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>
<controlURL>/ctl/L3F</controlURL></service></serviceList>
<deviceList><device><serviceList><service>
<serviceType>${type}</serviceType><controlURL>/ctl/IPConn</controlURL>
</service></serviceList></device></deviceList></device></root>`;
  }
}

/** A whole response with a body. */
export function ok(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function soapFault(code: number): string {
  const error = `<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>${code}</errorCode>` +
    `<errorDescription>Fault</errorDescription></UPnPError>`;
  const body = envelope(
    `<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>${error}</detail></s:Fault>`,
  );
  return `HTTP/1.1 500 Internal Server Error\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function envelope(content: string): string {
  return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">` +
    `<s:Body>${content}</s:Body></s:Envelope>`;
}

function portOf(socket: Deno.DatagramConn): number {
  return socket.addr.transport === "udp" ? socket.addr.port : 0;
}

async function serveUdp(
  socket: Deno.DatagramConn,
  handle: (data: Uint8Array) => readonly Uint8Array[],
  mouth: () => Deno.DatagramConn | undefined = () => undefined,
): Promise<void> {
  for await (const [data, from] of socket) {
    for (const answer of handle(data)) await (mouth() ?? socket).send(answer, from).catch(() => 0);
  }
}
