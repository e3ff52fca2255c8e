/** How much one local client may cost the agent. */

/** All values are local choices; those of the public network are the same where it has one. */
export interface LocalLimits {
  /** Sockets open at the same time. */
  readonly clients: number;
  /** Streams and listeners of one socket. */
  readonly connections: number;
  /** Requests of one socket that are not answered yet; more are left in the socket. */
  readonly requests: number;
  /** Bytes of Sends of one socket that the transport has not taken yet; more are left in the socket. */
  readonly sendBytes: number;
  /** Bytes waiting for one client before its streams are no longer read and its datagrams are lost. */
  readonly queueBytes: number;
  /** Milliseconds that a client may read nothing while its queue is full. */
  readonly stallMs: number;
  /** Milliseconds without a byte in the middle of a message. */
  readonly partialMs: number;
  /** Milliseconds for which Sends of a client that left are still carried out. */
  readonly drainMs: number;
  /** Milliseconds between two looks at these times. */
  readonly tickMs: number;
}

/** The limits of a real agent. */
export const DEFAULT_LIMITS: LocalLimits = {
  clients: 16_384,
  connections: 16_384,
  requests: 1024,
  sendBytes: 1024 * 1024,
  queueBytes: 1280 * 1024,
  stallMs: 10_000,
  partialMs: 30_000,
  drainMs: 60_000,
  tickMs: 1000,
};
