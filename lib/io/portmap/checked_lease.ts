/**
 * What is believed of a grant.
 */

import { addressScope } from "../address_scope.ts";
import { failure, type Lease, type MappingFailure } from "./method.ts";

/** Longest lifetime believed, seconds (RFC 6887 section 15). */
const MAX_LIFETIME_SECS = 86_400;
/** Shorter ones count as this, seconds, so that no gateway can make us ask without end. */
const MIN_LIFETIME_SECS = 60;

/**
 * The lease, with a lifetime within reason. A failure when it names no endpoint that a datagram could go to: the
 * worst that a hostile gateway can do is claim an address, which peers then try like any other.
 */
export function checkedLease(lease: Lease): Lease | MappingFailure {
  const { external, lifetimeSecs } = lease;
  const scope = addressScope(external.host);
  if (scope === "none" || scope === "loopback" || scope === "link") {
    return failure("no-address", `the gateway has no usable external address (${external.host})`);
  }
  if (external.port === 0 || lifetimeSecs === 0) return failure("malformed", "the gateway granted nothing");
  return { ...lease, lifetimeSecs: Math.min(MAX_LIFETIME_SECS, Math.max(MIN_LIFETIME_SECS, lifetimeSecs)) };
}
