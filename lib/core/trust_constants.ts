/**
 * Numbers of the trust handshake. First what the Pilot Protocol fixes, then our own choice.
 */

/** A message may be this old, seconds (Pilot Protocol: equality passes). */
export const MESSAGE_MAX_AGE_S = 300;
/** A message may come from this far in the future, seconds (Pilot Protocol: equality passes). */
export const MESSAGE_MAX_SKEW_S = 30;
/** Messages remembered against replay (Pilot Protocol). */
export const REPLAY_ENTRIES = 8_192;
/** Largest justification or reason, bytes of UTF-8 (Pilot Protocol). */
export const MAX_TEXT_BYTES = 1_024;
/** Requests that wait for the operator, in total (Pilot Protocol). */
export const MAX_PENDING = 256;
/** Requests that wait for the operator, per origin (Pilot Protocol). */
export const MAX_PENDING_PER_ORIGIN = 16;
/** A request of a peer waits for this time, seconds: 30 days (Pilot Protocol). */
export const PENDING_LIFETIME_S = 30 * 86_400;
/** A peer that we dialled may come back to port 444 for this time, milliseconds: 5 minutes (Pilot Protocol). */
export const REPLY_WINDOW_MS = 300_000;
/** Peers in the reply window (Pilot Protocol). */
export const REPLY_WINDOW_PEERS = 4_096;

/** Our own request counts for this time, seconds: 24 hours. */
export const OUTGOING_LIFETIME_S = 86_400;
/** When a request that left is repeated while unanswered, milliseconds after the last sending; the last one repeats. */
export const UNANSWERED_RETRY_MS: readonly number[] = [60_000, 300_000, 900_000, 3_600_000, 14_400_000];
/** When a request that did not leave is tried again, milliseconds; the last one repeats. */
export const FAILED_RETRY_MS: readonly number[] = [5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000];
/** A direct sending without a report counts as failed after this time, milliseconds: longer than any dial. */
export const DELIVERY_REPORT_MS = 60_000;
/** When a registry errand is repeated after a failure, milliseconds; none after the last. */
export const ERRAND_RETRY_MS: readonly number[] = [5_000, 30_000, 120_000, 600_000, 3_600_000];
/** A registry errand without a reply counts as failed after this time, milliseconds. */
export const ERRAND_REPLY_MS = 30_000;
/** A revocation notice is waited for at most this time before the peer's tunnel is dropped, milliseconds. */
export const NOTICE_WAIT_MS = 2_000;
/** The tunnel of a peer that revoked us is dropped after this time: its notice is acknowledged first, milliseconds. */
export const REVOKED_GRACE_MS = 500;
/** A peer that trusts us already and asks again is answered at most once per this time, milliseconds. */
export const ANSWER_GAP_MS = 1_000;
/** The same rejection comes twice, direct and by relay: the second is an echo within this time, milliseconds. */
export const REJECT_ECHO_MS = 120_000;
/** Changes that strangers cause are written at most once per this time, milliseconds. */
export const LAZY_SAVE_MS = 1_000;
/** For this time after a handshake message the answer is likely, milliseconds: worth asking the registry often. */
export const EXPECT_ANSWER_MS = 120_000;
