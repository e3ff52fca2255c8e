/**
 * What a stream tells its application, in order and without repetition.
 */

import type { CloseReason } from "./state.ts";

/** What happened to a stream. */
export type StreamEvent =
  /** The handshake is complete. */
  | { readonly type: "connected" }
  /** Data waits: read until `undefined`. */
  | { readonly type: "readable" }
  /** A write that did not take everything may go on. */
  | { readonly type: "writable" }
  /** The peer's end, after all of its data was read. */
  | { readonly type: "finished" }
  /** The stream is over; the last event. */
  | { readonly type: "closed"; readonly reason: CloseReason };

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
    if (!this.#saidClosed && !this.#waiting.some((event) => event.type === type)) {
      this.#waiting.push({ type });
    }
  }

  /** The peer ended and all was read. */
  finish(): void {
    if (this.#saidFinished || this.#saidClosed) return;
    this.#saidFinished = true;
    this.#waiting.push({ type: "finished" });
  }

  close(reason: CloseReason): void {
    if (this.#saidClosed) return;
    this.#saidClosed = true;
    this.#waiting.push({ type: "closed", reason });
  }

  poll(): StreamEvent | undefined {
    return this.#waiting.shift();
  }
}
