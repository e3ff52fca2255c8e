/** Chooses the fastest AES-256-GCM of this computer. */

import { type AeadProvider, nobleAead } from "../crypto/aead.ts";
import { PilotError } from "../wire/error.ts";
import { readEnv } from "./ffi.ts";
import { passesSelfTest } from "./aead_self_test.ts";
import { nodeAead } from "./node_aead.ts";
import { openSslAead } from "./openssl.ts";

/**
 * OpenSSL's libcrypto where it loads and native code is allowed, else `node:crypto`, else JavaScript. `PILOT_AEAD=openssl|node|noble`
 * (or `name`) insists on one.
 *
 * @throws {PilotError} `invalid_argument` for another name, `unavailable` when the one insisted on does not work here
 */
export function chooseAead(name: string | undefined = readEnv("PILOT_AEAD")): AeadProvider {
  switch (name) {
    case undefined:
      return openSslAead() ?? (nodeWorks() ? nodeAead : nobleAead);
    case "openssl": {
      const provider = openSslAead();
      if (provider !== undefined) return provider;
      throw new PilotError("unavailable", "OpenSSL's libcrypto does not load here", {
        hint: "install OpenSSL 3, allow native code (--allow-ffi), or unset PILOT_AEAD",
      });
    }
    case "node":
      return nodeAead;
    case "noble":
      return nobleAead;
    default:
      throw new PilotError("invalid_argument", `there is no encryption provider named ${name}`, {
        hint: "PILOT_AEAD is openssl, node or noble",
      });
  }
}

function nodeWorks(): boolean {
  try {
    return passesSelfTest(nodeAead);
  } catch {
    return false;
  }
}
