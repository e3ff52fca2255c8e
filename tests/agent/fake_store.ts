/** A message store in memory that can be told to fail. */

import type { MessageStore } from "../../services/agent/apps/deliveries.ts";
import type { IncomingMessage, Stored } from "../../services/agent/inbox.ts";

/** Keeps what it is given, in order. */
export class FakeStore implements MessageStore {
  readonly messages: IncomingMessage[] = [];
  readonly files: { name: string; data: Uint8Array }[] = [];
  /** When set, storing rejects with it. */
  failure: Error | undefined;

  store(message: IncomingMessage): Promise<Stored> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.messages.push(message);
    return Promise.resolve({ id: "1", name: "message" });
  }

  storeFile(file: { name: string; data: Uint8Array }): Promise<Stored> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.files.push(file);
    return Promise.resolve({ id: "1", name: "file" });
  }

  /** Type and text of each message. */
  get texts(): string[] {
    return this.messages.map(({ type, payload }) => `${type} ${new TextDecoder().decode(payload)}`);
  }
}
