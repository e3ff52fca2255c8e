/**
 * When a silent peer gives reason to doubt the keys.
 */

import type { Peer } from "./peer.ts";

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 30_000;
/** A single frame may be the last acknowledgement of a conversation, to which no answer is due. */
const FRAMES_WITHOUT_ANSWER = 2;

/** The rules of the repair of a tunnel whose peer has fallen silent. */
export const Watchdog = {
  /** Milliseconds of silence after the first unanswered frame before the exchange is repeated; doubles each time. */
  delay(repairs: number): number {
    return Math.min(FIRST_DELAY_MS * 2 ** repairs, MAX_DELAY_MS);
  },

  /** Whether frames went out and nothing came back. */
  isSuspicious(peer: Peer): boolean {
    return peer.hasSession && peer.sentSinceOpened >= FRAMES_WITHOUT_ANSWER;
  },
} as const;
