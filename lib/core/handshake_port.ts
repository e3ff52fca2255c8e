/**
 * Port 444: one JSON document per stream, no framing, no answer on the same stream.
 */

import { concatBytes } from "../wire/bytes.ts";
import { type HandshakeDocument, parseHandshake } from "../wire/handshake.ts";
import { HANDSHAKE_READ_LIMIT, HANDSHAKE_WAIT_MS } from "./constants.ts";
import type { Instant } from "./machine.ts";
import type { PortsEvent } from "./stream/ports.ts";
import { Timers } from "./timers.ts";

/** The streams the handshake port works on. */
export interface HandshakeStreams {
  write(id: number, data: Uint8Array, now: Instant): number;
  read(id: number, now: Instant): Uint8Array | undefined;
  shutdown(id: number, now: Instant): void;
  abort(id: number, now: Instant): void;
}

type DocumentKind = HandshakeDocument["type"];

/** What the handshake port tells the node. */
export type HandshakeEvent =
  | { readonly type: "document"; readonly peer: number; readonly document: Uint8Array }
  | {
    readonly type: "delivery";
    readonly peer: number;
    readonly kind: DocumentKind;
    readonly delivered: boolean;
  };

interface Delivery {
  readonly peer: number;
  readonly kind: DocumentKind;
  readonly document: Uint8Array;
  written: boolean;
}

interface Receipt {
  readonly peer: number;
  chunks: Uint8Array[];
  size: number;
}

/** Inbound documents that may arrive at once; a further stream is reset. */
const RECEIPTS = 256;

/** Deliveries and receipts of handshake documents. */
export class HandshakePort {
  readonly #streams: HandshakeStreams;
  readonly #deliveries = new Map<number, Delivery>();
  readonly #receipts = new Map<number, Receipt>();
  readonly #deadlines = new Timers<number>();
  readonly #events: HandshakeEvent[] = [];

  constructor(streams: HandshakeStreams) {
    this.#streams = streams;
  }

  /** The dialled stream `id` is to carry `document`. */
  deliver(
    id: number,
    delivery: { readonly peer: number; readonly kind: DocumentKind; readonly document: Uint8Array },
  ): void {
    this.#deliveries.set(id, { ...delivery, written: false });
  }

  /** The accepted stream `id` is expected to bring a document of `peer`. */
  accept(id: number, peer: number, now: Instant): void {
    if (this.#receipts.size >= RECEIPTS) return this.#streams.abort(id, now);
    this.#receipts.set(id, { peer, chunks: [], size: 0 });
    this.#deadlines.set(id, now + HANDSHAKE_WAIT_MS);
    this.#read(id, now);
  }

  /** Whether the stream is one of this port's. */
  owns(id: number): boolean {
    return this.#deliveries.has(id) || this.#receipts.has(id);
  }

  handleStream(event: PortsEvent, now: Instant): void {
    const delivery = this.#deliveries.get(event.id);
    if (delivery !== undefined) return this.#progress(event, delivery, now);
    if (event.type === "readable") this.#read(event.id, now);
    else if (event.type === "finished") this.#finish(event.id, now);
    else if (event.type === "closed") this.#forget(event.id);
  }

  handleTimeout(now: Instant): void {
    for (let id = this.#deadlines.popDue(now); id !== undefined; id = this.#deadlines.popDue(now)) {
      this.#streams.abort(id, now);
      this.#forget(id);
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#deadlines.next();
  }

  pollEvent(): HandshakeEvent | undefined {
    return this.#events.shift();
  }

  #progress(event: PortsEvent, delivery: Delivery, now: Instant): void {
    if (event.type === "connected" && !delivery.written) {
      delivery.written = this.#streams.write(event.id, delivery.document, now) === delivery.document.length;
      this.#streams.shutdown(event.id, now);
    } else if (event.type === "closed") {
      this.#deliveries.delete(event.id);
      // A foreign node resets or ignores what follows its document; `done` means that all of it was acknowledged.
      this.#report(delivery, delivery.written && event.reason === "done");
    }
  }

  #report(delivery: Delivery, delivered: boolean): void {
    this.#events.push({ type: "delivery", peer: delivery.peer, kind: delivery.kind, delivered });
  }

  #read(id: number, now: Instant): void {
    const receipt = this.#receipts.get(id);
    if (receipt === undefined) return;
    for (let chunk = this.#streams.read(id, now); chunk !== undefined; chunk = this.#streams.read(id, now)) {
      receipt.chunks.push(chunk);
      receipt.size += chunk.length;
      if (receipt.size > HANDSHAKE_READ_LIMIT) {
        this.#streams.abort(id, now);
        return this.#forget(id);
      }
    }
    if (receipt.size > 0 && parseHandshake(concatBytes(...receipt.chunks)) !== "json") this.#finish(id, now);
  }

  #finish(id: number, now: Instant): void {
    const receipt = this.#receipts.get(id);
    if (receipt === undefined) return;
    this.#forget(id);
    this.#streams.shutdown(id, now);
    if (receipt.size === 0) return;
    this.#events.push({ type: "document", peer: receipt.peer, document: concatBytes(...receipt.chunks) });
  }

  #forget(id: number): void {
    this.#receipts.delete(id);
    this.#deadlines.set(id, undefined);
  }
}
