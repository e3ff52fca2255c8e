/**
 * An imitation of a stream of the old public implementation, with its habits and faults: initial number 0,
 * established at the first SYN, segments of 4,096 bytes, no trimming, SACK that does not count as a duplicate,
 * eight transmissions, an end that abandons data, and FIN answered by FIN+ACK whatever it carried.
 */

import { Flag } from "../../../lib/wire/packet.ts";
import { decodeSack, encodeSack } from "../../../lib/wire/sack.ts";
import type { Instant } from "../../../lib/core/machine.ts";
import type { Segment, StreamEvent } from "../../../lib/core/stream/stream.ts";

interface Sent {
  readonly sequence: number;
  readonly payload: Uint8Array;
  at: Instant;
  count: number;
  sacked: boolean;
}

const EMPTY: Uint8Array = new Uint8Array(0);
const WINDOW_BYTES = 40_960;
const RTO = 300;

export class OldNode {
  state: "SYN_SENT" | "ESTABLISHED" | "TIME_WAIT" | "CLOSED";
  readonly answersToFin: Segment[] = [];
  #next = 1;
  #acked = 1;
  #peerWindow = 0;
  #receiveNext = 0;
  #synAt: Instant;
  #synDelay = 1_000;
  #pending: Uint8Array = EMPTY;
  #duplicates = 0;
  #ackAt: Instant | undefined;
  #waiting = 0;
  #activity: Instant;
  readonly #sent: Sent[] = [];
  readonly #early = new Map<number, Uint8Array>();
  readonly #queue: Uint8Array[] = [];
  readonly #out: Segment[] = [];
  readonly #events: StreamEvent[] = [];

  constructor(syn: Segment | undefined, now: Instant) {
    this.#synAt = this.#activity = now;
    this.state = syn === undefined ? "SYN_SENT" : "ESTABLISHED";
    if (syn === undefined) {
      this.#out.push(this.#make(Flag.SYN, 0));
    } else {
      this.#receiveNext = (syn.sequence + 1) >>> 0;
      this.#peerWindow = syn.window * 4096;
      this.#out.push(this.#make(Flag.SYN | Flag.ACK, 0));
      this.#events.push({ type: "connected" });
    }
  }

  handleSegment(lent: Segment, now: Instant): void {
    const segment = { ...lent, payload: lent.payload.slice() };
    const { flags } = segment;
    if (this.state === "CLOSED") return;
    if (flags === Flag.SYN) {
      if (this.state !== "SYN_SENT") this.#out.push(this.#make(Flag.SYN | Flag.ACK, this.#next - 1));
    } else if ((flags & Flag.SYN) !== 0) {
      this.#open(segment);
    } else if ((flags & Flag.FIN) !== 0) {
      const answer = { ...this.#make(Flag.FIN | Flag.ACK, this.#next), window: 0 };
      this.answersToFin.push(answer);
      this.#out.push({ ...answer, acknowledgement: (segment.sequence + 1) >>> 0 });
      this.#end();
    } else if ((flags & Flag.RST) !== 0) {
      this.state = "CLOSED";
      this.#events.push({ type: "closed", reason: "reset" });
    } else if ((flags & Flag.ACK) !== 0) {
      this.#activity = now;
      this.#handleAck(segment, now);
    }
  }

  handleTimeout(now: Instant): void {
    if (this.state === "SYN_SENT" && now >= this.#synAt + this.#synDelay) {
      this.#synAt = now;
      this.#synDelay = Math.min(8_000, 2 * this.#synDelay);
      this.#out.push(this.#make(Flag.SYN, 0));
    }
    if (this.#ackAt !== undefined && now >= this.#ackAt) this.#ack();
    if (this.state !== "ESTABLISHED") return;
    const first = this.#sent.find((sent) => !sent.sacked);
    if (first !== undefined && now >= first.at + RTO) this.#repeat(first, now);
    if (now >= this.#activity + 30_000) {
      this.#activity += 15_000;
      this.#out.push({ ...this.#make(Flag.ACK, this.#next), window: 0 });
    }
  }

  pollTimeout(): Instant | undefined {
    if (this.state === "SYN_SENT") return this.#synAt + this.#synDelay;
    if (this.state !== "ESTABLISHED") return this.#ackAt;
    const first = this.#sent.find((sent) => !sent.sacked);
    const times = [this.#activity + 30_000, this.#ackAt, first === undefined ? undefined : first.at + RTO];
    return Math.min(...times.filter((at) => at !== undefined));
  }

  pollTransmit(now: Instant): Segment | undefined {
    const control = this.#out.shift();
    if (control !== undefined) return control;
    const limit = this.#peerWindow > 0 ? Math.min(WINDOW_BYTES, this.#peerWindow) : WINDOW_BYTES;
    const inFlight = this.#sent.reduce((sum, { payload }) => sum + payload.length, 0);
    if (this.state !== "ESTABLISHED" || this.#pending.length === 0 || inFlight >= limit) return undefined;
    const payload = this.#pending.slice(0, 4096);
    this.#pending = this.#pending.subarray(payload.length);
    this.#sent.push({ sequence: this.#next, payload, at: now, count: 1, sacked: false });
    const segment = this.#make(Flag.ACK, this.#next, payload);
    this.#next += payload.length;
    this.#waiting = 0;
    this.#ackAt = undefined;
    return segment;
  }

  pollEvent(): StreamEvent | undefined {
    return this.#events.shift();
  }

  write(data: Uint8Array, _now: Instant): number {
    if (this.#pending.length > 0) return 0;
    this.#pending = data.slice(0, 65_536);
    return this.#pending.length;
  }

  read(_now: Instant): Uint8Array | undefined {
    return this.#queue.shift();
  }

  /** Abandons what is not acknowledged. */
  shutdown(_now: Instant): void {
    if (this.state === "ESTABLISHED") {
      this.#out.push({ ...this.#make(Flag.FIN, this.#next), acknowledgement: 0, window: 0 });
    }
    this.#end();
  }

  get isDrained(): boolean {
    return this.#pending.length === 0 && this.#sent.length === 0;
  }

  #open(segment: Segment): void {
    if (this.state !== "SYN_SENT") return;
    this.state = "ESTABLISHED";
    this.#receiveNext = (segment.sequence + 1) >>> 0;
    this.#peerWindow = segment.window * 4096;
    this.#out.push(this.#make(Flag.ACK, this.#next));
    this.#events.push({ type: "connected" });
  }

  #end(): void {
    if (this.state === "TIME_WAIT") return;
    this.state = "TIME_WAIT";
    this.#sent.length = 0;
    this.#events.push({ type: "finished" }, { type: "closed", reason: "done" });
  }

  #handleAck(segment: Segment, now: Instant): void {
    this.#peerWindow = segment.window * 4096;
    const { acknowledgement, payload } = segment;
    if (((acknowledgement - this.#acked) | 0) > 0) {
      this.#acked = acknowledgement;
      this.#duplicates = 0;
      while (
        this.#sent[0] !== undefined &&
        this.#sent[0].sequence + this.#sent[0].payload.length <= acknowledgement
      ) {
        this.#sent.shift();
      }
      for (const sent of this.#sent) sent.sacked = false;
    } else if (acknowledgement === this.#acked && payload.length === 0 && ++this.#duplicates === 3) {
      const first = this.#sent.find((sent) => !sent.sacked);
      if (first !== undefined) this.#repeat(first, now);
    }
    const blocks = decodeSack(payload);
    for (const sent of this.#sent) {
      const end = sent.sequence + sent.payload.length;
      if (blocks?.some(({ left, right }) => left <= sent.sequence && end <= right)) sent.sacked = true;
    }
    if (blocks === undefined && payload.length > 0 && this.state === "ESTABLISHED") {
      this.#handleData(segment, now);
    }
  }

  #handleData({ sequence, payload }: Segment, now: Instant): void {
    const distance = (sequence - this.#receiveNext) | 0;
    if (distance === 0) {
      this.#deliver(payload);
      for (let next = this.#early.get(this.#receiveNext); next; next = this.#early.get(this.#receiveNext)) {
        this.#early.delete(this.#receiveNext);
        this.#deliver(next);
      }
    } else if (distance > 0 && this.#early.size < 128 && !this.#early.has(sequence)) {
      this.#early.set(sequence, payload);
    }
    if (this.#early.size > 0 || ++this.#waiting >= 2) this.#ack();
    else this.#ackAt ??= now + 40;
  }

  #deliver(payload: Uint8Array): void {
    this.#receiveNext = (this.#receiveNext + payload.length) >>> 0;
    this.#queue.push(payload);
    this.#events.push({ type: "readable" });
  }

  #ack(): void {
    this.#waiting = 0;
    this.#ackAt = undefined;
    const blocks: { left: number; right: number }[] = [];
    for (const [left, payload] of [...this.#early].sort(([a], [b]) => (a - b) | 0)) {
      const right = (left + payload.length) >>> 0;
      const last = blocks.at(-1);
      if (last !== undefined && last.right === left) last.right = right;
      else blocks.push({ left, right });
    }
    this.#out.push(this.#make(Flag.ACK, this.#next, encodeSack(blocks)));
  }

  #repeat(sent: Sent, now: Instant): void {
    if (sent.count >= 8) {
      this.state = "CLOSED";
      this.#out.push({ flags: Flag.RST, sequence: 0, acknowledgement: 0, window: 0, payload: EMPTY });
      this.#events.push({ type: "closed", reason: "unreachable" });
      return;
    }
    sent.count++;
    sent.at = now;
    this.#out.push(this.#make(Flag.ACK, sent.sequence, sent.payload));
  }

  #make(flags: number, sequence: number, payload = EMPTY): Segment {
    const window = Math.max(0, 512 - this.#queue.length);
    return { flags, sequence, acknowledgement: flags === Flag.SYN ? 0 : this.#receiveNext, window, payload };
  }
}
