/**
 * The sending half of a stream: buffer, segments, window, pace, retransmission timer, zero-window probes.
 */

import type { Instant } from "../machine.ts";
import { isAfter, isBefore, sequenceAdd } from "../seq.ts";
import type { SackBlock } from "../../wire/sack.ts";
import type { CongestionController } from "./congestion.ts";
import { defaultCongestion } from "./congestion_choice.ts";
import { earlier } from "./deadlines.ts";
import { Nagle } from "./nagle.ts";
import { Pacer } from "./pacer.ts";
import { PeerWindow } from "./peer_window.ts";
import { FOREIGN_PROFILE, isExtended, type TransportProfile } from "./profile.ts";
import { Progress } from "./progress.ts";
import { Recovery } from "./recovery.ts";
import { RetransmissionTimer } from "./retransmission_timer.ts";
import type { RoundTripTime } from "./rtt.ts";
import type { SentSegment } from "./scoreboard.ts";
import { beginsLikeSack } from "./sack_check.ts";
import { SEGMENT_SIZE } from "./segment.ts";
import { SendQueue } from "./send_queue.ts";
import {
  type Acknowledgement,
  cutAnew,
  type DataSegment,
  emptyStats,
  type SendOptions,
  type SendStats,
} from "./send_types.ts";

export type { Acknowledgement, DataSegment, SendOptions, SendStats } from "./send_types.ts";

/** Bytes a writer may be ahead of the peer's acknowledgements unless configured. */
export const SEND_BUFFER = 1_048_576;
/** Where a larger window was agreed on, a congestion window ahead of what was sent, and this in all. */
export const LARGEST_SEND_BUFFER = 67_108_864;
/** Data that is not acknowledged for this time ends the stream, milliseconds. */
export const GIVE_UP_MS = 60_000;
/** But not before so many transmissions: the time may have passed in sleep. */
const GIVE_UP_TRIES = 6;
/** There are at most so many zero-window probes in a row (Pilot Protocol). */
export const MAX_PROBES = 30;

/** The sending half. Knows nothing of SYN and FIN but the number of the first byte. */
export class SendSide {
  readonly stats: SendStats = emptyStats();
  readonly congestion: CongestionController;
  readonly #buffer = new SendQueue();
  readonly #fixedCapacity: number | undefined;
  #profile: TransportProfile;
  readonly #recovery: Recovery;
  readonly #nagle: Nagle;
  readonly #pacer: Pacer;
  readonly #timer: RetransmissionTimer;
  readonly #progress: Progress;
  /** Pieces of a segment that became too large for the path. */
  readonly #pieces: DataSegment[] = [];
  #segmentSize: number;
  #unacknowledged: number;
  #next: number;
  readonly #window: PeerWindow;
  /** The congestion window stopped the sender before this number was sent. */
  #limitedUntil: number;
  #isPaced = false;
  #probeDue: "none" | "window" | "tail" = "none";
  #progressAt: Instant = 0;

  constructor(first: number, options: SendOptions = {}) {
    this.#unacknowledged = this.#next = first;
    this.#limitedUntil = sequenceAdd(first, -1);
    this.#fixedCapacity = options.capacity;
    this.#segmentSize = options.segmentSize ?? SEGMENT_SIZE;
    this.#profile = options.profile ?? FOREIGN_PROFILE;
    this.#window = new PeerWindow(this.#profile);
    const factory = options.congestion ?? defaultCongestion;
    this.congestion = factory({ segmentSize: this.#segmentSize, seed: first });
    this.#recovery = new Recovery(this.congestion);
    this.#progress = new Progress(this.#recovery, this.congestion, first);
    this.#timer = new RetransmissionTimer(this.#recovery, isExtended(this.#profile));
    this.#nagle = new Nagle(first);
    this.#pacer = new Pacer(this.#segmentSize);
  }

  /** The number of the next new byte. */
  get next(): number {
    return this.#next;
  }

  get rtt(): RoundTripTime {
    return this.#recovery.rtt;
  }

  /** Bytes a write may add. */
  get room(): number {
    const outstanding = this.#recovery.board.bytes;
    const waiting = this.#buffer.length;
    // While a loss is repaired, much more than a window can be outstanding.
    if (this.#isElastic) return Math.min(this.capacity, LARGEST_SEND_BUFFER - outstanding) - waiting;
    return this.capacity - outstanding - waiting;
  }

  get #isElastic(): boolean {
    return this.#fixedCapacity === undefined && isExtended(this.#profile);
  }

  get capacity(): number {
    if (!this.#isElastic) return this.#fixedCapacity ?? SEND_BUFFER;
    return Math.floor(Math.max(SEND_BUFFER, Math.min(this.congestion.window, LARGEST_SEND_BUFFER)));
  }

  /** Whether all that was written is acknowledged. */
  get isDrained(): boolean {
    return this.#buffer.length === 0 && this.#recovery.board.count === 0;
  }

  get inFlight(): number {
    return this.#recovery.board.inFlight;
  }

  /** Segments not acknowledged. */
  get outstanding(): number {
    return this.#recovery.board.count;
  }

  /** The peer's window in segments, 0 while unknown. */
  get window(): number {
    return this.#window.segments ?? 0;
  }

  get inRecovery(): boolean {
    return this.#recovery.kind !== undefined;
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
    this.#window.open(window);
  }

  /** New segments have at most so many bytes. What was sent keeps its bounds, for peers that insist on them. */
  setSegmentSize(bytes: number): void {
    this.#segmentSize = bytes;
  }

  /** Takes what was agreed on with the peer, before anything was sent. */
  setProfile(profile: TransportProfile): void {
    this.#profile = profile;
    this.#window.setProfile(profile);
    this.#timer.setOwnPeer(isExtended(profile));
  }

  /** Takes an ACK packet in. Returns whether it acknowledged new data. Numbers that cannot be true are ignored. */
  acknowledge(packet: Acknowledgement, now: Instant): boolean {
    if (isBefore(packet.number, this.#unacknowledged) || isAfter(packet.number, this.#next)) return false;
    const recovery = this.#recovery;
    const { board, rate } = recovery;
    const { count, inFlight } = board;
    if (count === 0) return this.#takeWindow(packet, now);
    const isNew = packet.number !== this.#unacknowledged;
    const wasLimited = !isAfter(this.#unacknowledged, this.#limitedUntil);
    const window = this.#window.segments;
    const deliveredBefore = rate.delivered;
    this.#unacknowledged = packet.number;
    recovery.begin(now);
    const acknowledged = isNew ? board.acknowledge(packet.number) : 0;
    if (packet.blocks.length > 0) this.#takeBlocks(packet.blocks);
    const delivered = rate.delivered - deliveredBefore;
    if (isNew || delivered > 0) {
      this.#progressAt = now;
      recovery.noteProgress();
    }
    if (this.#updateWindow(packet, { isNew, hadOutstanding: true })) this.#progressAt = now;
    const isDuplicate = !isNew && this.#isDuplicate(packet, window);
    if (isDuplicate) this.stats.duplicates++;
    if (acknowledged > 0) this.#release(acknowledged);
    recovery.finish({ isNew, isDuplicate, inFlight, unacknowledged: packet.number, next: this.#next });
    if (delivered > 0) {
      this.#progress.report(
        { acknowledged, delivered, inFlight, limited: wasLimited, number: packet.number },
        this.#next,
        now,
      );
    }
    if (isNew || delivered > 0) this.#timer.stop();
    this.#arm(now);
    return isNew;
  }

  /** The next segment that may be sent now. */
  poll(now: Instant): DataSegment | undefined {
    if (this.#pieces.length > 0) return this.#pieces.shift();
    const segment = this.#pick(now);
    if (segment === undefined) return undefined;
    this.#arm(now);
    return segment;
  }

  /** When {@linkcode handleTimeout} or {@linkcode poll} has something to do. */
  get deadline(): Instant | undefined {
    let next = this.#timer.deadline;
    next = earlier(next, this.#nagle.deadline);
    next = earlier(next, this.#recovery.rack.deadline);
    return this.#isPaced ? earlier(next, this.#pacer.deadline) : next;
  }

  /** Looks at the clock. Returns `"unreachable"` when it is time to give the peer up. */
  handleTimeout(now: Instant): "unreachable" | undefined {
    if (this.#nagle.expire(now)) this.flush();
    if (this.#pacer.deadline <= now) this.#isPaced = false;
    const { board } = this.#recovery;
    const facts = { isNew: false, isDuplicate: false, inFlight: board.inFlight };
    this.#recovery.handleTimeout({ ...facts, unacknowledged: this.#unacknowledged, next: this.#next }, now);
    const expired = this.#timer.expire(now);
    if (expired === undefined) return undefined;
    if (expired === "window") {
      if (this.#timer.probes > MAX_PROBES) return "unreachable";
      this.#probeDue = "window";
    } else if (expired === "tail") {
      this.#probeDue = "tail";
    } else {
      const tries = board.first?.transmissions ?? 0;
      if (now - this.#progressAt >= GIVE_UP_MS && tries >= GIVE_UP_TRIES) return "unreachable";
      this.#recovery.expire({ bytes: Math.min(board.bytes, this.congestion.window), next: this.#next }, now);
    }
    this.#arm(now);
    return undefined;
  }

  /** The packets take another path from now on: what is in flight may be gone, and nothing is known of the new one. */
  handlePathChange(now: Instant): void {
    this.#recovery.handlePathChange(this.#next);
    this.#progress.forgiveLosses();
    this.congestion.onPathChange(now);
    this.#pacer.reset();
    this.#timer.stop();
    this.#arm(now);
  }

  /** Forgets all data. */
  clear(): void {
    this.#buffer.clear();
    this.#recovery.board.clear();
    this.#recovery.rack.deadline = undefined;
    this.#pieces.length = 0;
    this.#isPaced = false;
    this.#timer.stop();
    this.#nagle.noteSent(this.#next, false);
  }

  /** The peer advertised a closed window, and there is something to send. */
  get #isBlocked(): boolean {
    return this.#window.isClosed && (this.#recovery.board.count > 0 || this.#buffer.length > 0);
  }

  /** So many bytes arrived: their memory is written again. */
  #release(bytes: number): void {
    while (this.#pieces[0] !== undefined && isBefore(this.#pieces[0].sequence, this.#unacknowledged)) {
      this.#pieces.shift();
    }
    this.#buffer.release(bytes);
  }

  #takeBlocks(blocks: readonly SackBlock[]): void {
    this.#recovery.board.sack(blocks);
    this.#recovery.peerSacks = true;
    this.stats.sackBlocks += blocks.length;
  }

  /** All that an acknowledgement can bring while nothing is under way; it acknowledges nothing. */
  #takeWindow(packet: Acknowledgement, now: Instant): false {
    if (this.#updateWindow(packet, { isNew: false, hadOutstanding: false })) this.#progressAt = now;
    this.#arm(now);
    return false;
  }

  /** Returns whether a closed window opened. */
  #updateWindow(packet: Acknowledgement, was: { isNew: boolean; hadOutstanding: boolean }): boolean {
    if (was.isNew) this.#timer.probes = 0;
    if (!this.#window.update(packet.window, was)) return false;
    // What was sent into the closed window was thrown away, which says nothing about the path.
    this.#recovery.board.markAllLost(false);
    this.#progress.forgiveLosses();
    this.#recovery.rack.deadline = undefined;
    this.#timer.probes = 0;
    this.#probeDue = "none";
    this.#timer.stop();
    return true;
  }

  /** RFC 5681 section 2; a peer that reports with SACK may repeat each report without, which counts once. */
  #isDuplicate(packet: Acknowledgement, window: number | undefined): boolean {
    if (packet.blocks.length > 0) return true;
    return !packet.hasData && this.#window.scale(packet.window) === window && !this.#recovery.peerSacks;
  }

  #pick(now: Instant): DataSegment | undefined {
    this.#isPaced = false;
    if (this.#probeDue !== "none") return this.#pollProbe(now);
    if (this.#window.isClosed) return undefined;
    const recovery = this.#recovery;
    const lost = recovery.board.firstLost;
    if (lost === undefined) return this.#pollNew(now);
    if (!recovery.isUrgent && !this.#mayLeave(lost.payload.length, now)) return undefined;
    recovery.isUrgent = false;
    if (recovery.kind === "loss") this.stats.fastRetransmissions++;
    return this.#repeat(lost, now);
  }

  /**
   * Into a closed window, a whole segment that the peer takes if it has room by now. At the end of a flight of which
   * nothing is heard, new data if there is any, else the last segment again (RFC 8985 section 7.3).
   */
  #pollProbe(now: Instant): DataSegment | undefined {
    const isTail = this.#probeDue === "tail";
    const { board } = this.#recovery;
    this.#probeDue = "none";
    const old = isTail ? board.last : board.first;
    const isNew = isTail ? this.#hasRoomAtPeer : old === undefined;
    const fresh = isNew ? this.#cut(now) : undefined;
    if (fresh === undefined && old === undefined) return undefined;
    const segment = fresh ?? (old === undefined ? undefined : this.#repeat(old, now));
    if (isTail) this.#recovery.noteProbe(this.#next, fresh === undefined);
    return segment;
  }

  #repeat(segment: SentSegment, now: Instant): DataSegment | undefined {
    const { board } = this.#recovery;
    const wasIdle = board.inFlight === 0;
    board.repeat(segment, now);
    this.#noteSent(segment, wasIdle, now);
    if (segment === board.first) this.#timer.stop();
    this.stats.retransmissions++;
    const { sequence, payload } = segment;
    if (payload.length <= this.#segmentSize || !isExtended(this.#profile)) return { sequence, payload };
    // A peer like us puts the bytes together however they are cut.
    this.#pieces.push(...cutAnew(segment, this.#segmentSize));
    return this.#pieces.shift();
  }

  #pollNew(now: Instant): DataSegment | undefined {
    const size = Math.min(this.#segmentSize, this.#buffer.length);
    const { board, rate } = this.#recovery;
    if (size === 0) {
      if (board.inFlight < this.congestion.window) rate.noteAppLimited(board.inFlight);
      return undefined;
    }
    if (!this.#hasRoomAtPeer) return undefined;
    if (this.#recovery.transmitAllowance > 0) this.#recovery.transmitAllowance--;
    else if (!this.#mayLeave(size, now)) return undefined;
    const mayLeave = size === this.#segmentSize || this.#nagle.allows(this.#next, this.#unacknowledged, now);
    return mayLeave ? this.#cut(now) : undefined;
  }

  get #hasRoomAtPeer(): boolean {
    return this.#recovery.board.count < this.#window.limit;
  }

  /** Makes the next new segment. Data that a receiver would take for SACK is cut behind its fourth byte. */
  #cut(now: Instant): DataSegment | undefined {
    const size = Math.min(this.#segmentSize, this.#buffer.length);
    if (size === 0) return undefined;
    let payload = this.#buffer.take(size);
    const isAmbiguous = size > 4 && beginsLikeSack(payload);
    if (isAmbiguous) {
      this.#buffer.putBack(payload.subarray(4));
      payload = payload.subarray(0, 4);
    }
    const { board } = this.#recovery;
    if (board.count === 0) this.#progressAt = now;
    const wasIdle = board.inFlight === 0;
    const sequence = this.#next;
    const segment = board.push(sequence, payload, now);
    this.#next = segment.end;
    this.#noteSent(segment, wasIdle, now);
    this.#nagle.noteSent(segment.end, size < this.#segmentSize && !isAmbiguous);
    this.#timer.noteNewData();
    this.stats.bytes += payload.length;
    this.stats.segments++;
    return { sequence, payload };
  }

  #noteSent(segment: SentSegment, wasIdle: boolean, now: Instant): void {
    const { board, rate } = this.#recovery;
    rate.noteSent(segment, wasIdle, now);
    this.congestion.onSent(segment.payload.length, { inFlight: board.inFlight, wasIdle, now });
    this.#pacer.noteSent(segment.payload.length, now, this.congestion.pacingRate);
  }

  /** Whether window and pace let a segment go. */
  #mayLeave(size: number, now: Instant): boolean {
    const { inFlight } = this.#recovery.board;
    if (inFlight > 0 && inFlight + size > this.congestion.window) {
      this.#limitedUntil = this.#next;
      return false;
    }
    this.#isPaced = !this.#pacer.allows(now, this.congestion.pacingRate);
    return !this.#isPaced;
  }

  #arm(now: Instant): void {
    this.#timer.arm(this.#isBlocked ? "window" : this.#recovery.board.count === 0 ? "none" : "data", now);
  }
}
