/**
 * Builds a stream in a given state and speaks segments to it. Our initial sequence number is 1000, the peer's 5000.
 */

import { fixedSequence } from "./pair.ts";
import { OWN_PROFILE } from "../../../lib/core/stream/profile.ts";
import { Flag } from "../../../lib/wire/packet.ts";
import {
  type Segment,
  Stream,
  type StreamEvent,
  type StreamOptions,
} from "../../../lib/core/stream/stream.ts";

export const { SYN, ACK, FIN, RST } = Flag;
export const OWN = 1_000;
export const PEER = 5_000;
const NO_PAYLOAD = new Uint8Array(0);

/** A segment of the peer: an ACK of our SYN with a window unless told otherwise. */
export function segment(parts: Partial<Segment> = {}): Segment {
  return {
    flags: ACK,
    sequence: PEER + 1,
    acknowledgement: OWN + 1,
    window: 512,
    payload: NO_PAYLOAD,
    ...parts,
  };
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** A stream alone, whose peer is the test. */
export class Solo {
  now = 10_000;
  readonly stream: Stream;
  readonly events: StreamEvent[] = [];

  constructor(syn?: Partial<Segment>, options: Partial<StreamOptions> = {}) {
    const all = { random: fixedSequence(OWN), ...options };
    this.stream = syn === undefined
      ? Stream.connect(all, this.now)
      : Stream.accept(all, segment({ flags: SYN, sequence: PEER, acknowledgement: 0, ...syn }), this.now);
  }

  /** Gives a segment and returns what is sent in answer. */
  hear(parts: Partial<Segment>): Segment[] {
    this.stream.handleSegment(segment(parts), this.now);
    return this.drain();
  }

  /** Lets time pass in the steps that the stream asks for, and returns what it sends. */
  wait(milliseconds: number): Segment[] {
    const end = this.now + milliseconds;
    const sent: Segment[] = [];
    for (let at = this.stream.pollTimeout(); at !== undefined && at <= end; at = this.stream.pollTimeout()) {
      if (at > this.now) this.now = at;
      this.stream.handleTimeout(this.now);
      sent.push(...this.drain());
    }
    this.now = end;
    return sent;
  }

  drain(): Segment[] {
    const sent: Segment[] = [];
    for (let next = this.stream.pollTransmit(this.now); next; next = this.stream.pollTransmit(this.now)) {
      sent.push(next);
      if (sent.length > 1_000) throw new Error("endless transmission");
    }
    for (let event = this.stream.pollEvent(); event; event = this.stream.pollEvent()) this.events.push(event);
    return sent;
  }

  write(data: Uint8Array): Segment[] {
    this.stream.write(data, this.now);
    return this.drain();
  }

  shutdown(): Segment[] {
    this.stream.shutdown(this.now);
    return this.drain();
  }

  read(): Uint8Array | undefined {
    const data = this.stream.read(this.now);
    this.drain();
    return data;
  }

  get state(): string {
    return this.stream.state.name;
  }

  /** The types of all events so far, with the reason of the last. */
  get story(): string[] {
    return this.events.map((event) => event.type === "closed" ? `closed ${event.reason}` : event.type);
  }
}

/** Builders, one per state. */
export const inState = {
  synSent(): Solo {
    const solo = new Solo();
    solo.drain();
    return solo;
  },
  synRecv(syn: Partial<Segment> = {}): Solo {
    const solo = new Solo(syn);
    solo.drain();
    return solo;
  },
  /** Answered a node like ours, and is open before the third packet. */
  synRecvEarly(): Solo {
    const solo = new Solo({}, { profile: OWN_PROFILE });
    solo.drain();
    return solo;
  },
  established(options: Partial<StreamOptions> = {}): Solo {
    const solo = new Solo({}, options);
    solo.hear({});
    return solo;
  },
  /** Connected to a node of the old kind, whose initial sequence number is 0. */
  establishedWithForeign(): Solo {
    const solo = new Solo({ sequence: 0 });
    solo.hear({ sequence: 1 });
    return solo;
  },
  finWait(): Solo {
    const solo = inState.established();
    solo.shutdown();
    return solo;
  },
  finWaitAcknowledged(): Solo {
    const solo = inState.finWait();
    solo.hear({ acknowledgement: OWN + 2 });
    return solo;
  },
  closeWait(): Solo {
    const solo = inState.established();
    solo.hear({ flags: FIN, acknowledgement: 0, window: 0 });
    return solo;
  },
  closing(): Solo {
    const solo = inState.closeWait();
    solo.shutdown();
    return solo;
  },
  timeWait(): Solo {
    const solo = inState.closing();
    solo.hear({ acknowledgement: OWN + 2 });
    return solo;
  },
};
