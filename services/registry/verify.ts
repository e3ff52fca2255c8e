/** Signature checks at the speed of OpenSSL: a busy registry does little else. */

import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject, verify as verifyFast } from "node:crypto";
import { verify as verifyStrictly } from "../../lib/crypto/identity.ts";
import { concatBytes, fromHex, toHex } from "../../lib/wire/bytes.ts";

/** What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410 section 4). */
const KEY_INFO_PREFIX = fromHex("302a300506032b6570032100");
const MAX_KEYS = 10_000;

/**
 * Makes a check of Ed25519 signatures that is as strict as that of `lib/crypto` and about ten times as fast for keys
 * it has seen before. OpenSSL does not refuse keys of small order, so the first signature of a key is checked the slow
 * way, which does; such keys never get past it.
 */
export function makeVerify(): (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean {
  const keys = new Map<string, KeyObject>();
  return (publicKey, message, signature) => {
    const name = toHex(publicKey);
    const known = keys.get(name);
    if (known !== undefined) {
      return signature.length === 64 && verifyFast(null, message, known, signature);
    }
    if (!verifyStrictly(publicKey, message, signature)) return false;
    const [oldest] = keys.keys();
    if (keys.size >= MAX_KEYS && oldest !== undefined) keys.delete(oldest);
    const bytes = concatBytes(KEY_INFO_PREFIX, publicKey);
    keys.set(name, createPublicKey({ key: Buffer.from(bytes), format: "der", type: "spki" }));
    return true;
  };
}
