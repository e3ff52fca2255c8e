/**
 * A reliable, ordered stream of bytes in both directions, without I/O.
 *
 * Feed it with segments and the time, then drain `pollTransmit` and `pollEvent`. `core.ts` has the parts,
 * `state.ts` the states, `incoming.ts` and `timeouts.ts` what moves them.
 */

import type { Instant } from "../machine.ts";
import { StreamCore, type StreamOptions } from "./core.ts";
import { EMBRYONIC_MS } from "./opening.ts";
import type { StreamEvent } from "./events.ts";
import { handleIncoming } from "./incoming.ts";
import { type StreamStats, streamStats } from "./info.ts";
import type { TransportProfile } from "./profile.ts";
import type { Segment } from "./segment.ts";
import { type CloseReason, isOpening, mayReceive, maySend, peerIsFinished, type State } from "./state.ts";
import { handleTimeouts, nextTimeout, sendHandshake } from "./timeouts.ts";

export type { StreamOptions } from "./core.ts";
export type { StreamEvent } from "./events.ts";
export type { Segment } from "./segment.ts";
export type { CloseReason } from "./state.ts";

/** One end of a stream. */
export class Stream {
  readonly #core: StreamCore;

  private constructor(core: StreamCore) {
    this.#core = core;
  }

  /** Starts to open a stream: emits a SYN. */
  static connect(options: StreamOptions, now: Instant): Stream {
    const core = new StreamCore(options, undefined, now);
    sendHandshake(core, now);
    return new Stream(core);
  }

  /**
   * Answers a SYN: emits a SYN+ACK. `"connected"` follows at once with peers like us, else with the third packet of
   * the handshake.
   */
  static accept(options: StreamOptions, syn: Segment, now: Instant): Stream {
    const core = new StreamCore(options, syn, now);
    core.send.open(syn.window);
    core.timers.set("embryonic", now + EMBRYONIC_MS);
    sendHandshake(core, now);
    if (core.isOpenEarly) core.events.say("connected");
    return new Stream(core);
  }

  get state(): State {
    return this.#core.state;
  }

  /** Takes what was agreed on with the peer; without effect once the handshake is complete. */
  setProfile(profile: TransportProfile): void {
    if (this.#core.state.name === "SYN_SENT") this.#core.setProfile(profile);
  }

  /** New segments have at most so many payload bytes: what the path carries. */
  setSegmentSize(bytes: number): void {
    this.#core.send.setSegmentSize(bytes);
  }

  /** The packets take another path from now on, or the path has come back. */
  handlePathChange(now: Instant): void {
    this.#core.send.handlePathChange(now);
  }

  /** Whether a SYN with this number opened this stream: its repetition is answered like the first. */
  isOpenedBy(syn: Segment): boolean {
    const { isPassive, peerFirst, state } = this.#core;
    return isPassive && syn.sequence === peerFirst && !peerIsFinished(state);
  }

  /** Whether nothing is left to transmit and the application was told the end: the stream can be forgotten. */
  get isOver(): boolean {
    return this.state.name === "CLOSED" && this.isAnnouncedClosed && this.#core.outbox.isEmpty;
  }

  /** Whether the application has nothing more to expect. */
  get isAnnouncedClosed(): boolean {
    return this.#core.events.isClosed && this.#core.events.isEmpty;
  }

  /** Takes a segment of the peer in. What is kept of its payload is copied. */
  handleSegment(segment: Segment, now: Instant): void {
    handleIncoming(this.#core, segment, now);
    this.#core.announce();
  }

  /** Looks at the clock. */
  handleTimeout(now: Instant): void {
    handleTimeouts(this.#core, now);
    this.#core.announce();
  }

  /** When {@linkcode handleTimeout} wants to be called, `undefined` for never. */
  pollTimeout(): Instant | undefined {
    return nextTimeout(this.#core);
  }

  /** The next segment to send. */
  pollTransmit(now: Instant): Segment | undefined {
    const { outbox, state, acks, receive, send, ending, maySendData } = this.#core;
    const control = outbox.shift();
    if (control !== undefined) return control;
    if ((isOpening(state) && !maySendData) || state.name === "CLOSED") return undefined;
    if (acks.isDue && receive.early > 0) {
      acks.noteSent();
      return outbox.ack(receive.sackBlocks());
    }
    if (acks.takeDuplicate()) return outbox.ack([]);
    const data = maySendData ? send.poll(now) : undefined;
    if (data !== undefined) {
      acks.noteSent();
      return outbox.data(data.sequence, data.payload);
    }
    if (ending.repeatDue || (ending.requested && maySend(state) && send.isDrained)) return this.#sendFin(now);
    if (!acks.isDue) return undefined;
    acks.noteSent();
    return outbox.ack([]);
  }

  /** The next event. */
  pollEvent(): StreamEvent | undefined {
    return this.#core.events.poll();
  }

  /** Takes as many bytes as the send buffer has room for (copied). When not all: a `"writable"` event follows. */
  write(data: Uint8Array, _now: Instant): number {
    const { ending, state, send } = this.#core;
    if (ending.requested || !(maySend(state) || isOpening(state))) return 0;
    const taken = send.write(data);
    if (taken < data.length) this.#core.wantsRoom = true;
    return taken;
  }

  /** The next bytes in order, `undefined` when none wait. They are the reader's to keep, or to give back to the pool. */
  read(now: Instant): Uint8Array | undefined {
    const core = this.#core;
    const before = core.receive.next;
    const payload = core.receive.read();
    if (payload === undefined) return undefined;
    const isMoved = before !== core.receive.next;
    if (mayReceive(core.state) && (isMoved || core.receive.owesUpdate)) core.acks.demand();
    core.takePeerEnd(now);
    core.announce();
    return payload;
  }

  /** Ends our direction: everything written is delivered, then the peer is told. Reading goes on. */
  shutdown(_now: Instant): void {
    this.#core.ending.requested = true;
    this.#core.send.flush();
  }

  /** Ends both directions in order: as {@linkcode shutdown}, and what the peer still sends is thrown away. */
  close(now: Instant): void {
    const core = this.#core;
    if (isOpening(core.state) && !core.isOpenEarly) return this.abort(now);
    core.isClosing = true;
    core.receive.discard();
    if (mayReceive(core.state) && core.receive.owesUpdate) core.acks.demand();
    this.shutdown(now);
    core.takePeerEnd(now);
    core.watchLinger(now);
    core.announce();
  }

  /** Ends the stream at once, for the application with the given reason, and tells the peer (RST). */
  abort(_now: Instant, reason: CloseReason = "aborted"): void {
    const core = this.#core;
    if (core.state.name !== "CLOSED" && core.state.name !== "TIME_WAIT") {
      return core.fail(reason, { tellPeer: true });
    }
    core.receive.clear();
    core.announce();
  }

  /** State and counters for operators. */
  get stats(): StreamStats {
    return streamStats(this.#core);
  }

  #sendFin(now: Instant): Segment {
    const core = this.#core;
    core.timers.set("fin", now + core.ending.noteSent(core.send.rtt.timeout));
    core.move({ type: "fin_sent" }, now);
    return core.outbox.fin();
  }
}
