/**
 * What is known of the NAT in front of a node, in the terms of RFC 4787.
 */

/** What a mapping, or the permission to send back, depends on (RFC 4787 sections 4.1 and 5). */
export type Dependence = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";

/** How a NAT chooses outside ports (RFC 4787 section 4.2): the inside port, the last one and a step, or any. */
export type PortAssignment = "preserving" | "sequential" | "random";

/** The behaviour of the NATs between a node and its beacon, as far as it is known. Members are absent while unknown. */
export interface NatBehaviour {
  /** Whether there is a translation at all: the beacon sees another endpoint than the one bound. */
  readonly isTranslated?: boolean;
  readonly mapping?: Dependence;
  /**
   * `mapping` is the likelier of two: the tests did not reach enough places to exclude that it is address-dependent.
   * So it is with a beacon of one address, when `mapping` is endpoint-independent.
   */
  readonly mappingIsPresumed?: boolean;
  readonly filtering?: Dependence;
  /** All tests of `filtering` were made with one address: it may be more open than said, never less. */
  readonly filteringIsBound?: boolean;
  readonly ports?: PortAssignment;
  /** Distance of two ports assigned in a row, for `sequential`. */
  readonly portStep?: number;
  /** Whether a datagram to the own outside endpoint comes back (RFC 4787 section 6). */
  readonly hairpin?: boolean;
  /** How long a mapping is known to live without traffic, milliseconds. */
  readonly lifetimeMs?: number;
}

/** Whether both say the same. */
export function sameBehaviour(a: NatBehaviour, b: NatBehaviour): boolean {
  return MEMBERS.every((member) => a[member] === b[member]);
}

const MEMBERS = [
  "isTranslated",
  "mapping",
  "mappingIsPresumed",
  "filtering",
  "filteringIsBound",
  "ports",
  "portStep",
  "hairpin",
  "lifetimeMs",
] as const satisfies readonly (keyof NatBehaviour)[];

/** What is known when `after` was found out later than `before`, about the same network. */
export function mergeBehaviour(before: NatBehaviour, after: NatBehaviour): NatBehaviour {
  const latest = (member: keyof NatBehaviour) => after[member] === undefined ? before : after;
  const { isTranslated } = latest("isTranslated");
  const { mapping, mappingIsPresumed } = latest("mapping");
  const { filtering, filteringIsBound } = latest("filtering");
  const { ports, portStep } = latest("ports");
  const { hairpin } = latest("hairpin");
  const { lifetimeMs } = latest("lifetimeMs");
  return {
    ...(isTranslated === undefined ? {} : { isTranslated }),
    ...(mapping === undefined ? {} : { mapping }),
    ...(mappingIsPresumed === undefined ? {} : { mappingIsPresumed }),
    ...(filtering === undefined ? {} : { filtering }),
    ...(filteringIsBound === undefined ? {} : { filteringIsBound }),
    ...(ports === undefined ? {} : { ports }),
    ...(portStep === undefined ? {} : { portStep }),
    ...(hairpin === undefined ? {} : { hairpin }),
    ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
  };
}

/** The words users know. */
export type NatType =
  | "none"
  | "full-cone"
  | "restricted-cone"
  | "port-restricted-cone"
  | "symmetric"
  | "unknown";

/** The familiar name of a behaviour. */
export function natType({ isTranslated, mapping, filtering, filteringIsBound }: NatBehaviour): NatType {
  // Seen from one address, the openest host looks like one that filters by address.
  const isOpen = filtering === undefined || filtering === "endpoint-independent" ||
    (filtering === "address-dependent" && filteringIsBound === true);
  if (isTranslated === false && isOpen) return "none";
  if (mapping === undefined) return "unknown";
  if (mapping !== "endpoint-independent") return "symmetric";
  switch (filtering) {
    case "endpoint-independent":
      return "full-cone";
    case "address-dependent":
      return "restricted-cone";
    case "address-and-port-dependent":
      return "port-restricted-cone";
    default:
      return "unknown";
  }
}
