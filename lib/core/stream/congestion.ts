/**
 * How many bytes may be in flight, and how fast they leave. One controller per stream, behind an interface.
 */

import type { Instant } from "../machine.ts";

/** What an acknowledgement told, for the controller. The object is used again: keep no reference. Sizes are bytes. */
export interface AcknowledgementReport {
  now: Instant;
  /** Cumulatively acknowledged by this packet. */
  acknowledged: number;
  /** Known to be with the peer since this packet: acknowledged, or held out of order. */
  delivered: number;
  /** Taken for lost since the report before. */
  lost: number;
  /** In flight before this packet was taken in, and after it. */
  priorInFlight: number;
  inFlight: number;
  /** Bytes not cumulatively acknowledged. */
  outstanding: number;
  /** Round-trip time measured with this packet in milliseconds, -1 if it allowed no measurement. */
  rtt: number;
  /** The smallest round-trip time of this path and the smoothed one, milliseconds. */
  minimumRtt: number;
  smoothedRtt: number;
  /** Whether the window, and not a lack of data or of room at the peer, held the sender back. */
  limited: boolean;
  /** Whether a loss of this flight is being repaired. */
  inRecovery: boolean;
  /** Whether new data was acknowledged that ends a flight: a round trip has passed. */
  isRoundStart: boolean;
  /** Delivery rate in bytes per millisecond, 0 if there is no sample, and whether it was bound by a lack of data. */
  rate: number;
  isAppLimited: boolean;
  /** Delivered since the stream began; and when the newest segment of this sample was sent. */
  totalDelivered: number;
  priorDelivered: number;
  /** In flight when that segment was sent. */
  sentInFlight: number;
}

/** Decides on window and pace. All sizes are bytes, rates bytes per millisecond. */
export interface CongestionController {
  readonly name: string;
  /** Bytes that may be in flight. */
  readonly window: number;
  /** The window at which slow start ends. */
  readonly threshold: number;
  /** The pace, `Infinity` for none. */
  readonly pacingRate: number;
  /** A segment leaves; `inFlight` includes it. `wasIdle` when nothing was in flight. */
  onSent(bytes: number, options: { inFlight: number; wasIdle: boolean; now: Instant }): void;
  /** An acknowledgement told something new. */
  onAcknowledged(report: AcknowledgementReport): void;
  /** Loss was seen for the first time in this flight. */
  onLoss(inFlight: number, now: Instant): void;
  /** The loss is repaired. */
  onRecovered(now: Instant): void;
  /** The retransmission timer expired. `first` is false for repeated expiries without progress. */
  onTimeout(inFlight: number, options: { first: boolean; now: Instant }): void;
  /** The last loss or timeout was none: everything arrived. */
  onUndo(now: Instant): void;
  /** The packets take another path from now on. */
  onPathChange(now: Instant): void;
}

/** What a controller is made for. */
export interface CongestionOptions {
  /** Payload bytes of a full segment. */
  readonly segmentSize: number;
  /** Differs from stream to stream, so that streams do not act in step. */
  readonly seed: number;
}

/** Makes a controller. */
export type CongestionFactory = (options: CongestionOptions) => CongestionController;

/** Initial window in segments (RFC 6928). */
export const INITIAL_SEGMENTS = 10;

/** A report of nothing. */
export function emptyReport(): AcknowledgementReport {
  return {
    now: 0,
    acknowledged: 0,
    delivered: 0,
    lost: 0,
    priorInFlight: 0,
    inFlight: 0,
    outstanding: 0,
    rtt: -1,
    minimumRtt: 0,
    smoothedRtt: 0,
    limited: false,
    inRecovery: false,
    isRoundStart: false,
    rate: 0,
    isAppLimited: false,
    totalDelivered: 0,
    priorDelivered: 0,
    sentInFlight: 0,
  };
}
