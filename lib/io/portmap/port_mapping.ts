/**
 * A public port from the router at home: asked for by PCP, NAT-PMP or UPnP, kept alive, and given back.
 *
 * Security: these protocols have no authentication, so the gateway, or whoever poses as it on the local network, may
 * say what it likes. It can do no more than claim an external endpoint, which peers try like any other candidate and
 * which proves itself by an encrypted handshake or not at all. Only the default gateway is asked; answers and URLs
 * from anywhere else are ignored; what it says is bounded in size, in time and in how often it makes us ask.
 */

import { createHmac } from "node:crypto";
import type { Instant } from "../../core/machine.ts";
import { type Endpoint, sameEndpoint } from "../../wire/endpoint.ts";
import { type AddressScope, addressScope } from "../address_scope.ts";
import type { IpFamily } from "./gateway.ts";
import {
  isFailure,
  type Lease,
  type MappingClient,
  type MappingFailure,
  type MappingMethod,
} from "./method.ts";
import { NatPmpClient } from "./nat_pmp_client.ts";
import { type GatewayLink, type MappingNetwork, systemNetwork } from "./network.ts";
import { PCP_NONCE_BYTES } from "./pcp.ts";
import { PcpClient } from "./pcp_client.ts";
import { type Attempt, race, type Winner } from "./race.ts";
import { UpnpClient } from "./upnp_client.ts";

export type { AddressScope, Attempt, MappingMethod };

/** Lifetime asked for, seconds (recommended by RFC 6886 section 3.3). */
const LIFETIME_SECS = 7_200;
/** Waits between tries while there is no mapping, milliseconds; the last one repeats. */
const RETRY_MS: readonly number[] = [30_000, 60_000, 120_000, 300_000, 900_000];
/** Shortest distance of two tries to renew, milliseconds. */
const MIN_RENEW_MS = 15_000;

/** A port that the gateway forwards to us. */
export interface Mapping {
  readonly method: MappingMethod;
  readonly internal: Endpoint;
  /** Where the gateway takes datagrams for us. */
  readonly external: Endpoint;
  /**
   * Who may reach `external`: `public` everybody; `shared` peers behind the same carrier, whose NAT stands in front of
   * the gateway; `private` peers behind the next router.
   */
  readonly scope: AddressScope;
  /** When the gateway forgets it, unless it is renewed, by the clock of the mapping. */
  readonly expires: Instant;
}

/** How things are, for an operator. */
export interface MappingReport {
  readonly gateway: string | undefined;
  readonly mapping: Mapping | undefined;
  /** The last time that all protocols were tried; empty before the first. */
  readonly tried: readonly Attempt[];
}

/** What to map, and whom to tell. */
export interface MapPortOptions {
  /** The bound port of this computer. */
  readonly internalPort: number;
  /** The one that there is. */
  readonly protocol: "udp";
  /** Default 4. With 6 the gateway opens its firewall rather than translating; only PCP can do that. */
  readonly family?: IpFamily;
  /** Seconds, default 7200. Gateways may grant less. */
  readonly lifetimeSecs?: number;
  /** The end of the mapping: on abort it is deleted. */
  readonly signal: AbortSignal;
  /** The external endpoint is new, another one, or gone. Not called for mere renewals, nor at the end. Must not throw. */
  readonly onChange?: (mapping: Mapping | undefined) => void;
  /**
   * A secret that outlives this process. From it comes the nonce that lets an agent take up, after a crash, the PCP
   * mapping that it had (RFC 6887 section 11.2). Without one the nonce is random.
   */
  readonly secret?: Uint8Array;
  /** Replaces parts of the surroundings. */
  readonly network?: Partial<MappingNetwork>;
}

/** Starts to map a port. Returns at once; what comes of it is told by `onChange` and the members of the result. */
export function mapPort(options: MapPortOptions): PortMapping {
  return new PortMapping(options);
}

/** A mapping that is being kept. */
export class PortMapping {
  /** Resolves with the first report: within two seconds where gateways answer, or say nothing at all. */
  readonly firstTry: Promise<MappingReport>;
  /** Resolves after abort, when the mapping is deleted or the gateway does not answer. Never rejects. */
  readonly finished: Promise<void>;
  readonly #options: MapPortOptions;
  readonly #network: MappingNetwork;
  readonly #firstTried = Promise.withResolvers<MappingReport>();
  readonly #untidy = new Set<Promise<void>>();
  #wake = new AbortController();
  #renewAsked = false;
  #gateway: string | undefined;
  #mapping: Mapping | undefined;
  #tried: readonly Attempt[] = [];

  /** Use `mapPort`. */
  constructor(options: MapPortOptions) {
    this.#options = options;
    this.#network = { ...systemNetwork(), ...options.network };
    this.firstTry = this.#firstTried.promise;
    options.signal.addEventListener("abort", () => this.#wake.abort(), { once: true });
    this.finished = this.#run();
  }

  /** The mapping there is now. */
  get current(): Mapping | undefined {
    return this.#mapping;
  }

  /** How things are now. */
  report(): MappingReport {
    return { gateway: this.#gateway, mapping: this.#mapping, tried: this.#tried };
  }

  /** The network changed: looks for the gateway again and renews the mapping now. */
  renew(): void {
    this.#renewAsked = true;
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    for (let failures = 0; !signal.aborted;) {
      const kept = await this.#establish();
      if (kept === undefined) {
        this.#firstTried.resolve(this.report());
        const woken = await this.#wait(RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)] ?? 0);
        if (woken) failures = 0;
      } else {
        failures = 0;
        await this.#keep(kept.winner, kept.link);
      }
    }
    this.#firstTried.resolve(this.report());
    await Promise.all(this.#untidy);
  }

  async #findLink(): Promise<GatewayLink | undefined> {
    const gateway = await this.#network.gateway(this.#options.family ?? 4);
    const source = gateway === undefined ? undefined : await this.#network.source(gateway);
    return gateway === undefined || source === undefined ? undefined : { gateway, source };
  }

  async #establish(): Promise<{ readonly winner: Winner; readonly link: GatewayLink } | undefined> {
    const { signal, internalPort, family = 4 } = this.#options;
    const link = await this.#findLink();
    this.#gateway = link?.gateway;
    if (link === undefined) {
      const methods: readonly MappingMethod[] = family === 4 ? ["pcp", "nat-pmp", "upnp"] : ["pcp"];
      const detail = "there is no default gateway, or none that can be found out";
      this.#tried = methods.map((method) => ({ method, outcome: "no-gateway", detail }));
      return undefined;
    }
    const internal = { host: link.source, port: internalPort };
    const request = { internal, external: undefined, lifetimeSecs: this.#lifetimeSecs };
    const { winner, attempts, settled } = await race(this.#clients(link), request, signal);
    const tidied = settled.then(() => void this.#untidy.delete(tidied));
    this.#untidy.add(tidied);
    this.#tried = attempts;
    return winner === undefined ? undefined : { winner, link };
  }

  get #lifetimeSecs(): number {
    return this.#options.lifetimeSecs ?? LIFETIME_SECS;
  }

  #clients(link: GatewayLink): MappingClient[] {
    const pcp = new PcpClient(link, this.#network, this.#nonce(link.source));
    if (this.#options.family === 6) return [pcp];
    return [pcp, new NatPmpClient(link, this.#network), new UpnpClient(link, this.#network)];
  }

  #nonce(source: string): Uint8Array {
    const { secret, internalPort } = this.#options;
    if (secret === undefined) return this.#network.random(new Uint8Array(PCP_NONCE_BYTES));
    const digest = createHmac("sha256", secret).update(`pilot pcp nonce ${source} ${internalPort}`).digest();
    return new Uint8Array(digest.subarray(0, PCP_NONCE_BYTES));
  }

  /** Keeps a mapping until it is lost, or the network is another one, or the end. */
  async #keep({ client, lease: first }: Winner, link: GatewayLink): Promise<void> {
    const { signal } = this.#options;
    let lease = first;
    let { expires, renewAt } = this.#times(lease);
    this.#publish(mappingOf(client, lease, expires));
    this.#firstTried.resolve(this.report());
    while (!signal.aborted) {
      const woken = await this.#wait(Math.min(client.checkEveryMs, renewAt - this.#network.now()));
      if (signal.aborted) break;
      if (await this.#moved(link)) return this.#publish(undefined);
      if (!woken && this.#network.now() < renewAt) {
        if (await client.check(lease, signal) !== "lost") continue;
      }
      const renewed = await this.#renewed(client, lease);
      if (signal.aborted) break;
      const now = this.#network.now();
      if (!isFailure(renewed)) {
        lease = renewed;
        ({ expires, renewAt } = this.#times(lease));
        this.#publish(mappingOf(client, lease, expires));
      } else if (isSilence(renewed) && now < expires) {
        // At three quarters, seven eighths, ... of the lifetime (RFC 6887 section 11.2.1).
        renewAt = Math.min(expires, now + Math.max(MIN_RENEW_MS, (expires - now) / 2));
      } else {
        return this.#publish(undefined);
      }
    }
    await client.unmap(lease, new AbortController().signal);
    this.#mapping = undefined;
  }

  #renewed(client: MappingClient, { internal, external }: Lease): Promise<Lease | MappingFailure> {
    return client.map({ internal, external, lifetimeSecs: this.#lifetimeSecs }, this.#options.signal);
  }

  async #moved(link: GatewayLink): Promise<boolean> {
    const now = await this.#findLink();
    return now?.gateway !== link.gateway || now.source !== link.source;
  }

  #times({ lifetimeSecs }: Lease): { expires: Instant; renewAt: Instant } {
    const now = this.#network.now();
    return { expires: now + lifetimeSecs * 1000, renewAt: now + lifetimeSecs * 500 };
  }

  /** Waits, but not after `renew` or the end. Tells whether `renew` was called. */
  async #wait(ms: number): Promise<boolean> {
    this.#wake = new AbortController();
    if (this.#renewAsked || this.#options.signal.aborted) this.#wake.abort();
    await this.#network.pause(Math.max(0, ms), this.#wake.signal);
    const woken = this.#renewAsked;
    this.#renewAsked = false;
    return woken;
  }

  #publish(mapping: Mapping | undefined): void {
    const [before, after] = [this.#mapping?.external, mapping?.external];
    this.#mapping = mapping;
    const same = before === undefined || after === undefined ? before === after : sameEndpoint(before, after);
    if (!same) this.#options.onChange?.(mapping);
  }
}

function mappingOf({ method }: MappingClient, { internal, external }: Lease, expires: Instant): Mapping {
  return { method, internal, external, scope: addressScope(external.host), expires };
}

function isSilence({ reason }: MappingFailure): boolean {
  return reason === "no-answer" || reason === "unreachable";
}
