/** A listener in memory. */

import type { AgentListener, AgentStream } from "../../services/agent/api.ts";

/** Inbound streams in the order of the dials. */
export class FakeListener implements AgentListener {
  readonly port: number;
  readonly #onClose: () => void;
  readonly #queue: AgentStream[] = [];
  #waiting: ((stream: AgentStream | null) => void) | undefined;
  #closed = false;

  constructor(port: number, onClose: () => void) {
    this.port = port;
    this.#onClose = onClose;
  }

  offer(stream: AgentStream): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#queue.push(stream);
    else waiting(stream);
  }

  accept(): Promise<AgentStream | null> {
    const stream = this.#queue.shift();
    if (stream !== undefined) return Promise.resolve(stream);
    if (this.#closed) return Promise.resolve(null);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    this.#waiting?.(null);
  }
}
