/**
 * A PCP client for one mapping (RFC 6887 sections 8 and 11).
 */

import { equalBytes } from "../../wire/bytes.ts";
import { ask } from "./ask.ts";
import { Epoch, PCP_EPOCH } from "./epoch.ts";
import { failure, type Lease, type MappingClient, type MappingFailure, type MapRequest } from "./method.ts";
import type { GatewayLink, MappingNetwork } from "./network.ts";
import {
  decodePcp,
  encodePcpAnnounce,
  encodePcpMap,
  type PcpMapping,
  type PcpResponse,
  PcpResult,
  pcpResultText,
} from "./pcp.ts";
import { checkedLease } from "./checked_lease.ts";

/** How often the epoch is looked at: one small datagram each way on the local network. */
const CHECK_MS = 60_000;

/** What a gateway said, or `other-version`: it speaks NAT-PMP, or some PCP of the future. */
type Heard = PcpResponse | "other-version";

/** Speaks PCP to one gateway. */
export class PcpClient implements MappingClient {
  readonly method = "pcp";
  readonly checkEveryMs = CHECK_MS;
  readonly #link: GatewayLink;
  readonly #network: MappingNetwork;
  readonly #nonce: Uint8Array;
  readonly #epoch = new Epoch(PCP_EPOCH);

  /** `nonce` stands for the mapping: only who knows it may renew or delete it (section 11.2). */
  constructor(link: GatewayLink, network: MappingNetwork, nonce: Uint8Array) {
    this.#link = link;
    this.#network = network;
    this.#nonce = nonce;
  }

  /** Nothing to find out: asking for the mapping takes no longer. */
  probe(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async map(request: MapRequest, signal: AbortSignal): Promise<Lease | MappingFailure> {
    const heard = await this.#askMap(request, signal);
    if (heard === "no-answer") return failure("no-answer", "the gateway does not answer to PCP");
    if (heard === "unreachable") return failure("unreachable", "nothing can be sent to the gateway");
    if (heard === "other-version") return failure("unsupported", "the gateway speaks another version of PCP");
    const { result, mapping, lifetimeSecs } = heard;
    if (result === PcpResult.UNSUPP_VERSION || result === PcpResult.UNSUPP_OPCODE) {
      return failure("unsupported", `PCP: ${pcpResultText(result)}`);
    }
    if (result !== PcpResult.SUCCESS || mapping === undefined) {
      return failure("refused", `PCP: ${pcpResultText(result)}`);
    }
    this.#epoch.renewed();
    return checkedLease({ internal: request.internal, external: mapping.external, lifetimeSecs });
  }

  async check(_lease: Lease, signal: AbortSignal): Promise<"kept" | "lost" | "silent"> {
    const heard = await this.#ask(encodePcpAnnounce(this.#link.source), signal, (response) => response);
    if (heard === "no-answer" || heard === "unreachable") return "silent";
    // A gateway that speaks another version now is not the one that granted the mapping.
    if (heard === "other-version") return "lost";
    this.#epoch.observe(heard.epochSecs, this.#network.now());
    return this.#epoch.lost ? "lost" : "kept";
  }

  async unmap(lease: Lease, signal: AbortSignal): Promise<void> {
    // Section 15: a request to delete names no external address or port.
    await this.#askMap({ internal: lease.internal, external: undefined, lifetimeSecs: 0 }, signal);
  }

  async #askMap(request: MapRequest, signal: AbortSignal): Promise<Heard | "no-answer" | "unreachable"> {
    const { internal, external, lifetimeSecs } = request;
    const data = encodePcpMap({
      nonce: this.#nonce,
      internal,
      external: external ?? (lifetimeSecs === 0 ? undefined : anyAddress(internal)),
      lifetimeSecs,
    });
    const heard = await this.#ask(data, signal, (response) => {
      if (response.opcode !== "map") return undefined;
      // Some servers do not copy the request into an error; the source and the port of the datagram did fit.
      return response.mapping === undefined || this.#isOurs(response.mapping, internal.port)
        ? response
        : undefined;
    });
    if (typeof heard !== "string") this.#epoch.observe(heard.epochSecs, this.#network.now());
    return heard;
  }

  #isOurs(mapping: PcpMapping, port: number): boolean {
    return mapping.internalPort === port && equalBytes(mapping.nonce, this.#nonce);
  }

  #ask(
    data: Uint8Array,
    signal: AbortSignal,
    accept: (response: PcpResponse) => PcpResponse | undefined,
  ): Promise<Heard | "no-answer" | "unreachable"> {
    const { gateway, source } = this.#link;
    const to = { host: gateway, port: this.#network.controlPort };
    return ask<Heard>({
      from: source,
      to: [to],
      data: [data],
      answersFrom: to,
      read: (bytes) => {
        const response = decodePcp(bytes);
        if (typeof response !== "string") return accept(response);
        return response === "version" && bytes.length >= 8 ? "other-version" : undefined;
      },
      delays: this.#network.retransmitMs,
      signal,
    });
  }
}

/** The same port at whatever address the gateway has. */
function anyAddress({ host, port }: { readonly host: string; readonly port: number }) {
  return { host: host.includes(":") ? "::" : "0.0.0.0", port };
}
