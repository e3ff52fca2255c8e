/** Where key material comes from: an argument, as everything else that is not a computation. */

/** Fills `target` with cryptographically strong random bytes and returns it. */
export type RandomSource = (target: Uint8Array) => Uint8Array;

/** New random bytes. @throws Error when the source gave nothing but zeros, which a working one never does */
export function randomBytes(random: RandomSource, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  random(bytes);
  if (bytes.every((byte) => byte === 0)) {
    throw new Error("the random source gives zeros only");
  }
  return bytes;
}
