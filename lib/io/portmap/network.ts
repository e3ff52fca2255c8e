/**
 * Where port mapping happens: everything that a test, or a network of its own, may replace.
 */

import type { Instant, RandomSource } from "../../core/machine.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { SystemClock } from "../clock.ts";
import { pause } from "../pause.ts";
import { systemRandom } from "../random.ts";
import { sourceAddressTowards } from "../source_address.ts";
import { RETRANSMIT_MS } from "./ask.ts";
import { defaultGateway, type IpFamily } from "./gateway.ts";
import { SSDP_MULTICAST, SSDP_PORT } from "./ssdp.ts";

/** The surroundings of a mapping. */
export interface MappingNetwork {
  /** The default gateway now, a zone allowed. */
  gateway(family: IpFamily): Promise<string | undefined>;
  /** The address that this computer sends from towards a host. */
  source(host: string): Promise<string | undefined>;
  now(): Instant;
  /** Waits between renewals, checks and tries. Resolves early on abort. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
  readonly random: RandomSource;
  /** Milliseconds to wait after each sending of a question. */
  readonly retransmitMs: readonly number[];
  /** Port of PCP (RFC 6887 section 19.1) and of NAT-PMP (RFC 6886 section 1.1), one and the same. */
  readonly controlPort: number;
  /** Where to search for UPnP devices. */
  ssdp(gateway: string): readonly Endpoint[];
}

/** A gateway, and this computer as the gateway sees it. */
export interface GatewayLink {
  /** May carry a zone. */
  readonly gateway: string;
  readonly source: string;
}

/** The real surroundings. */
export function systemNetwork(): MappingNetwork {
  const clock = new SystemClock();
  return {
    gateway: defaultGateway,
    source: sourceAddressTowards,
    now: () => clock.now(),
    pause,
    random: systemRandom,
    retransmitMs: RETRANSMIT_MS,
    controlPort: 5351,
    // Some routers answer to one of them only.
    ssdp: (gateway) => [{ host: SSDP_MULTICAST, port: SSDP_PORT }, { host: gateway, port: SSDP_PORT }],
  };
}
