/** Events on their way to one local client: in order, and never more than a bounded number of them. */

import { SUBSCRIBED } from "../../../lib/client/events.ts";
import type { MessageWriter } from "../../../lib/io/message_writer.ts";
import { Command } from "../../../lib/wire/ipc.ts";
import type { AgentApi, AgentEvent } from "../api.ts";
import { jsonReply } from "./replies.ts";

/** Events kept for a client that does not read; then the oldest are lost, and a `lost` event says how many. */
export const MAX_WAITING_EVENTS = 1024;

/**
 * Bytes in the socket's queue above which events wait here instead: a client that reads none must not fill the queue,
 * which would count as being dead.
 */
const QUEUE_SHARE = 64 * 1024;

/** The subscription of one client. */
export class EventFeed {
  readonly #writer: MessageWriter;
  readonly #stop: () => void;
  readonly #waiting: AgentEvent[] = [];
  #lost = 0;
  #open = false;
  #writing = false;
  #stopped = false;

  /** Collects events from now on; they leave once `open` was called. */
  constructor(api: Pick<AgentApi, "onEvent">, writer: MessageWriter) {
    this.#writer = writer;
    this.#stop = api.onEvent((event) => this.#take(event));
  }

  /** The message that confirms the subscription. */
  static confirmation(): Uint8Array {
    return jsonReply(Command.EVENT, { type: SUBSCRIBED, time: Date.now() });
  }

  /** The confirmation is on its way: events may follow. */
  open(): void {
    this.#open = true;
    void this.#write();
  }

  /** Ends the subscription. */
  stop(): void {
    this.#stopped = true;
    this.#stop();
    this.#waiting.length = 0;
  }

  #take(event: AgentEvent): void {
    if (this.#waiting.length >= MAX_WAITING_EVENTS) {
      this.#waiting.shift();
      this.#lost++;
    }
    this.#waiting.push(event);
    void this.#write();
  }

  async #write(): Promise<void> {
    if (!this.#open || this.#writing) return;
    this.#writing = true;
    while (!this.#stopped) {
      if (this.#writer.queuedBytes > QUEUE_SHARE) await this.#writer.flushed();
      const event = this.#next();
      if (event === undefined || !await this.#writer.push(jsonReply(Command.EVENT, event))) break;
    }
    this.#writing = false;
  }

  #next(): AgentEvent | undefined {
    const first = this.#waiting[0];
    if (first === undefined || this.#lost === 0) return this.#waiting.shift();
    const count = this.#lost;
    this.#lost = 0;
    return { type: "lost", time: first.time, count };
  }
}
