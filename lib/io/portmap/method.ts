/**
 * What the protocols for port mapping have in common.
 */

import type { Endpoint } from "../../wire/endpoint.ts";

/** The protocols, the preferred one first. */
export type MappingMethod = "pcp" | "nat-pmp" | "upnp";

/**
 * Why there is no mapping. `no-gateway`: no default route. `no-answer`: silence. `unreachable`: the system could not
 * send. `unsupported`: the gateway says that it does not speak this. `refused`: it says no. `malformed`: its answer
 * makes no sense. `no-address`: the gateway has no usable external address itself. `not-needed`: another method won.
 */
export type FailureReason =
  | "no-gateway"
  | "no-answer"
  | "unreachable"
  | "unsupported"
  | "refused"
  | "malformed"
  | "no-address"
  | "not-needed";

/** A failure, with words for people. */
export interface MappingFailure {
  readonly reason: FailureReason;
  readonly detail: string;
}

/** What to map. */
export interface MapRequest {
  /** Address of this computer towards the gateway, and the bound port. */
  readonly internal: Endpoint;
  /** The external endpoint to ask for, a wish; `undefined`: the same port at any address. */
  readonly external: Endpoint | undefined;
  /** Seconds, above 0. */
  readonly lifetimeSecs: number;
}

/** What the gateway granted. */
export interface Lease {
  readonly internal: Endpoint;
  readonly external: Endpoint;
  /** Seconds from the grant on. */
  readonly lifetimeSecs: number;
}

/** A client of one protocol, for one gateway and one mapping. Methods do not reject; they end early on abort. */
export interface MappingClient {
  readonly method: MappingMethod;
  /** How often `check` is worth its cost, milliseconds. */
  readonly checkEveryMs: number;
  /** Finds out whether the gateway speaks this protocol. Changes nothing there. `undefined`: it may. */
  probe(signal: AbortSignal): Promise<MappingFailure | undefined>;
  /** Makes the mapping, or renews it. */
  map(request: MapRequest, signal: AbortSignal): Promise<Lease | MappingFailure>;
  /** Whether the gateway still has the mapping as it is. */
  check(lease: Lease, signal: AbortSignal): Promise<"kept" | "lost" | "silent">;
  /** Deletes the mapping, as far as the gateway answers. */
  unmap(lease: Lease, signal: AbortSignal): Promise<void>;
}

/** Makes a failure. */
export function failure(reason: FailureReason, detail: string): MappingFailure {
  return { reason, detail };
}

/** Tells a failure from a success. */
export function isFailure(value: object): value is MappingFailure {
  return "reason" in value;
}

/** Text from a gateway, fit for a terminal: printable ASCII, 80 characters at most. */
export function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, " ").trim().slice(0, 80);
}
