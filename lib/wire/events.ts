/**
 * Event stream, port 1002: `topic length 2 | topic | payload length 4 | payload`, the same in both directions. The
 * first event of a connection subscribes to its topic, later ones publish. Topics are compared byte by byte.
 */

import { ByteQueue } from "./byte_queue.ts";
import { concatBytes } from "./bytes.ts";
import { requireUint, uint16Bytes, uint32Bytes } from "./uint.ts";

/** Longest topic, in bytes. */
export const MAX_TOPIC = 1024;
/** Longest payload, in bytes. */
export const MAX_EVENT_PAYLOAD = 16 * 1024 * 1024;

/** One event; both fields are raw bytes, the topic is usually UTF-8. */
export interface EventMessage {
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
}

/** The bytes of an event. @throws RangeError when topic or payload is too long */
export function encodeEvent(event: EventMessage): Uint8Array<ArrayBuffer> {
  requireUint("topic length", event.topic.length, MAX_TOPIC);
  requireUint("payload length", event.payload.length, MAX_EVENT_PAYLOAD);
  return concatBytes(
    uint16Bytes(event.topic.length),
    event.topic,
    uint32Bytes(event.payload.length),
    event.payload,
  );
}

/** Cuts a byte stream into events, however it was fragmented. */
export class EventReader {
  readonly #maxPayload: number;
  readonly #queue = new ByteQueue();
  #failed = false;

  /** `maxPayload` is the longest payload accepted, in bytes. */
  constructor(maxPayload: number = MAX_EVENT_PAYLOAD) {
    this.#maxPayload = maxPayload;
  }

  /**
   * The events completed by `chunk`. `"too-long"`, now and ever after, once a longer topic or payload is announced
   * and all events before it were returned.
   */
  push(chunk: Uint8Array): EventMessage[] | "too-long" {
    if (this.#failed) return "too-long";
    this.#queue.push(chunk);
    const events: EventMessage[] = [];
    while (true) {
      const event = this.#next();
      if (event === undefined) return events;
      if (event === "too-long") {
        this.#failed = true;
        this.#queue.clear();
        return events.length > 0 ? events : "too-long";
      }
      events.push(event);
    }
  }

  /** Whether a topic or payload longer than allowed was announced. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Bytes of an unfinished event. */
  get pendingBytes(): number {
    return this.#queue.length;
  }

  #next(): EventMessage | "too-long" | undefined {
    if (this.#queue.length < 2) return undefined;
    const topicLength = this.#queue.uint16(0);
    if (topicLength > MAX_TOPIC) return "too-long";
    if (this.#queue.length < 6 + topicLength) return undefined;
    const payloadLength = this.#queue.uint32(2 + topicLength);
    if (payloadLength > this.#maxPayload) return "too-long";
    if (this.#queue.length < 6 + topicLength + payloadLength) return undefined;
    this.#queue.take(2);
    const topic = this.#queue.take(topicLength);
    this.#queue.take(4);
    return { topic, payload: this.#queue.take(payloadLength) };
  }
}
