/** What a beacon wants to send: a queue that a flood cannot make grow. */

/** Entries and bytes that may wait; more are dropped, newest first. */
const MAX_QUEUED = 4096;
const MAX_QUEUED_BYTES = 16 << 20;

/** A bounded queue of messages. */
export class Outbox<Message extends { readonly data: Uint8Array }> {
  readonly #queue: Message[] = [];
  #bytes = 0;

  get length(): number {
    return this.#queue.length;
  }

  /** Adds a message; false when there is no room for it. */
  push(message: Message): boolean {
    const bytes = this.#bytes + message.data.length;
    if (this.#queue.length >= MAX_QUEUED || bytes > MAX_QUEUED_BYTES) return false;
    this.#bytes = bytes;
    this.#queue.push(message);
    return true;
  }

  shift(): Message | undefined {
    const message = this.#queue.shift();
    if (message !== undefined) this.#bytes -= message.data.length;
    return message;
  }
}
