/**
 * What operators see of a stream.
 */

import { type Address, formatAddress } from "../../wire/address.ts";
import type { StreamCore } from "./core.ts";
import { WINDOW_UNIT } from "./segment.ts";
import { displayName, type StateName } from "./state.ts";

/** State and counters of a stream. Names and units are those of the public connection list. */
export interface StreamStats {
  readonly state: Exclude<StateName, "CLOSING">;
  /** Congestion window, slow-start threshold and data in flight, bytes. */
  readonly cong_win: number;
  readonly ssthresh: number;
  readonly in_flight: number;
  /** Whole milliseconds. */
  readonly srtt_ms: number;
  readonly rttvar_ms: number;
  /** Segments not acknowledged, and segments held out of order. */
  readonly unacked: number;
  readonly ooo_buf: number;
  /** Bytes: segments times 4,096. */
  readonly peer_recv_win: number;
  readonly recv_win: number;
  readonly in_recovery: boolean;
  readonly bytes_sent: number;
  readonly bytes_recv: number;
  readonly segs_sent: number;
  readonly segs_recv: number;
  readonly retransmits: number;
  readonly fast_retx: number;
  /** Blocks, not packets. */
  readonly sack_recv: number;
  readonly sack_sent: number;
  readonly dup_acks: number;
}

/** One entry of the public connection list, 24 fields. */
export interface ConnectionInfo extends StreamStats {
  readonly id: number;
  readonly local_port: number;
  /** Text form without port. */
  readonly remote_addr: string;
  readonly remote_port: number;
}

/** Joins the name of a connection with the numbers of its stream. */
export function connectionInfo(
  name: { id: number; localPort: number; remote: Address; remotePort: number },
  stats: StreamStats,
): ConnectionInfo {
  return {
    id: name.id,
    local_port: name.localPort,
    remote_addr: formatAddress(name.remote),
    remote_port: name.remotePort,
    ...stats,
  };
}

/** The numbers of a stream from its parts. */
export function streamStats(core: StreamCore): StreamStats {
  const { send, receive } = core;
  return {
    state: displayName(core.state),
    cong_win: send.congestion.window,
    ssthresh: send.congestion.threshold,
    in_flight: send.inFlight,
    srtt_ms: Math.round(send.rtt.smoothed ?? 0),
    rttvar_ms: Math.round(send.rtt.variation),
    unacked: send.outstanding,
    ooo_buf: receive.early,
    peer_recv_win: send.window * WINDOW_UNIT,
    recv_win: receive.window * WINDOW_UNIT,
    in_recovery: send.inRecovery,
    bytes_sent: send.stats.bytes,
    bytes_recv: receive.total,
    segs_sent: send.stats.segments,
    segs_recv: core.segmentsReceived,
    retransmits: send.stats.retransmissions,
    fast_retx: send.stats.fastRetransmissions,
    sack_recv: send.stats.sackBlocks,
    sack_sent: core.outbox.sackBlocks,
    dup_acks: send.stats.duplicates,
  };
}
