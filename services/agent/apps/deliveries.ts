/** From a frame of a peer to a file of this agent, and what the peer is told about it. */

import { acknowledgementText, type DataFrame, DataType, decodeFilePayload } from "../../../lib/wire/apps.ts";
import { type Inbox, type MessageType, type Sender, storeFailureReason } from "../inbox.ts";
import type { ServiceLog } from "./service.ts";

/** The part of the inbox that services write to. */
export type MessageStore = Pick<Inbox, "store" | "storeFile">;

/** A peer sends its data, wrapped in when it sent them: `inner type 4 | sent ns 8 | inner payload`. */
const TRACE_TYPE = 5;
const TRACE_HEADER = 12;

/** Stores what peers send. */
export class Deliveries {
  readonly #store: MessageStore;
  readonly #log: ServiceLog | undefined;

  constructor(store: MessageStore, log?: ServiceLog) {
    this.#store = store;
    this.#log = log;
  }

  /** Stores a frame and returns the text that answers it, `ACK ...` or `ERR ...`. Never rejects. */
  async accept(frame: DataFrame, sender: Sender): Promise<string> {
    const content = unwrapTrace(frame);
    try {
      return acknowledgementText(content, await this.#save(content, sender));
    } catch (error) {
      const reason = storeFailureReason(error);
      const detail = error instanceof Error ? error.message : String(error);
      // A full quota is the peer's doing, anything else is news for the operator.
      const level = reason === "quota" ? "debug" : "warn";
      this.#log?.[level]("could not store what a peer sent", { from: sender.from, reason: detail });
      return acknowledgementText(content, reason);
    }
  }

  /** Returns why the frame was not stored, `undefined` when all is well. */
  async #save(frame: DataFrame, sender: Sender): Promise<string | undefined> {
    const type = messageType(frame.type);
    if (type !== undefined) {
      const { name } = await this.#store.store({ ...sender, type, payload: frame.payload });
      this.#log?.debug("message received", { from: sender.from, bytes: frame.payload.length, file: name });
      return undefined;
    }
    if (frame.type !== DataType.FILE) return "unsupported type";
    const file = decodeFilePayload(frame.payload);
    if (file.name === "") return undefined; // as every receiver: nothing to store it under, but acknowledged
    const { name } = await this.#store.storeFile(file);
    this.#log?.debug("file received", { from: sender.from, bytes: file.data.length, file: name });
    return undefined;
  }
}

function unwrapTrace(frame: DataFrame): DataFrame {
  const { type, payload } = frame;
  if (type !== TRACE_TYPE || payload.length < TRACE_HEADER) return frame;
  const inner = new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0);
  return { type: inner, payload: payload.subarray(TRACE_HEADER) };
}

function messageType(type: number): MessageType | undefined {
  switch (type) {
    case DataType.TEXT:
      return "TEXT";
    case DataType.BINARY:
      return "BINARY";
    case DataType.JSON:
      return "JSON";
    default:
      return undefined;
  }
}
