/** Refusals: the words that old clients know, the reason for people, a stable code for programs. */

import type { RegistryError } from "../wire/registry.ts";

/**
 * Why a request was refused.
 *
 * - `not_registered`: the node that signs is not registered now; it should register and try again.
 * - `bad_signature`: a signature is missing or wrong.
 * - `denied`: understood, and not allowed.
 * - `not_found`: the node, name or pair asked about does not exist now.
 * - `taken`: somebody else has it.
 * - `rate_limited`: try again after `retry_after_ms`.
 * - `unknown_type`: no such request.
 * - `invalid`: a member is missing or malformed.
 * - `internal`: the registry failed; the request may or may not have been carried out.
 */
export type RefusalCode =
  | "not_registered"
  | "bad_signature"
  | "denied"
  | "not_found"
  | "taken"
  | "rate_limited"
  | "unknown_type"
  | "invalid"
  | "internal";

/** The reply for a request that is not carried out. `retryAfterMs` says when it may be. */
export function refuse(
  code: RefusalCode,
  reason: string,
  options: { hint?: string; retryAfterMs?: number } = {},
): RegistryError {
  return {
    type: "error",
    error: `request failed: ${reason}`,
    code,
    ...(options.hint !== undefined && { hint: options.hint }),
    ...(options.retryAfterMs !== undefined && { retry_after_ms: Math.ceil(options.retryAfterMs) }),
  };
}

/** The reply for a source that spent its budget. */
export function refuseForRate(retryAfterMs: number): RegistryError {
  return refuse("rate_limited", "too many requests", {
    hint: `try again in ${Math.ceil(retryAfterMs / 1000)} s`,
    retryAfterMs,
  });
}
