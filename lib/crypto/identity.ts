/**
 * A node's identity: an Ed25519 key pair (RFC 8032), and its text form, a JSON document with `private_key` (base64 of
 * the 32-byte seed and the 32-byte public key) and `public_key` (base64).
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { concatBytes, decodeBase64, encodeBase64, encodeUtf8, equalBytes } from "../wire/bytes.ts";
import { Members, parseJson } from "../wire/json.ts";
import { randomBytes, type RandomSource } from "./random.ts";

const SEED_SIZE = 32;
const PUBLIC_KEY_SIZE = 32;
const SIGNATURE_SIZE = 64;

/** An Ed25519 key pair; `seed` is secret, both are 32 bytes. */
export interface Identity {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** A new identity. */
export function generateIdentity(random: RandomSource): Identity {
  const seed = randomBytes(random, SEED_SIZE);
  return { seed, publicKey: ed25519.getPublicKey(seed) };
}

/** The text form, without a newline at the end. It holds the secret. */
export function encodeIdentity(identity: Identity): string {
  const document = {
    private_key: encodeBase64(concatBytes(identity.seed, identity.publicKey)),
    public_key: encodeBase64(identity.publicKey),
  };
  return JSON.stringify(document, null, 2);
}

/** Reads the text form. Both copies of the public key must belong to the seed; `invalid` says what is wrong. */
export function decodeIdentity(text: string): Identity | { readonly invalid: string } {
  const members = Members.of(parseJson(text));
  if (members === undefined) {
    return { invalid: text.trim() === "" ? "it is empty" : "it is not a JSON object" };
  }
  const privateKey = keyMember(members, "private_key", SEED_SIZE + PUBLIC_KEY_SIZE);
  if (typeof privateKey === "string") return { invalid: privateKey };
  const publicKey = keyMember(members, "public_key", PUBLIC_KEY_SIZE);
  if (typeof publicKey === "string") return { invalid: publicKey };
  if (!equalBytes(publicKey, privateKey.subarray(SEED_SIZE))) {
    return { invalid: "public_key differs from the one inside private_key" };
  }
  const seed = privateKey.slice(0, SEED_SIZE);
  if (!equalBytes(publicKey, ed25519.getPublicKey(seed))) {
    return { invalid: "public_key does not belong to the seed in private_key" };
  }
  return { seed, publicKey };
}

/** Ed25519 signature of a message, 64 bytes. */
export function sign(identity: Identity, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, identity.seed);
}

/** Ed25519 signature of the UTF-8 bytes of a text, 64 bytes. */
export function signText(identity: Identity, text: string): Uint8Array {
  return sign(identity, encodeUtf8(text));
}

/** {@linkcode signText} in base64, as registry requests and handshakes carry it. */
export function signBase64(identity: Identity, text: string): string {
  return encodeBase64(signText(identity, text));
}

/**
 * Whether an Ed25519 signature is right. Strict as RFC 8032: encodings must be canonical and the key not of small
 * order. Malformed keys and signatures are simply wrong; it never throws.
 */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_SIZE || signature.length !== SIGNATURE_SIZE) return false;
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
}

function keyMember(members: Members, name: string, size: number): Uint8Array<ArrayBuffer> | string {
  const text = members.string(name);
  if (text === undefined) {
    return members.get(name) === undefined ? `${name} is missing` : `${name} is not a text`;
  }
  const bytes = decodeBase64(text);
  if (bytes === undefined) return `${name} is not base64`;
  return bytes.length === size ? bytes : `${name} has ${bytes.length} bytes instead of ${size}`;
}
