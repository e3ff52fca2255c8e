/**
 * A NAT-PMP client for one mapping (RFC 6886 section 3).
 */

import { ask } from "./ask.ts";
import { checkedLease } from "./checked_lease.ts";
import { Epoch, NAT_PMP_EPOCH } from "./epoch.ts";
import {
  failure,
  isFailure,
  type Lease,
  type MappingClient,
  type MappingFailure,
  type MapRequest,
} from "./method.ts";
import {
  decodeNatPmp,
  encodeNatPmpAddress,
  encodeNatPmpMap,
  type NatPmpResponse,
  natPmpResultText,
} from "./nat_pmp.ts";
import type { GatewayLink, MappingNetwork } from "./network.ts";

/** How often epoch and address are looked at: one small datagram each way on the local network. */
const CHECK_MS = 60_000;
/** Result codes (section 3.5): the version or the operation is not supported. */
const UNSUPPORTED: readonly number[] = [1, 5];

type Granted = Exclude<NatPmpResponse, { readonly kind: "error" }>;

/** Speaks NAT-PMP to one gateway. */
export class NatPmpClient implements MappingClient {
  readonly method = "nat-pmp";
  readonly checkEveryMs = CHECK_MS;
  readonly #link: GatewayLink;
  readonly #network: MappingNetwork;
  readonly #epoch = new Epoch(NAT_PMP_EPOCH);

  constructor(link: GatewayLink, network: MappingNetwork) {
    this.#link = link;
    this.#network = network;
  }

  async probe(signal: AbortSignal): Promise<MappingFailure | undefined> {
    const answer = await this.#address(signal);
    return isFailure(answer) ? answer : undefined;
  }

  async map(
    { internal, external, lifetimeSecs }: MapRequest,
    signal: AbortSignal,
  ): Promise<Lease | MappingFailure> {
    const externalPort = external?.port ?? internal.port;
    const request = encodeNatPmpMap({ internalPort: internal.port, externalPort, lifetimeSecs });
    const mapped = await this.#ask(request, "map", signal);
    if (isFailure(mapped)) return mapped;
    // The address belongs to the mapping, and only another request tells it.
    const address = await this.#address(signal);
    if (isFailure(address)) return address;
    if (mapped.kind !== "map" || address.kind !== "address" || mapped.internalPort !== internal.port) {
      return failure("malformed", "NAT-PMP: the answer is about something else");
    }
    this.#epoch.renewed();
    const granted = { host: address.host, port: mapped.externalPort };
    return checkedLease({ internal, external: granted, lifetimeSecs: mapped.lifetimeSecs });
  }

  async check(lease: Lease, signal: AbortSignal): Promise<"kept" | "lost" | "silent"> {
    const answer = await this.#address(signal);
    if (isFailure(answer)) {
      return answer.reason === "no-answer" || answer.reason === "unreachable" ? "silent" : "lost";
    }
    const moved = answer.kind === "address" && answer.host !== lease.external.host;
    return this.#epoch.lost || moved ? "lost" : "kept";
  }

  async unmap({ internal }: Lease, signal: AbortSignal): Promise<void> {
    // Section 3.4: lifetime and external port 0.
    const request = encodeNatPmpMap({ internalPort: internal.port, externalPort: 0, lifetimeSecs: 0 });
    await this.#ask(request, "map", signal);
  }

  #address(signal: AbortSignal): Promise<Granted | MappingFailure> {
    return this.#ask(encodeNatPmpAddress(), "address", signal);
  }

  async #ask(
    data: Uint8Array,
    about: "address" | "map",
    signal: AbortSignal,
  ): Promise<Granted | MappingFailure> {
    const to = { host: this.#link.gateway, port: this.#network.controlPort };
    const answer = await ask<NatPmpResponse | "other-version">({
      from: this.#link.source,
      to: [to],
      data: [data],
      answersFrom: to,
      read: (bytes) => {
        const response = decodeNatPmp(bytes);
        if (typeof response === "string") {
          return response === "version" && bytes.length >= 8 ? "other-version" : undefined;
        }
        return (response.kind === "error" ? response.about : response.kind) === about ? response : undefined;
      },
      delays: this.#network.retransmitMs,
      signal,
    });
    if (answer === "no-answer") return failure(answer, "the gateway does not answer to NAT-PMP");
    if (answer === "unreachable") return failure(answer, "nothing can be sent to the gateway");
    if (answer === "other-version") return failure("unsupported", "the gateway does not speak NAT-PMP");
    this.#epoch.observe(answer.epochSecs, this.#network.now());
    if (answer.kind !== "error") return answer;
    const reason = UNSUPPORTED.includes(answer.result) ? "unsupported" : "refused";
    return failure(reason, `NAT-PMP: ${natPmpResultText(answer.result)}`);
  }
}
