/**
 * Waiting with a bound.
 */

import { pause } from "../../../lib/io/pause.ts";

/** Longest delay of a timer in milliseconds (a signed 32-bit number). */
const MAX_MS = 2_147_483_647;

/** What `promise` resolves with, or `"late"` after `milliseconds`. The promise goes on; its rejection is not lost. */
export async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | "late"> {
  const settled = new AbortController();
  const late = pause(Math.min(milliseconds, MAX_MS), settled.signal).then((): "late" => "late");
  try {
    return await Promise.race([promise, late]);
  } finally {
    settled.abort();
  }
}
