/** Unsigned big-endian integers: range checks for encoders and a view for reading and writing. */

/** Largest values of 8, 16 and 32 bits. */
export const MAX_UINT8 = 0xff;
export const MAX_UINT16 = 0xffff;
export const MAX_UINT32 = 0xffffffff;

/**
 * Checks one field of a message about to be encoded.
 *
 * @throws RangeError when `value` is not a whole number from 0 to `maximum`
 */
export function requireUint(name: string, value: number, maximum: number): void {
  if (!Number.isInteger(value) || value < 0 || value > maximum) {
    throw new RangeError(`${name} must be a whole number from 0 to ${maximum}, not ${value}`);
  }
}

/**
 * Checks a byte string of fixed size about to be encoded.
 *
 * @throws RangeError when it has another length
 */
export function requireLength(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${name} must be ${length} bytes, not ${bytes.length}`);
}

/** A view of exactly these bytes, whatever buffer they lie in. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Two bytes, big-endian. @throws RangeError when the value does not fit */
export function uint16Bytes(value: number): Uint8Array<ArrayBuffer> {
  requireUint("number", value, MAX_UINT16);
  return Uint8Array.of(value >> 8, value & 0xff);
}

/** Four bytes, big-endian. @throws RangeError when the value does not fit */
export function uint32Bytes(value: number): Uint8Array<ArrayBuffer> {
  requireUint("number", value, MAX_UINT32);
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value);
  return bytes;
}
