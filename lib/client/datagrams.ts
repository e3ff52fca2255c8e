/** Datagrams from the agent to everybody in this program who listens. */

import type { Address } from "../wire/address.ts";
import { AsyncQueue } from "./async_queue.ts";

/** Datagrams kept for one listener that does not take them; newer ones are lost. */
const MAX_WAITING = 1024;

/** An unreliable message from a peer. */
export interface ClientDatagram {
  readonly source: Address;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly data: Uint8Array;
}

/** Gives each subscriber all datagrams from its start on. */
export class DatagramHub {
  readonly #queues = new Set<AsyncQueue<ClientDatagram>>();
  #closed = false;

  /** A datagram has arrived. */
  publish(datagram: ClientDatagram): void {
    for (const queue of this.#queues) if (queue.weight < MAX_WAITING) queue.push(datagram);
  }

  /** No more will arrive: loops end, or fail with `error`. */
  end(error?: Error): void {
    this.#closed = true;
    for (const queue of this.#queues) queue.end(error);
  }

  /** All datagrams from now on, until the loop is left. */
  subscribe(): AsyncGenerator<ClientDatagram> {
    const queue = new AsyncQueue<ClientDatagram>();
    if (this.#closed) queue.end();
    else this.#queues.add(queue);
    return this.#take(queue);
  }

  async *#take(queue: AsyncQueue<ClientDatagram>): AsyncGenerator<ClientDatagram> {
    try {
      for (let item = await queue.next(); item !== null; item = await queue.next()) yield item;
    } finally {
      this.#queues.delete(queue);
    }
  }
}
