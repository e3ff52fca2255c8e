/**
 * Notices that this computer has got to another network: the system would send from another address than before.
 */

import { pause } from "../../lib/io/pause.ts";

/** How often the system is asked, milliseconds. It costs well below a millisecond. */
const POLL_MS = 1_000;

/** What the watch works with. */
export interface NetworkWatchOptions {
  /** The hosts whose way there matters, as IP addresses. */
  readonly towards: () => readonly string[];
  /** The address that datagrams to a host would leave from, `undefined` when there is no way there. */
  readonly sourceAddress: (host: string) => Promise<string | undefined>;
  /** Called when a way is there and is not the one of before. */
  readonly changed: () => void;
  readonly signal: AbortSignal;
  /** Replaces waiting, for tests. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Watches until `signal` aborts. */
export async function watchNetwork(options: NetworkWatchOptions): Promise<void> {
  const { signal, sleep = pause } = options;
  /** What was found last for each host, `null` while there is no way. */
  const known = new Map<string, string | null>();
  while (!signal.aborted) {
    const hosts = options.towards();
    let changed = false;
    for (const host of hosts) {
      const address = await options.sourceAddress(host).catch(() => undefined) ?? null;
      const before = known.get(host);
      known.set(host, address);
      if (before !== undefined && address !== null && address !== before) changed = true;
    }
    for (const host of known.keys()) if (!hosts.includes(host)) known.delete(host);
    if (changed && !signal.aborted) options.changed();
    await sleep(POLL_MS, signal);
  }
}
