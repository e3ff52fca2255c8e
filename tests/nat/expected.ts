/**
 * What each pair of networks must reach: one rule set, from RFC 4787's mapping and filtering behaviours.
 */

/** How a host is connected to the internet. */
export const NETWORK_CLASSES = [
  /** A public address, no firewall. */
  "open",
  /** Endpoint-independent mapping and filtering. */
  "fullCone",
  /** Endpoint-independent mapping, address-dependent filtering. */
  "addressRestricted",
  /** Endpoint-independent mapping, address and port-dependent filtering: most home routers. */
  "portRestricted",
  /** Address and port-dependent mapping and filtering, random ports. */
  "symmetric",
  /** A home router behind a carrier's symmetric NAT. */
  "carrier",
  /** A NAT that lets no UDP through, only TCP. */
  "blocked",
] as const;

export type NetworkClass = (typeof NETWORK_CLASSES)[number];

/**
 * How a pair ends up connected: `direct` from the exchange of endpoints alone; `searched`, direct by guessing the
 * port of a random NAT; `relay` through the beacon over UDP; `wss` through the beacon over TLS.
 */
export type Outcome = "direct" | "searched" | "relay" | "wss";

/** These answer, or let in, a packet from a port that they were not told of. */
const LENIENT: readonly NetworkClass[] = ["open", "fullCone", "addressRestricted"];
/** These give every destination another, random port. */
const RANDOM: readonly NetworkClass[] = ["symmetric", "carrier"];

/** What must come of a dial between two classes. It does not matter who dials. */
export function expectedOutcome(a: NetworkClass, b: NetworkClass): Outcome {
  if (a === "blocked" || b === "blocked") return "wss";
  if (LENIENT.includes(a) || LENIENT.includes(b)) return "direct";
  const random = [a, b].filter((name) => RANDOM.includes(name)).length;
  if (random === 2) return "relay";
  return random === 1 ? "searched" : "direct";
}

/** Something that is not there yet: between whom, what happens instead, and why. */
export interface NotYet {
  readonly dialling: readonly NetworkClass[];
  readonly dialled: readonly NetworkClass[];
  readonly instead: "relay" | "none";
  readonly reason: string;
}

/**
 * Pairs that the product does not connect as well as it must yet. They are measured all the same; they must do what
 * is said here, and doing better is a failure: then the entry has to go.
 */
export const NOT_YET: readonly NotYet[] = [];

/** Why a dial does not lead where it must yet, `undefined` when it must. */
export function notYet(dialling: NetworkClass, dialled: NetworkClass): NotYet | undefined {
  return NOT_YET.find((entry) => entry.dialling.includes(dialling) && entry.dialled.includes(dialled));
}

/** As {@link NOT_YET}, of all other checks: the name and why. */
export const CHECKS_NOT_YET: Readonly<Record<string, string>> = {};
