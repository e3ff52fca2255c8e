/**
 * When silence means something: how often an answer must have failed to come before that is no accident.
 */

/** An answer that the network lost by accident is taken for one that a NAT kept out no more often than this. */
const ACCEPTED_ERROR = 1e-5;
/** No silence is believed after fewer tries: with the times of `TRIES_MS`, 600 ms of it. */
export const MIN_TRIES = 5;

/** Questions that nothing but the network can have kept from being answered, and how many of them it did. */
export interface Losses {
  readonly sent: number;
  readonly lost: number;
}

/** The number of unanswered tries in a row that rule out accident, by what the network lost meanwhile. */
export function triesNeeded({ sent, lost }: Losses): number {
  // Half a loss more than there was: no network is known to be perfect.
  const share = (lost + 0.5) / (sent + 1);
  if (share >= 1) return Infinity;
  return Math.max(MIN_TRIES, Math.ceil(Math.log(ACCEPTED_ERROR) / Math.log(share)));
}

/** How long an answer may take, milliseconds: well above what it took before. */
export function patience(rtt: number | undefined): number {
  return rtt === undefined ? 1_000 : Math.max(300, 2 * rtt);
}
