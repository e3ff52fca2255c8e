/**
 * Makes segments, and keeps those that are not data until they leave.
 */

import { sequenceAdd } from "../seq.ts";
import { Flag } from "../../wire/packet.ts";
import { encodeSack, type SackBlock } from "../../wire/sack.ts";
import type { ReceiveSide } from "./recv.ts";
import { NO_PAYLOAD, type Segment } from "./segment.ts";
import type { SendSide } from "./send.ts";

/** Control segments that may wait; more are never needed at a time. */
const MAX_WAITING = 8;

/** The segments of one stream. Numbers and window are those of the moment a segment is made. */
export class Outbox {
  readonly #send: SendSide;
  readonly #receive: ReceiveSide;
  readonly #waiting: Segment[] = [];
  /** Blocks of selective acknowledgements ever sent. */
  sackBlocks = 0;
  /** The peer's FIN was taken in. It has no sequence number, yet is confirmed by the number behind it. */
  isPeerFinished = false;

  constructor(send: SendSide, receive: ReceiveSide) {
    this.#send = send;
    this.#receive = receive;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  shift(): Segment | undefined {
    return this.#waiting.shift();
  }

  push(segment: Segment): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(segment);
  }

  clear(): void {
    this.#waiting.length = 0;
  }

  pushSyn(first: number): void {
    this.push(this.#opening(Flag.SYN, first, 0));
  }

  /** The acknowledgement of a SYN+ACK is that of the SYN, however often it is repeated. */
  pushSynAck(first: number, peerFirst: number): void {
    this.push(this.#opening(Flag.SYN | Flag.ACK, first, sequenceAdd(peerFirst, 1)));
  }

  pushReset(): void {
    this.push(this.#bare(Flag.RST));
  }

  /** An empty ACK with window 0, which every node takes for a sign of life and ours answer. */
  pushKeepAlive(): void {
    this.push({ ...this.#make(this.#send.next, NO_PAYLOAD), window: 0 });
  }

  /** A byte that the peer acknowledged before. It is thrown away, but confirmed. */
  pushProbe(): void {
    this.push(this.#make(sequenceAdd(this.#send.next, -1), new Uint8Array(1)));
  }

  data(sequence: number, payload: Uint8Array): Segment {
    return this.#make(sequence, payload);
  }

  ack(blocks: readonly SackBlock[]): Segment {
    this.sackBlocks += blocks.length;
    return this.#make(this.#send.next, blocks.length === 0 ? NO_PAYLOAD : encodeSack(blocks));
  }

  /** FIN carries no acknowledgement: with one it would count as the answer to the peer's. */
  fin(): Segment {
    return this.#bare(Flag.FIN);
  }

  #make(sequence: number, payload: Uint8Array): Segment {
    const acknowledgement = sequenceAdd(this.#receive.next, this.isPeerFinished ? 1 : 0);
    return { flags: Flag.ACK, sequence, acknowledgement, window: this.#receive.advertise(), payload };
  }

  #opening(flags: number, sequence: number, acknowledgement: number): Segment {
    return {
      flags,
      sequence,
      acknowledgement,
      window: this.#receive.advertiseOpening(),
      payload: NO_PAYLOAD,
    };
  }

  #bare(flags: number): Segment {
    return { flags, sequence: this.#send.next, acknowledgement: 0, window: 0, payload: NO_PAYLOAD };
  }
}
