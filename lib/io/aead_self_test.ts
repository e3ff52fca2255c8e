/** A known answer that a provider of AES-256-GCM must give before it is trusted with anything. */

import type { AeadProvider } from "../crypto/aead.ts";
import { equalBytes, fromHex } from "../wire/bytes.ts";

/** Test case 16 of "The Galois/Counter Mode of Operation" (McGrew and Viega, 2005), appendix B. */
const KEY = fromHex("feffe9928665731c6d6a8f9467308308".repeat(2));
const NONCE = fromHex("cafebabefacedbaddecaf888");
const AAD = fromHex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
const PLAINTEXT = fromHex(
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525" +
    "b16aedf5aa0de657ba637b39",
);
const SEALED = fromHex(
  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838" +
    "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
);

/** Whether a provider seals and opens as published, and refuses what was altered. It may throw. */
export function passesSelfTest(provider: AeadProvider): boolean {
  const aead = provider.create(KEY);
  // Twice: the second time shows that nothing of the first stayed behind.
  for (let round = 0; round < 2; round++) {
    if (!equalBytes(aead.seal(NONCE, PLAINTEXT, AAD), SEALED)) return false;
    const opened = aead.open(NONCE, SEALED, AAD);
    if (opened === undefined || !equalBytes(opened, PLAINTEXT)) return false;
    const forged = SEALED.map((byte, i) => i === SEALED.length - 1 ? byte ^ 1 : byte);
    if (aead.open(NONCE, forged, AAD) !== undefined) return false;
  }
  return true;
}
