/** AES-256-GCM of the runtime's own `node:crypto`: no native library needed, several times as fast as JavaScript. */

import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM } from "node:crypto";
import {
  type Aead,
  type AeadProvider,
  InPlaceAead,
  requireKeySize,
  requireOpenSizes,
  requireSealSizes,
  TAG_SIZE,
} from "../crypto/aead.ts";

const ALGORITHM = "aes-256-gcm";

/** The provider on `node:crypto`. */
export const nodeAead: AeadProvider = {
  name: "node",
  create(key: Uint8Array): Aead {
    requireKeySize(key);
    return new NodeAead(key.slice());
  },
};

class NodeAead extends InPlaceAead {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    super();
    this.#key = key;
  }

  override sealInto(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, target: Uint8Array): void {
    requireSealSizes(nonce, plaintext, target);
    const cipher: CipherGCM = createCipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_SIZE });
    if (aad.length > 0) cipher.setAAD(aad);
    const size = plaintext.length;
    if (size > 0) target.set(cipher.update(plaintext));
    cipher.final();
    target.set(cipher.getAuthTag(), size);
  }

  override openInto(
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    aad: Uint8Array,
    target: Uint8Array,
  ): boolean {
    if (ciphertext.length < TAG_SIZE) return false;
    requireOpenSizes(nonce, ciphertext, target);
    const size = ciphertext.length - TAG_SIZE;
    const decipher: DecipherGCM = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_SIZE });
    if (aad.length > 0) decipher.setAAD(aad);
    decipher.setAuthTag(ciphertext.subarray(size));
    const plaintext = size > 0 ? decipher.update(ciphertext.subarray(0, size)) : undefined;
    try {
      decipher.final();
    } catch {
      return false;
    }
    // Only now: nothing unauthenticated leaves this function.
    if (plaintext !== undefined) target.set(plaintext);
    return true;
  }
}
