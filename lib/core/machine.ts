/**
 * The seam between decisions and the world: state machines without I/O.
 *
 * A machine never touches a socket, a clock or a random source. The same one runs in the simulated internet of
 * the tests, on a real UDP socket, and inside a parent machine.
 */

import type { Endpoint } from "../wire/endpoint.ts";

/** Monotonic milliseconds (fractions allowed) that go on counting while the computer sleeps. Zero is arbitrary. */
export type Instant = number;

/** Fills `target` with random bytes and returns it. Must be cryptographically strong outside tests. */
export type RandomSource = (target: Uint8Array) => Uint8Array;

/** A datagram to send. `data` belongs to whoever has polled it, until that calls `reuse`. */
export interface Transmit {
  readonly to: Endpoint;
  readonly data: Uint8Array;
  /**
   * The socket to send from: 0, as when absent, is the main one. Any other number names a socket of the machine's own
   * choice, opened on a free port at its first use unless whoever drives the machine has given it a place before.
   */
  readonly via?: number;
}

/** A state machine without I/O. Feed it with `handle*`; after every feed, drain it with `poll*` until each is empty. */
export interface Machine<Event> {
  /**
   * A datagram arrived from `from`. `data` belongs to the machine until this returns: it may write to it (frames are
   * opened in place), and copies what it keeps. `via` is the socket it came to, as in `Transmit`.
   */
  handleDatagram(from: Endpoint, data: Uint8Array, now: Instant, via?: number): void;
  /** The deadline given by `pollTimeout` has passed. Calling early or late is harmless. */
  handleTimeout(now: Instant): void;
  pollTransmit(now: Instant): Transmit | undefined;
  /** Nobody needs the data of what was polled so far any more: its memory may be written again. */
  reuse?(): void;
  /** When `handleTimeout` wants to be called next, `undefined` for never. */
  pollTimeout(): Instant | undefined;
  pollEvent(): Event | undefined;
  /** The extra socket `via` was opened, on this port of the computer. */
  handleOpened?(via: number, port: number): void;
  /** The number of an extra socket that is not needed any more, `undefined` when there is none. */
  pollClose?(): number | undefined;
}
