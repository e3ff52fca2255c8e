/**
 * Waiting, without leaving a timer behind.
 */

/** Back-off of things that are tried for ever, milliseconds; the last one repeats. */
const RETRY_DELAYS_MS: readonly number[] = [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 15_000];

/** Resolves after `ms` milliseconds, or at once when `signal` aborts. Never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted === true) return Promise.resolve();
  const done = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", done);
    resolve();
  };
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", done);
  return promise;
}

/** Milliseconds to wait before try number `attempt` (from 1), with a quarter of jitter so that crowds spread out. */
export function retryDelay(attempt: number): number {
  const base = RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length - 1)] ?? 0;
  return base * (0.875 + Math.random() / 4);
}
