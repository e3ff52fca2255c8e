/**
 * What a stream tells its application, in order and without repetition.
 */

import type { CloseReason } from "./state.ts";

/** What happened to a stream. */
export type StreamEvent =
  /** The stream is open: the handshake is complete, or as good as that (`StreamCore.isOpenEarly`). */
  | { readonly type: "connected" }
  /** Data waits: read until `undefined`. */
  | { readonly type: "readable" }
  /** A write that did not take everything may go on. */
  | { readonly type: "writable" }
  /** The peer's end, after all of its data was read. */
  | { readonly type: "finished" }
  /** The stream is over; the last event. */
  | { readonly type: "closed"; readonly reason: CloseReason };

const CONNECTED = { type: "connected" } as const;
const READABLE = { type: "readable" } as const;
const WRITABLE = { type: "writable" } as const;
const FINISHED = { type: "finished" } as const;

/** The events that were not yet taken. Their number is bounded: each kind waits at most once. */
export class StreamEvents {
  readonly #waiting: StreamEvent[] = [];
  #saidFinished = false;
  #saidClosed = false;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Whether the last event was given. */
  get isClosed(): boolean {
    return this.#saidClosed;
  }

  /** Adds an event unless one of its kind waits. */
  say(type: "connected" | "readable" | "writable"): void {
    const event = type === "readable" ? READABLE : type === "writable" ? WRITABLE : CONNECTED;
    if (!this.#saidClosed && !this.#waiting.includes(event)) this.#waiting.push(event);
  }

  /** The peer ended and all was read. */
  finish(): void {
    if (this.#saidFinished || this.#saidClosed) return;
    this.#saidFinished = true;
    this.#waiting.push(FINISHED);
  }

  close(reason: CloseReason): void {
    if (this.#saidClosed) return;
    this.#saidClosed = true;
    this.#waiting.push({ type: "closed", reason });
  }

  poll(): StreamEvent | undefined {
    return this.#waiting.length === 0 ? undefined : this.#waiting.shift();
  }
}
