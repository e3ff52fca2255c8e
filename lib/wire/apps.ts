/**
 * Data exchange, port 1001: `type 4 | length 4 | payload`, any number in both directions. A FILE payload is
 * `name length 2 | name | data`. A receiver answers each frame with a TEXT frame.
 */

import { ByteQueue } from "./byte_queue.ts";
import { concatBytes, decodeStrictUtf8, decodeUtf8, encodeUtf8 } from "./bytes.ts";
import { requireUint, uint16Bytes, uint32Bytes, viewOf } from "./uint.ts";

/** Frame types with a meaning. */
export const DataType = { TEXT: 1, BINARY: 2, JSON: 3, FILE: 4 } as const;

/** Longest payload, in bytes. */
export const MAX_DATA_PAYLOAD = 16 * 1024 * 1024;

/** One frame; `type` is one of {@linkcode DataType} or a number unknown to this code. */
export interface DataFrame {
  readonly type: number;
  readonly payload: Uint8Array;
}

/** The bytes of a frame. @throws RangeError when the type or the payload is too large */
export function encodeDataFrame(frame: DataFrame): Uint8Array<ArrayBuffer> {
  requireUint("payload length", frame.payload.length, MAX_DATA_PAYLOAD);
  return concatBytes(uint32Bytes(frame.type), uint32Bytes(frame.payload.length), frame.payload);
}

/** Cuts a byte stream into frames, however it was fragmented. */
export class DataFrameReader {
  readonly #maxLength: number;
  readonly #queue = new ByteQueue();
  #failed = false;

  /** `maxLength` is the longest payload accepted, in bytes. */
  constructor(maxLength: number = MAX_DATA_PAYLOAD) {
    this.#maxLength = maxLength;
  }

  /**
   * The frames completed by `chunk`. `"too-long"`, now and ever after, once a longer payload is announced and all
   * frames before it were returned.
   */
  push(chunk: Uint8Array): DataFrame[] | "too-long" {
    if (this.#failed) return "too-long";
    this.#queue.push(chunk);
    const frames: DataFrame[] = [];
    while (this.#queue.length >= 8) {
      const type = this.#queue.uint32(0);
      const length = this.#queue.uint32(4);
      if (length > this.#maxLength) {
        this.#failed = true;
        this.#queue.clear();
        return frames.length > 0 ? frames : "too-long";
      }
      if (this.#queue.length < 8 + length) break;
      this.#queue.take(8);
      frames.push({ type, payload: this.#queue.take(length) });
    }
    return frames;
  }

  /** Whether a payload longer than allowed was announced. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Bytes of an unfinished frame. */
  get pendingBytes(): number {
    return this.#queue.length;
  }
}

/** `TEXT`, `BINARY`, `JSON`, `FILE` or, for example, `UNKNOWN(9)`. */
export function frameTypeName(type: number): string {
  switch (type) {
    case DataType.TEXT:
      return "TEXT";
    case DataType.BINARY:
      return "BINARY";
    case DataType.JSON:
      return "JSON";
    case DataType.FILE:
      return "FILE";
    default:
      return `UNKNOWN(${type})`;
  }
}

/** A file with its name, as sent: the receiver must not trust the name as a path. */
export interface FilePayload {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Payload of a FILE frame. @throws RangeError when the name has more than 65535 bytes */
export function encodeFilePayload(file: FilePayload): Uint8Array<ArrayBuffer> {
  const name = encodeUtf8(file.name);
  return concatBytes(uint16Bytes(name.length), name, file.data);
}

/** Splits a FILE payload; when the name does not fit, all is data and the name empty. `data` is a view. */
export function decodeFilePayload(payload: Uint8Array): FilePayload {
  if (payload.length < 2) return { name: "", data: payload };
  const end = 2 + viewOf(payload).getUint16(0);
  if (end > payload.length) return { name: "", data: payload };
  return { name: decodeUtf8(payload.subarray(2, end)), data: payload.subarray(end) };
}

/**
 * The text a receiver answers a frame with: `ACK TEXT 5 bytes`, where a FILE counts its data only, or with a
 * `failure` `ERR TEXT save failed: <failure>`.
 */
export function acknowledgementText(frame: DataFrame, failure?: string): string {
  const name = frameTypeName(frame.type);
  if (failure !== undefined) return `ERR ${name} save failed: ${failure}`;
  const data = frame.type === DataType.FILE ? decodeFilePayload(frame.payload).data : frame.payload;
  return `ACK ${name} ${data.length} bytes`;
}

/** What unframed bytes are, as a frame: JSON when they parse as an object or array, TEXT when they are UTF-8. */
export function frameOf(payload: Uint8Array): DataFrame {
  const text = decodeStrictUtf8(payload);
  if (text === undefined) return { type: DataType.BINARY, payload };
  return { type: isJsonContainer(text) ? DataType.JSON : DataType.TEXT, payload };
}

function isJsonContainer(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
