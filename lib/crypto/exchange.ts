/** Key agreement by X25519 (RFC 7748), and the keys derived from it in both dialects of Pilot Protocol. */

import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, encodeUtf8 } from "../wire/bytes.ts";
import { randomBytes, type RandomSource } from "./random.ts";

const KEY_SIZE = 32;

/** An X25519 key pair, 32 bytes each. */
export interface ExchangeKey {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/**
 * How peers derive keys and what they authenticate: `current` uses HKDF (RFC 5869) and associated data, `v0.5` a
 * plain SHA-256 and none.
 */
export type Dialect = "current" | "v0.5";

/** A new key pair. */
export function generateExchangeKey(random: RandomSource): ExchangeKey {
  const privateKey = randomBytes(random, KEY_SIZE);
  return { privateKey, publicKey: x25519.getPublicKey(privateKey) };
}

/**
 * The 32-byte secret shared with the owner of `peerPublic`. `undefined` when that is no 32-byte key, or one of small
 * order, whose secret would be zero whatever our own key is (RFC 7748 section 6.1).
 */
export function sharedSecret(own: ExchangeKey, peerPublic: Uint8Array): Uint8Array | undefined {
  if (peerPublic.length !== KEY_SIZE) return undefined;
  try {
    const shared = x25519.getSharedSecret(own.privateKey, peerPublic);
    return shared.every((byte) => byte === 0) ? undefined : shared;
  } catch {
    return undefined;
  }
}

/** The AES-256 key of a tunnel, the same in both directions. */
export function deriveTunnelKey(shared: Uint8Array, dialect: Dialect): Uint8Array {
  return derive("pilot-tunnel-v1", shared, dialect);
}

/** The AES-256 key of a secure channel (port 443), the same in both directions. */
export function deriveSecureKey(shared: Uint8Array, dialect: Dialect): Uint8Array {
  return derive("pilot-secure-v1", shared, dialect);
}

function derive(label: string, shared: Uint8Array, dialect: Dialect): Uint8Array {
  return dialect === "current"
    ? hkdf(sha256, shared, undefined, encodeUtf8(label), KEY_SIZE)
    : sha256(concatBytes(encodeUtf8(`${label}:`), shared));
}
