/**
 * The parts of a stream and the moves that concern several of them. Internal to this folder.
 */

import type { Instant, RandomSource } from "../machine.ts";
import { sequenceAdd } from "../seq.ts";
import { Timers } from "../timers.ts";
import { AckPolicy } from "./acks.ts";
import type { CongestionFactory } from "./congestion.ts";
import { Ending, LINGER_MS, TIME_WAIT_MS } from "./ending.ts";
import { StreamEvents } from "./events.ts";
import { Liveness } from "./liveness.ts";
import { initialSequence, Opening } from "./opening.ts";
import { Outbox } from "./outbox.ts";
import { FOREIGN_PROFILE, isExtended, type TransportProfile } from "./profile.ts";
import { ReceiveSide } from "./recv.ts";
import type { ReceivePool } from "./recv_memory.ts";
import type { Segment } from "./segment.ts";
import { SendSide } from "./send.ts";
import {
  type CloseReason,
  mayReceive,
  maySend,
  peerIsFinished,
  type State,
  type StateInput,
  transition,
} from "./state.ts";

/** What a stream is made with. */
export interface StreamOptions {
  readonly random: RandomSource;
  /** Bytes a writer may be ahead of the peer's acknowledgements; 1 MiB unless given. */
  readonly sendBuffer?: number | undefined;
  /** Segments that may wait for the reader. Unless given, 512 at first, and what the reader needs up to the profile's. */
  readonly receiveSegments?: number | undefined;
  /** Where the memory for what is received comes from and goes back to, default one of the stream's own. */
  readonly pool?: ReceivePool | undefined;
  /** BBR unless given. */
  readonly congestion?: CongestionFactory | undefined;
  /** Payload bytes of a full segment; 1,152 unless given. Larger ones may need IP fragmentation. */
  readonly segmentSize?: number | undefined;
  /** What the peer can do; what every node can unless given. */
  readonly profile?: TransportProfile | undefined;
}

const TIMER_NAMES = ["handshake", "embryonic", "fin", "gap", "time_wait", "linger"] as const;

/** Deadlines besides those that the parts keep themselves. */
export type TimerName = typeof TIMER_NAMES[number];

/** One stream taken apart. */
export class StreamCore {
  /** Our initial sequence number. */
  readonly first: number;
  readonly isPassive: boolean;
  /**
   * The application has an inbound stream in hand, and may answer, before the third packet of the handshake: the
   * tunnel proves who sent the SYN and that it is no replay, as the cookie of TCP Fast Open does (RFC 7413 section
   * 4.2). Only for peers like us: other nodes drop what overtakes the SYN+ACK.
   */
  readonly isOpenEarly: boolean;
  readonly send: SendSide;
  readonly receive: ReceiveSide;
  readonly outbox: Outbox;
  readonly liveness: Liveness;
  readonly acks = new AckPolicy();
  readonly opening = new Opening();
  readonly ending = new Ending();
  readonly timers = new Timers<TimerName>();
  readonly events = new StreamEvents();
  /** The peer's initial sequence number; meaningless before its SYN or SYN+ACK. */
  peerFirst: number;
  /** The application neither reads nor writes any more. */
  isClosing = false;
  /** A write did not take everything. */
  wantsRoom = false;
  segmentsReceived = 0;
  #isExtended: boolean;
  #state: State;

  /** `syn` is that of the peer, `undefined` to connect. */
  constructor(options: StreamOptions, syn: Segment | undefined, now: Instant) {
    this.#state = { name: syn === undefined ? "SYN_SENT" : "SYN_RECV" };
    this.isPassive = syn !== undefined;
    this.peerFirst = syn?.sequence ?? 0;
    this.first = initialSequence(options.random);
    this.send = new SendSide(sequenceAdd(this.first, 1), {
      capacity: options.sendBuffer,
      congestion: options.congestion,
      segmentSize: options.segmentSize,
      profile: options.profile,
    });
    this.receive = new ReceiveSide(sequenceAdd(this.peerFirst, 1), {
      segments: options.receiveSegments,
      pool: options.pool,
      profile: options.profile,
    });
    this.#isExtended = isExtended(options.profile ?? FOREIGN_PROFILE);
    this.isOpenEarly = this.isPassive && this.#isExtended;
    this.outbox = new Outbox(this.send, this.receive);
    this.liveness = new Liveness(now);
  }

  get state(): State {
    return this.#state;
  }

  /** Whether more was agreed on with the peer than every node can do. */
  get isExtended(): boolean {
    return this.#isExtended;
  }

  /** Takes what was agreed on with the peer, while the stream opens. */
  setProfile(profile: TransportProfile): void {
    this.#isExtended = isExtended(profile);
    this.send.setProfile(profile);
    this.receive.setProfile(profile);
  }

  /** Old nodes always begin at 0, we never do. */
  get isForeign(): boolean {
    return this.peerFirst === 0;
  }

  /** Whether data of ours may leave: the application may write, and the peer can take it. */
  get maySendData(): boolean {
    return maySend(this.#state) || (this.#state.name === "SYN_RECV" && this.isOpenEarly);
  }

  /** Silence matters while the peer may have something to say, or we to it. */
  get isWatched(): boolean {
    return mayReceive(this.#state) || (this.#state.name === "CLOSE_WAIT" && this.receive.queued === 0);
  }

  /** Changes the state if that is legal, with all that belongs to it. */
  move(input: StateInput, now: Instant): void {
    const next = transition(this.#state, input);
    if (next === undefined) return;
    this.#state = next;
    this.outbox.isPeerFinished = peerIsFinished(next);
    if (input.type === "fin_acknowledged") {
      this.ending.repeatDue = false;
      this.timers.set("fin", undefined);
      this.watchLinger(now);
    }
    if (next.name !== "TIME_WAIT") return;
    this.timers.set("linger", undefined);
    this.timers.set("time_wait", now + TIME_WAIT_MS);
  }

  /** The handshake is complete. */
  establish(now: Instant): void {
    this.move({ type: "established" }, now);
    this.timers.set("handshake", undefined);
    this.timers.set("embryonic", undefined);
    this.liveness.noteHeard(now);
    const rtt = this.opening.roundTrip(now);
    if (rtt !== undefined) this.send.rtt.sample(rtt);
    if (!this.isOpenEarly) this.events.say("connected");
  }

  /** Ends the peer's direction when all data before its FIN is here, and confirms that. */
  takePeerEnd(now: Instant): void {
    if (this.ending.peerEnd === undefined || this.receive.next !== this.ending.peerEnd) return;
    if (!mayReceive(this.#state)) return;
    this.timers.set("gap", undefined);
    this.move({ type: "peer_finished" }, now);
    this.acks.demand();
  }

  /** An application that closed does not wait for ever for the peer's end. */
  watchLinger(now: Instant): void {
    if (this.isClosing && this.#state.name === "FIN_WAIT" && this.#state.acknowledged) {
      this.timers.set("linger", now + LINGER_MS);
    }
  }

  /** Ends everything at once; with `tellPeer` by a reset. */
  fail(reason: CloseReason, { tellPeer }: { tellPeer: boolean }): void {
    const next = transition(this.#state, { type: "fatal", reason });
    if (next === undefined) return;
    this.#state = next;
    for (const name of TIMER_NAMES) this.timers.set(name, undefined);
    this.outbox.clear();
    if (tellPeer) this.outbox.pushReset();
    this.send.clear();
    this.receive.clear();
    this.events.close(reason);
  }

  /** Tells the application the ends it can know of: the peer's once all is read, then that of the stream. */
  announce(): void {
    const isDone = this.#state.name === "TIME_WAIT" || this.#state.name === "CLOSED";
    if (this.receive.queued > 0 || !(isDone || peerIsFinished(this.#state))) return;
    this.events.finish();
    if (isDone) this.events.close("done");
  }
}
