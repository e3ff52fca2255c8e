/** Waiting with an end: time limits and abort signals. */

import { PilotError } from "../wire/error.ts";

/** How long an operation may take. */
export interface WaitOptions {
  /** Gives up when aborted; the operation rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Gives up after so many milliseconds with a PilotError `timeout`. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Runs `work` with a signal that joins both limits, `undefined` when there are none.
 *
 * @throws what `work` throws; at the time limit that is a PilotError `timeout`, the reason of its signal
 */
export async function limited<T>(
  what: string,
  options: WaitOptions,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs } = options;
  if (signal === undefined && timeoutMs === undefined) return await work(undefined);
  if (signal?.aborted) throw signal.reason;
  const limit = new AbortController();
  const onAbort = () => limit.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = timeoutMs === undefined ? undefined : setTimeout(
    () => limit.abort(new PilotError("timeout", `${what}: no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** `promise`, given up at the limits of `options`. The work behind it goes on. */
export function within<T>(promise: Promise<T>, what: string, options: WaitOptions): Promise<T> {
  promise.catch(() => {});
  return limited(what, options, (signal) => {
    if (signal === undefined) return promise;
    return new Promise<T>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      promise.then(resolve, reject);
    });
  });
}
