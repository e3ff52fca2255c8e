/**
 * The sending half of a stream: buffer, segments, window, loss recovery, retransmission timer, zero-window probes.
 */

import type { Instant } from "../machine.ts";
import { isAfter, isBefore, sequenceAdd } from "../seq.ts";
import { ByteQueue } from "../../wire/byte_queue.ts";
import type { SackBlock } from "../../wire/sack.ts";
import { type CongestionController, type CongestionFactory, NewReno } from "./congestion.ts";
import { Nagle } from "./nagle.ts";
import { RoundTripTime } from "./rtt.ts";
import { LOSS_THRESHOLD, Scoreboard, type SentSegment } from "./scoreboard.ts";
import { MAX_OUTSTANDING, SEGMENT_SIZE } from "./segment.ts";

/** Bytes a writer may be ahead of the peer's acknowledgements unless configured. */
export const SEND_BUFFER = 1_048_576;
/** Data that is not acknowledged for this time ends the stream, milliseconds. */
export const GIVE_UP_MS = 60_000;
/** But not before so many transmissions: the time may have passed in sleep. */
const GIVE_UP_TRIES = 6;
/** First and longest distance of zero-window probes, milliseconds, and how many there are (Pilot Protocol). */
export const PROBE_FIRST_MS = 500;
export const PROBE_LONGEST_MS = 30_000;
export const MAX_PROBES = 30;

/** A piece of data to send: a new one, or exactly one that was sent before. */
export interface DataSegment {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** What an ACK packet of the peer says. */
export interface Acknowledgement {
  readonly number: number;
  /** Segments; absent on packets whose window field means nothing. */
  readonly window: number;
  readonly blocks: readonly SackBlock[];
  /** Whether the packet carried data. */
  readonly hasData: boolean;
}

/** Counters for operators. */
export interface SendStats {
  bytes: number;
  segments: number;
  retransmissions: number;
  fastRetransmissions: number;
  duplicates: number;
  sackBlocks: number;
}

/** What {@linkcode SendSide} is made with; the defaults are those of a stream. */
export interface SendOptions {
  /** Bytes. */
  readonly capacity?: number | undefined;
  readonly congestion?: CongestionFactory | undefined;
  /** Payload bytes of a full segment. */
  readonly segmentSize?: number | undefined;
}

/** The sending half. Knows nothing of SYN and FIN but the number of the first byte. */
export class SendSide {
  readonly stats: SendStats = {
    bytes: 0,
    segments: 0,
    retransmissions: 0,
    fastRetransmissions: 0,
    duplicates: 0,
    sackBlocks: 0,
  };
  readonly rtt = new RoundTripTime();
  readonly congestion: CongestionController;
  readonly #buffer = new ByteQueue();
  readonly #capacity: number;
  readonly #segmentSize: number;
  readonly #board = new Scoreboard();
  readonly #nagle: Nagle;
  #unacknowledged: number;
  #next: number;
  /** Segments the peer takes; `undefined` until it advertised any. */
  #window: number | undefined;
  #recovery: { readonly kind: "loss" | "timeout"; readonly until: number } | undefined;
  #duplicates = 0;
  #peerSacks = false;
  #limited = false;
  #urgentRepeat = false;
  #probes = 0;
  #probeDue = false;
  #deadline: Instant | undefined;
  #progressAt: Instant = 0;

  constructor(first: number, options: SendOptions = {}) {
    this.#unacknowledged = this.#next = first;
    this.#capacity = options.capacity ?? SEND_BUFFER;
    this.#segmentSize = options.segmentSize ?? SEGMENT_SIZE;
    this.congestion = options.congestion?.(this.#segmentSize) ?? new NewReno(this.#segmentSize);
    this.#nagle = new Nagle(first);
  }

  /** The number of the next new byte. */
  get next(): number {
    return this.#next;
  }

  /** The number of the first byte that is not acknowledged. */
  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  /** Bytes a write may add. */
  get room(): number {
    return this.#capacity - this.#buffer.length - this.#board.bytes;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Whether all that was written is acknowledged. */
  get isDrained(): boolean {
    return this.#buffer.length === 0 && this.#board.count === 0;
  }

  get inFlight(): number {
    return this.#board.inFlight;
  }

  /** Segments not acknowledged. */
  get outstanding(): number {
    return this.#board.count;
  }

  /** The peer's window in segments, 0 while unknown. */
  get window(): number {
    return this.#window ?? 0;
  }

  get inRecovery(): boolean {
    return this.#recovery !== undefined;
  }

  /** Copies as much of `data` as there is room for and returns the number of bytes. */
  write(data: Uint8Array): number {
    const taken = Math.min(data.length, Math.max(0, this.room));
    if (taken === 0) return 0;
    this.#buffer.push(taken === data.length ? data : data.subarray(0, taken));
    if (taken >= this.#segmentSize) this.flush();
    return taken;
  }

  /** Lets everything written so far leave without waiting for more. */
  flush(): void {
    this.#nagle.urge(sequenceAdd(this.#next, this.#buffer.length));
  }

  /** Takes the window of the peer's SYN or SYN+ACK. */
  open(window: number): void {
    if (window > 0) this.#window = window;
  }

  /** Takes an ACK packet in. Returns whether it acknowledged new data. Numbers that cannot be true are ignored. */
  acknowledge(packet: Acknowledgement, now: Instant): boolean {
    if (isBefore(packet.number, this.#unacknowledged) || isAfter(packet.number, this.#next)) return false;
    const before = { inFlight: this.#board.inFlight, count: this.#board.count, window: this.#window };
    const isNew = packet.number !== this.#unacknowledged;
    const minimumRtt = this.rtt.minimum ?? 0;
    this.#unacknowledged = packet.number;
    const bytes = this.#board.acknowledge(packet.number, now, minimumRtt);
    const sacked = this.#board.sack(packet.blocks, now, minimumRtt);
    this.stats.sackBlocks += packet.blocks.length;
    if (packet.blocks.length > 0) this.#peerSacks = true;
    const rtt = this.#board.takeSample();
    if (rtt !== undefined) this.rtt.sample(rtt);
    if (isNew || sacked > 0) {
      this.#progressAt = now;
      this.rtt.resetBackOff();
    }
    if (this.#updateWindow(packet, { isNew, hadOutstanding: before.count > 0 })) this.#progressAt = now;
    if (isNew) {
      this.#duplicates = 0;
      this.#probes = 0;
      this.#leaveRecovery();
      if (this.#recovery?.kind !== "loss") {
        const { inFlight } = before;
        this.congestion.onAcknowledged({ bytes, inFlight, rtt, limited: this.#limited, now });
      }
      this.#deadline = undefined;
    } else if (before.count > 0) {
      this.#countDuplicate(packet, before.window);
    }
    this.#recover({ isNew, inFlight: before.inFlight, now });
    this.#arm(now);
    return isNew;
  }

  /** The next segment that may be sent now. */
  poll(now: Instant): DataSegment | undefined {
    const segment = this.#pick(now);
    if (segment !== undefined) this.#arm(now);
    return segment;
  }

  /** When {@linkcode handleTimeout} or {@linkcode poll} has something to do. */
  get deadline(): Instant | undefined {
    const held = this.#nagle.deadline;
    if (held === undefined || this.#deadline === undefined) return held ?? this.#deadline;
    return Math.min(held, this.#deadline);
  }

  /** Looks at the clock. Returns `"unreachable"` when it is time to give the peer up. */
  handleTimeout(now: Instant): "unreachable" | undefined {
    if (this.#nagle.expire(now)) this.flush();
    if (this.#deadline === undefined || now < this.#deadline) return undefined;
    this.#deadline = undefined;
    if (this.#isBlocked) {
      if (this.#probes >= MAX_PROBES) return "unreachable";
      this.#probes++;
      this.#probeDue = true;
    } else {
      const tries = this.#board.first?.transmissions;
      if (tries === undefined) return undefined;
      if (now - this.#progressAt >= GIVE_UP_MS && tries >= GIVE_UP_TRIES) return "unreachable";
      this.#expire(now);
    }
    this.#arm(now);
    return undefined;
  }

  /** Forgets all data. */
  clear(): void {
    this.#buffer.clear();
    this.#board.clear();
    this.#deadline = undefined;
    this.#nagle.noteSent(this.#next, false);
  }

  /** The peer advertised a closed window, and there is something to send. */
  get #isBlocked(): boolean {
    return this.#window === 0 && (this.#board.count > 0 || this.#buffer.length > 0);
  }

  #expire(now: Instant): void {
    const first = this.#recovery?.kind !== "timeout";
    this.congestion.onTimeout(Math.min(this.#board.bytes, this.congestion.window), { first, now });
    this.#recovery = { kind: "timeout", until: this.#next };
    this.#duplicates = 0;
    this.#board.markAllLost(!first);
    this.rtt.backOff();
  }

  /**
   * A window counts once the peer has ever advertised one; an old node's keep-alive carries 0 without meaning it.
   * Returns whether a closed window opened.
   */
  #updateWindow(packet: Acknowledgement, was: { isNew: boolean; hadOutstanding: boolean }): boolean {
    const isOpening = this.#window === 0 && packet.window > 0;
    const isMeant = packet.window > 0 || (this.#window !== undefined && (was.isNew || was.hadOutstanding));
    if (isMeant) this.#window = packet.window;
    if (!isOpening) return false;
    // What was sent into the closed window was thrown away, which says nothing about the path.
    this.#board.markAllLost(false);
    this.#probes = 0;
    this.#probeDue = false;
    this.#deadline = undefined;
    return true;
  }

  /** RFC 5681 section 2; a peer that reports with SACK may repeat each report without, which counts once. */
  #countDuplicate(packet: Acknowledgement, window: number | undefined): void {
    const reports = packet.blocks.length > 0;
    const isBare = !packet.hasData && packet.window === window && !this.#peerSacks;
    if (!reports && !isBare) return;
    this.stats.duplicates++;
    this.#duplicates++;
  }

  #leaveRecovery(): void {
    if (this.#recovery !== undefined && !isBefore(this.#unacknowledged, this.#recovery.until)) {
      this.#recovery = undefined;
    }
  }

  /** Finds out what is lost, and reduces the window once per flight. */
  #recover(packet: { isNew: boolean; inFlight: number; now: Instant }): void {
    // Who does not report what it holds may hold what looks overtaken.
    let lost = this.#peerSacks ? this.#board.detectLosses() : 0;
    const isThird = !packet.isNew && this.#duplicates === LOSS_THRESHOLD && !this.#peerSacks;
    // RFC 6582: without SACK an acknowledgement of a part shows the next hole.
    const isPartial = packet.isNew && this.#recovery?.kind === "loss" && !this.#peerSacks;
    if ((isThird || isPartial) && this.#board.markFirstLost()) {
      lost++;
      this.#urgentRepeat = true;
    }
    if (lost === 0 || this.#recovery !== undefined) return;
    this.congestion.onLoss(packet.inFlight, packet.now);
    this.#recovery = { kind: "loss", until: this.#next };
    this.#urgentRepeat = true;
  }

  #pick(now: Instant): DataSegment | undefined {
    if (this.#window === 0) return this.#probeDue ? this.#pollProbe(now) : undefined;
    const lost = this.#board.firstLost;
    if (lost === undefined) return this.#pollNew(now);
    this.#limited = !this.#urgentRepeat && !this.#fits(lost.payload.length);
    if (this.#limited) return undefined;
    this.#urgentRepeat = false;
    if (this.#recovery?.kind === "loss") this.stats.fastRetransmissions++;
    return this.#repeat(lost, now);
  }

  /** A probe is a whole segment that the peer takes if it has room by now. */
  #pollProbe(now: Instant): DataSegment | undefined {
    this.#probeDue = false;
    const first = this.#board.first;
    return first === undefined ? this.#cut(now) : this.#repeat(first, now);
  }

  #repeat(segment: SentSegment, now: Instant): DataSegment {
    this.#board.repeat(segment, now);
    if (segment === this.#board.first) this.#deadline = undefined;
    this.stats.retransmissions++;
    return segment;
  }

  #pollNew(now: Instant): DataSegment | undefined {
    const size = Math.min(this.#segmentSize, this.#buffer.length);
    this.#limited = false;
    if (size === 0 || this.#board.count >= Math.min(MAX_OUTSTANDING, this.#window ?? MAX_OUTSTANDING)) {
      return undefined;
    }
    this.#limited = !this.#fits(size);
    if (this.#limited) return undefined;
    const mayLeave = size === this.#segmentSize || this.#nagle.allows(this.#next, this.#unacknowledged, now);
    return mayLeave ? this.#cut(now) : undefined;
  }

  /** Makes the next new segment. Data that a receiver would take for SACK is cut behind its fourth byte. */
  #cut(now: Instant): DataSegment | undefined {
    const size = Math.min(this.#segmentSize, this.#buffer.length);
    if (size === 0) return undefined;
    const isAmbiguous = size > 4 && this.#buffer.uint32(0) === SACK_MAGIC;
    const payload = this.#buffer.take(isAmbiguous ? 4 : size);
    if (this.#board.count === 0) this.#progressAt = now;
    const segment = this.#board.push(this.#next, payload, now);
    this.#next = segment.end;
    this.#nagle.noteSent(segment.end, size < this.#segmentSize && !isAmbiguous);
    this.stats.bytes += payload.length;
    this.stats.segments++;
    return segment;
  }

  #fits(size: number): boolean {
    const { inFlight } = this.#board;
    return inFlight === 0 || inFlight + size <= this.congestion.window;
  }

  /** Starts the timer unless it runs (RFC 6298 section 5.1 to 5.3). */
  #arm(now: Instant): void {
    if (this.#isBlocked) {
      const distance = Math.max(PROBE_FIRST_MS, this.rtt.timeout) * 2 ** Math.min(this.#probes, 16);
      this.#deadline ??= now + Math.min(PROBE_LONGEST_MS, distance);
    } else if (this.#board.count === 0) {
      this.#deadline = undefined;
    } else {
      this.#deadline ??= now + this.rtt.timeout;
    }
  }
}

/** "SACK" as a number. */
const SACK_MAGIC = 0x5341434b;
