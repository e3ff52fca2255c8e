/**
 * What the observations of an examination mean, in the terms of RFC 4787.
 */

import { type Endpoint, sameEndpoint } from "../../wire/endpoint.ts";
import type { NatBehaviour } from "./behaviour.ts";

/** How one socket showed at the places of a beacon: where it was asked, and at its other ones, as far as heard. */
export interface Sightings {
  readonly asked: Endpoint;
  readonly otherPort?: Endpoint | undefined;
  readonly otherAddress?: Endpoint | undefined;
  readonly both?: Endpoint | undefined;
}

/** Whether an answer that had been asked for came, stayed out, or cannot be told. */
export type Finding = "came" | "silent" | "unknown";

/** What came to a socket that had spoken to one place of the beacon only. */
export interface Arrivals {
  /** From the same address, another port. */
  readonly otherPort: Finding;
  /** From another address and, when there is one, another port. */
  readonly otherAddress: Finding;
}

/** Inside and outside port of one socket towards the same place. The inside one is absent where it is not known. */
export interface PortSample {
  readonly inside: number | undefined;
  readonly outside: number;
  /** Nothing was lost, so that the port was chosen when the socket first spoke. */
  readonly isPrompt: boolean;
}

/** Ports that follow each other at no more than this distance are no coincidence: others share the NAT. */
const MAX_GAP = 16;
/** Sockets whose ports tell something about the next one. */
const MIN_SERIES = 3;

/** Section 4.1: does the outside endpoint of a socket depend on where it sends? */
export function judgeMapping(
  { asked, otherPort, otherAddress, both }: Sightings,
): Pick<NatBehaviour, "mapping" | "mappingIsPresumed"> {
  const addressCounts = differ(asked, otherAddress) ?? differ(otherPort, both);
  const portCounts = differ(asked, otherPort) ?? differ(otherAddress, both);
  if (portCounts === true) return { mapping: "address-and-port-dependent" };
  if (addressCounts === false) return { mapping: "endpoint-independent" };
  // Both at once: the same endpoint excludes every dependence.
  if (addressCounts === undefined && differ(asked, both) === false) {
    return { mapping: "endpoint-independent" };
  }
  const counts = addressCounts ?? differ(asked, both);
  if (portCounts === undefined) {
    return counts === true ? { mapping: "address-and-port-dependent", mappingIsPresumed: true } : {};
  }
  if (counts === true) return { mapping: "address-dependent" };
  return { mapping: "endpoint-independent", mappingIsPresumed: true };
}

/** Section 5: who may send to a socket? */
export function judgeFiltering(
  { otherPort, otherAddress }: Arrivals,
): Pick<NatBehaviour, "filtering" | "filteringIsBound"> {
  if (otherAddress === "came") return { filtering: "endpoint-independent" };
  if (otherPort === "silent") return { filtering: "address-and-port-dependent" };
  if (otherPort === "unknown") return {};
  return otherAddress === "silent"
    ? { filtering: "address-dependent" }
    : { filtering: "address-dependent", filteringIsBound: true };
}

/**
 * Section 4.2: how outside ports are chosen. `series` are sockets that first spoke one after the other, `others` any
 * that spoke to the same place.
 */
export function judgePorts(
  series: readonly PortSample[],
  others: readonly PortSample[] = [],
): Pick<NatBehaviour, "ports" | "portStep"> {
  const known = [...series, ...others].filter(({ inside }) => inside !== undefined);
  const preserved = known.filter(({ inside, outside }) => inside === outside).length;
  // A port that another host has already cannot be preserved.
  if (preserved > 0 && 2 * preserved >= known.length) return { ports: "preserving" };
  if (series.length < MIN_SERIES) return {};
  const outside = series.map((sample) => sample.outside);
  const sorted = outside.toSorted((a, b) => a - b);
  const gaps = sorted.slice(1).map((port, i) => port - (sorted[i] ?? port));
  if (gaps.some((gap) => gap > MAX_GAP)) return { ports: "random" };
  const prompt = series.filter(({ isPrompt }) => isPrompt).map((sample) => sample.outside);
  const falls = prompt.slice(1).filter((port, i) => port < (prompt[i] ?? port)).length;
  const step = Math.max(1, Math.min(...gaps));
  return { ports: "sequential", portStep: 2 * falls > Math.max(0, prompt.length - 1) ? -step : step };
}

/** Whether a socket shows at another endpoint than it has; `undefined` while its own ones are not known. */
export function isTranslated(seen: Endpoint, local: readonly Endpoint[]): boolean | undefined {
  if (local.length === 0) return undefined;
  // A beacon on the same computer; loopback addresses need not be among those that others can reach.
  const isLoopback = seen.host === "::1" || seen.host.startsWith("127.");
  return !local.some((own) => sameEndpoint(own, seen) || (isLoopback && own.port === seen.port));
}

function differ(a: Endpoint | undefined, b: Endpoint | undefined): boolean | undefined {
  return a === undefined || b === undefined ? undefined : !sameEndpoint(a, b);
}
