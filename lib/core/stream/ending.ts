/**
 * The ends of both directions.
 *
 * Our FIN takes no sequence number, is sent after all data was acknowledged, and is repeated until confirmed.
 */

/** Transmissions of a FIN. */
export const FIN_TRIES = 14;
/** Longest distance between two of them, milliseconds. */
const FIN_LONGEST_MS = 5_000;

/** A FIN lies ahead of missing data: so long we wait for that, milliseconds after the last progress. */
export const FIN_GAP_MS = 5_000;
/** How long a finished connection answers late packets, milliseconds (Pilot Protocol). */
export const TIME_WAIT_MS = 10_000;
/** How long a closed application's stream waits for the peer's end, milliseconds. */
export const LINGER_MS = 60_000;

/** What is known about our FIN and the peer's. */
export class Ending {
  #tries = 0;
  /** The application wants to end. */
  requested = false;
  /** The FIN is to be sent again. */
  repeatDue = false;
  /** The number of the peer's FIN. Data before it may still be missing. */
  peerEnd: number | undefined;

  get isSent(): boolean {
    return this.#tries > 0;
  }

  get isGivenUp(): boolean {
    return this.#tries >= FIN_TRIES;
  }

  /** Counts a transmission and returns the time until the next. */
  noteSent(timeout: number): number {
    this.repeatDue = false;
    return Math.min(FIN_LONGEST_MS, timeout * 2 ** this.#tries++);
  }
}
