/** Command bytes of the local socket between programs and their agent, and the length of its messages. */

/** Longest message in bytes: command and payload, without the length prefix. */
export const MAX_IPC_MESSAGE = 1048576;

/** First byte of a message. A reply has the code after its request, except where noted. */
export const Command = {
  BIND: 0x01,
  BIND_OK: 0x02,
  DIAL: 0x03,
  DIAL_OK: 0x04,
  /** Pushed: a stream arrived on a bound port. */
  ACCEPT: 0x05,
  /** Not answered. */
  SEND: 0x06,
  /** Pushed: data of a stream. */
  RECV: 0x07,
  CLOSE: 0x08,
  /** Reply, and pushed when the peer closes. */
  CLOSE_OK: 0x09,
  ERROR: 0x0a,
  /** Not answered. */
  SEND_TO: 0x0b,
  /** Pushed: a datagram. */
  RECV_FROM: 0x0c,
  INFO: 0x0d,
  INFO_OK: 0x0e,
  HANDSHAKE: 0x0f,
  HANDSHAKE_OK: 0x10,
  RESOLVE_HOSTNAME: 0x11,
  RESOLVE_HOSTNAME_OK: 0x12,
  SET_HOSTNAME: 0x13,
  SET_HOSTNAME_OK: 0x14,
  SET_VISIBILITY: 0x15,
  SET_VISIBILITY_OK: 0x16,
  DEREGISTER: 0x17,
  DEREGISTER_OK: 0x18,
  SET_TAGS: 0x19,
  SET_TAGS_OK: 0x1a,
  SET_WEBHOOK: 0x1b,
  SET_WEBHOOK_OK: 0x1c,
  SET_TASK_EXEC: 0x1d,
  SET_TASK_EXEC_OK: 0x1e,
  NETWORK: 0x1f,
  NETWORK_OK: 0x20,
  HEALTH: 0x21,
  HEALTH_OK: 0x22,
  MANAGED: 0x23,
  MANAGED_OK: 0x24,
  ROTATE_KEY: 0x25,
  ROTATE_KEY_OK: 0x26,
  BROADCAST: 0x29,
  BROADCAST_OK: 0x2a,
  /** Ends all dials of this client that are under way; not answered. */
  CANCEL: 0x2b,
  PREFER_DIRECT: 0x2d,
  PREFER_DIRECT_OK: 0x2e,
  SUBMIT_BADGE: 0x2f,
  SUBMIT_BADGE_OK: 0x30,
  ENROLL_RECOVERY: 0x31,
  ENROLL_RECOVERY_OK: 0x32,
  SIGN_ENVELOPE: 0x33,
  SIGN_ENVELOPE_OK: 0x34,
  VERIFY_ENVELOPE: 0x35,
  VERIFY_ENVELOPE_OK: 0x36,
  UNBIND: 0x37,
  UNBIND_OK: 0x38,
  SEND_TO_CONFIRM: 0x39,
  SEND_TO_OK: 0x3a,
  // From here on our own: public networks use the numbers up to 0x3A, and 0x40 is Credit (lib/client/extensions.ts).
  /** Asks for events on this socket; the first event is the answer. */
  SUBSCRIBE: 0x41,
  /** Pushed: one event. */
  EVENT: 0x42,
  /** How the ways to peers stand. */
  PATHS: 0x43,
  PATHS_OK: 0x44,
  /** How this agent and its network stand. */
  DOCTOR: 0x45,
  DOCTOR_OK: 0x46,
  /** Measures every path to a peer now. */
  TRACE: 0x47,
  TRACE_OK: 0x48,
} as const;

/** First byte after {@linkcode Command.HANDSHAKE}. */
export const HandshakeCommand = {
  SEND: 0x01,
  APPROVE: 0x02,
  REJECT: 0x03,
  PENDING: 0x04,
  TRUSTED: 0x05,
  REVOKE: 0x06,
  WAIT: 0x07,
} as const;
